import Configuration
import Datasets
import Formats
import Foundation
import NumericalTestSupport
import Recurrence
import Sequences
import Testing
import Tools

@Suite struct `The catalogue of networks` {
  let catalogue = NetworkCatalogue()

  @Test func `has every cell of the registry, each with equations, options and parameters`() {
    #expect(catalogue.cells.map(\.name) == cells.keys.sorted())
    for cell in catalogue.cells {
      #expect(!cell.equations.isEmpty && !cell.source.isEmpty && !cell.example.isEmpty)
      #expect(cell.options.first?.key == "hidden" && cell.options.first?.standard == nil)
      #expect(catalogue.words.contains("  \(cell.name)   "))
      if cell.name == "echo-state" {
        #expect(cell.parameters.isEmpty, "a reservoir that is learnt")
        continue
      }
      #expect(cell.parameters.first?.name == "weight_ih")
      // Every shape is told in words.
      let shapes = cell.parameters.flatMap(\.shape)
      // A number may be that of an option.
      let known = shapes.allSatisfy { shape in
        Int(shape).map { size in cell.options.contains { $0.standard == .integer(size) } } ?? true
      }
      #expect(shapes.count > 1 && known, "\(cell.name): \(shapes)")
    }
  }

  @Test func `knows defaults, choices and shapes of the LSTM`() throws {
    let lstm = try #require(catalogue.cells.first { $0.name == "lstm" })
    #expect(
      lstm.options.map(\.key) == [
        "hidden", "biases", "chrono", "coupled", "forget_bias", "layer_norm", "peephole",
        "projection",
      ])
    #expect(
      lstm.options.map(\.standard) == [
        nil, .integer(2), .null, .bool(false), .null, .bool(false), .string("none"), .null,
      ])
    #expect(lstm.options[6].others == [.string("gers"), .string("previous")])
    #expect(
      lstm.parameters.map(\.shape) == [
        ["4·hidden", "input"], ["4·hidden", "hidden"], ["4·hidden"], ["4·hidden"],
      ])
    #expect(lstm.further["peephole: gers"]?.map(\.name) == ["weight_peephole"])
    #expect(
      lstm.further["projection: P"]?.map(\.shape) == [["4·hidden", "P"], ["P", "hidden"]])
    #expect(
      lstm.further["coupled: true"]?.map(\.shape) == [
        ["3·hidden", "input"], ["3·hidden", "hidden"], ["3·hidden"], ["3·hidden"],
      ])
    #expect(
      lstm.further["layer_norm: true"]?.map(\.name) == ["gain_ih", "bias_c", "gain_c", "gain_hh"])
    // 4·200·(100 + 200 + 2)
    #expect(lstm.example == "hidden 200 reading 100 has 241600 parameters")
  }

  @Test func `knows shapes that are no multiples of hidden × input`() throws {
    let dense = try #require(catalogue.cells.first { $0.name == "dense" })
    #expect(dense.further["taps: 2"]?.map(\.shape) == [["hidden", "2·input"]])
    let second = try #require(catalogue.cells.first { $0.name == "second-order" })
    #expect(second.parameters.map(\.shape) == [["hidden·hidden", "input"], ["hidden"]])
    let multiplicative = try #require(catalogue.cells.first { $0.name == "multiplicative" })
    #expect(
      multiplicative.parameters.map(\.shape) == [
        ["2·hidden", "input"], ["hidden", "hidden"], ["hidden", "hidden"], ["hidden"],
      ])
  }

  @Test func `knows layers inside a step`() throws {
    let deep = try #require(catalogue.cells.first { $0.name == "deep-transition" })
    #expect(deep.options.map(\.key) == ["hidden", "nonlinearity", "shortcut", "transition"])
    #expect(deep.options[3].standard == .null && deep.options[3].others == [.string("[units, …]")])
    #expect(
      deep.parameters.map(\.name) == [
        "weight_ih", "weight_hh", "weight_transition_2", "bias_ih", "bias_transition_2",
      ])
    #expect(deep.further["shortcut: true"]?.map(\.name) == ["weight_shortcut"])
    #expect(
      deep.further["transition: [2·hidden]"]?.map(\.shape) == [
        ["2·hidden", "input"], ["2·hidden", "hidden"], ["hidden", "2·hidden"], ["2·hidden"],
      ])
  }

  @Test func `is JSON too`() throws {
    let json = try #require(
      JSONSerialization.jsonObject(with: Data(try catalogue.json.utf8)) as? [String: Any])
    #expect((json["cells"] as? [Any])?.count == cells.count)
    #expect((json["tasks"] as? [Any])?.count == tasks.count)
    #expect(Set(json.keys) == ["cells", "layers", "heads", "tasks", "layer_options"])
  }

  @Test func `has every type of head, and the one of each kind of output`() throws {
    // A head that is new has to be told of here and in the catalogue.
    let names: [String: String] = [
      "SoftmaxCrossEntropy": "softmax", "SquaredError": "squared error", "Logistic": "logistic",
      "Halting": "halt", "PredictedLength": "length",
      "AdaptiveSoftmax": "adaptive softmax", "SampledSoftmax": "sampled softmax",
    ]
    let folder = packageRoot.appending(path: "Sources/Recurrence/Heads")
    let types = try FileManager.default.contentsOfDirectory(atPath: folder.path).flatMap { file in
      try String(contentsOf: folder.appending(path: file), encoding: .utf8)
        .matches(of: /struct (\w+): Head\b/).map { String($0.1) }
    }
    #expect(Set(types) == Set(names.keys))
    #expect(catalogue.heads.map(\.name).sorted() == names.values.sorted())
    #expect(catalogue.heads.allSatisfy { !$0.equations.isEmpty && !$0.parameters.isEmpty })
    let options = SequenceModelOptions(
      embedding: nil, layers: [LayerOptions(.recurrent(cell: "lstm", LSTM.Options(hidden: 5)))])
    for output: TaskSignature.Output in [.symbols(3), .numbers(4), .labels(6)] {
      let interface = TaskSignature(input: .frames(2), output: output)
      let head = SequenceModel(options, interface: interface, seed: 1).head
      #expect(names["\(type(of: head))"] == output.head)
      #expect(options.words(predicting: output) == "input → lstm 5 → \(output.head)")
    }
  }

  @Test func `tells every key of a model and of a layer`() throws {
    /// The stored properties of a value, as configurations write them.
    func keys(_ value: Any) -> Set<String> {
      Set(
        Mirror(reflecting: value).children.compactMap(\.label).map { label in
          label.reduce("") { $0 + ($1.isUppercase ? "_\($1.lowercased())" : "\($1)") }
        })
    }
    let layer = keys(LayerOptions(.linear(3))).subtracting(["kind", "surroundings"])
      .union(keys(RecurrentLayerOptions()))
      .union(keys(FeedbackOptions(width: 3)).map { "feedback_\($0)" })
      // The first is written as `feedback: target`, the second is off only in an adapted model.
      .subtracting(["feeds_targets", "samples_zoneout"])
    #expect(Set(catalogue.layerOptions.map(\.key)) == layer)
    let told = Set((catalogue.layers + catalogue.heads).flatMap(\.options).map(\.key))
    /// The keys that a section `model` asks for, and those of its tree.
    func asked(_ yaml: String) throws -> Set<String> {
      let decoder = ConfigurationDecoder(try Configuration(yaml: yaml, file: "model"))
      _ = try decoder.decode(ModelOptions.self)
      return Set(
        decoder.recordedKeys.compactMap { path in
          !path.contains(".") || path.hasPrefix("tree.") ? path : nil
        })
    }
    // What all the rest stands below, and a key of every layer too.
    let model = try asked("{embedding: 3, tree: {cell: plain, hidden: 3}}")
      .subtracting(["tree", "layers", "initializer"])
    #expect(
      try asked("{layers: [{linear: 3}]}").subtracting(["tree", "layers", "initializer"])
        == model.filter { !$0.contains(".") })
    #expect(model.subtracting(told).isEmpty, "left out: \(model.subtracting(told))")
    let more = told.subtracting(model).subtracting(layer)
    #expect(more == ["linear", "block", "conv", "token_shift", "repeat"])
    for option in catalogue.layerOptions { #expect(catalogue.words.contains("\(option.key): ")) }
  }

  @Test func `has every task with its options`() throws {
    #expect(catalogue.tasks.map(\.name) == tasks.keys.sorted())
    for task in catalogue.tasks {
      #expect(catalogue.words.contains("  \(task.name)   \(task.source)\n      \(task.summary)\n"))
    }
    let copy = try #require(catalogue.tasks.first { $0.name == "copy" })
    #expect(copy.options.map(\.key) == ["delay", "symbols"])
    #expect(copy.options.map(\.standard) == [.integer(100), .integer(10)])
    #expect(catalogue.tasks.first { $0.name == "reber" }?.options.isEmpty == true)
  }

  @Test func `is what the guide shows of equations`() throws {
    let page = try String(
      contentsOf: packageRoot.appending(path: "docs/networks.md"), encoding: .utf8)
    let groups = [
      ("cells", catalogue.cells), ("layers", catalogue.layers), ("heads", catalogue.heads),
    ]
    for (title, networks) in groups {
      let wanted =
        networks.map { network in
          "    \(network.name) — \(network.source)\n"
            + network.equations.map { "        \($0)\n" }.joined()
        }.joined()
      let start = try #require(page.range(of: "### Equations of \(title)\n\n"))
      let shown = page[start.upperBound...]
        .split(separator: "\n", omittingEmptySubsequences: false).prefix { $0.hasPrefix("    ") }
        .joined(separator: "\n")
      #expect(
        shown + "\n" == wanted, "docs/networks.md, equations of \(title), should be:\n\(wanted)")
    }
  }
}
