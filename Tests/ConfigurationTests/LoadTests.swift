import Configuration
import Formats
import Foundation
import TestSupport
import Testing

@Suite struct `Files and assignments` {
  /// The decoded run, or the message, with the folder's name taken out.
  private func load(_ files: [String], set: [String] = []) throws -> (run: Run?, message: String) {
    try withTemporaryFolder { folder in
      var paths: [String] = []
      for (index, text) in files.enumerated() {
        let file = folder + "/\(index).yaml"
        try put(Array(text.utf8), at: file)
        paths.append(file)
      }
      do throws(ConfigurationError) {
        return (try Configuration.decode(Run.self, from: paths, set: set), "")
      } catch {
        return (nil, error.description.replacingOccurrences(of: folder + "/", with: ""))
      }
    }
  }

  @Test func `Later files win, mappings merge and lists are replaced`() throws {
    let run = try load([
      "name: a\nseed: 1\ntraining: {epochs: 1, optimizer: {rule: sgd, learning_rate: 1}}\n"
        + "model: {layers: [{cell: lstm, hidden: 1}, {cell: lstm, hidden: 2}]}",
      "training: {optimizer: {learning_rate: 2}}",
      "seed: 3\nmodel: {layers: [{cell: elman, hidden: 4}]}",
    ]).run
    #expect(run?.name == "a")
    #expect(run?.seed == 3)
    #expect(run?.training?.epochs == 1)
    #expect(run?.training?.optimizer == Run.Optimizer(rule: "sgd", learningRate: 2))
    #expect(run?.model?.layers.map(\.options.hidden) == [4])
  }

  @Test func `After merging, each value knows the file it came from`() throws {
    let base = "training:\n  epochs: 1\n  optimizer:\n    rule: sgd\n    moment: 1\n"
    #expect(
      try load([base, "\ntraining: {epochs: 2}"]).message.hasPrefix("0.yaml:5:5: unknown key"))
    #expect(
      try load(["training: {epochs: 1}", "\ntraining: {epochs: x}"]).message
        == "1.yaml:2:20: expected an integer for training.epochs, found \"x\"")
    #expect(
      try load(["training:\n  epochs: x", "\nseed: 4"]).message
        == "0.yaml:2:11: expected an integer for training.epochs, found \"x\"")
  }

  @Test func `The place of a value can be asked for`() throws {
    var configuration = try Configuration(
      yaml: "model:\n  layers: [{hidden: 1}, {hidden: 2}]", file: "a.yaml")
    try configuration.set("training.epochs=3")
    #expect(configuration.origin(of: "model.layers.1.hidden").description == "a.yaml:2:34")
    #expect(configuration.origin(of: "model.layers.7").description == "a.yaml:2:11")
    #expect(configuration.origin(of: "training.epochs").description == "--set training.epochs=3")
    #expect(configuration.origin(of: "seed").description == "a.yaml:1:1")
  }

  @Test func `A later null takes a value away`() throws {
    #expect(try load(["seed: 1", "seed: null"]).run == Run())
    #expect(try load(["seed: 1"], set: ["seed="]).run == Run())
  }

  @Test func `An assignment reaches elements of lists and makes the sections it needs`() throws {
    let run = try load(
      ["model: {layers: [{cell: lstm, hidden: 1}, {cell: lstm, hidden: 2}]}"],
      set: [
        "model.layers.1.hidden=20", "model.layers.0.dropout=1e-1", "name=\"a = b\"",
        "training.optimizer={rule: adam}", "training.optimizer.learning_rate=3", "seed=1", "seed=2",
      ]
    ).run
    #expect(run?.model?.layers.map(\.options.hidden) == [1, 20])
    #expect(run?.model?.layers.first?.dropout == 0.1)
    #expect(run?.name == "a = b")
    #expect(run?.training?.optimizer == Run.Optimizer(rule: "adam", learningRate: 3))
    #expect(run?.seed == 2)
  }

  @Test(
    arguments: [
      ("training.epochs=many", "expected an integer for training.epochs, found \"many\""),
      ("training.epoch=3", "unknown key \"epoch\" in training; did you mean \"epochs\"?"),
      ("trainig.epochs=3", "unknown key \"trainig\"; did you mean \"training\"?"),
      ("seed.x=3", "expected an integer ≥ 0 for seed, found a mapping"),
      ("seed", "has no value; write it as key.path=value"),
      ("training..epochs=3", "has an empty key; write it as key.path=value"),
      ("=3", "has an empty key; write it as key.path=value"),
      (
        "model.layers.1.hidden=3",
        "model.layers has 1 element, counted from 0; choose one of them or set the whole list"
      ),
      (
        "model.layers.hidden=3",
        "model.layers is a list; name an element by its index, as in model.layers.0"
      ),
      ("model.layers.0.hidden=x", "expected an integer for model.layers.0.hidden, found \"x\""),
      ("training={optimizer: {}}", "training.optimizer needs the key \"rule\"; add it"),
    ])
  func `An assignment that is wrong is named in the message`(
    assignment: String, expected: String
  ) throws {
    let yaml = "seed: 1\nmodel: {layers: [{cell: lstm, hidden: 1}]}\ntraining: {epochs: 2}"
    #expect(try load([yaml], set: [assignment]).message == "--set \(assignment): \(expected)")
  }

  @Test func `An assignment whose value is no YAML is named in the message`() throws {
    #expect(
      try load(["seed: 1"], set: ["seed=[1"]).message.hasPrefix("--set seed=[1: not valid YAML:"))
  }

  @Test func `A file that cannot be read is one sentence`() throws {
    try withTemporaryFolder { path in
      func message(_ file: String) -> String {
        do throws(ConfigurationError) {
          _ = try Configuration.load(files: [file])
          return ""
        } catch {
          return error.description
        }
      }
      #expect(
        message(path + "/no.yaml") == "\(path)/no.yaml: there is no such file; check the path")
      #expect(message(path) == "\(path): is a directory; name a YAML file")
      try put([0x61, 0x3a, 0x20, 0xff], at: path + "/b.yaml")
      #expect(message(path + "/b.yaml") == "\(path)/b.yaml: is not UTF-8 text; save it as UTF-8")
    }
  }

  @Test func `No file and no assignment give the defaults`() throws {
    #expect(try Configuration.decode(Run.self, from: []) == Run())
    #expect(try Configuration.decode(Run.self, from: [], set: ["seed=5"]) == Run(seed: 5))
  }
}
