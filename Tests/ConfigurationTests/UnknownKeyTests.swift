import Configuration
import Formats
import Names
import Testing

@Suite struct `Keys nobody asked for` {
  @Test func `An unknown key is refused with its position, its section and the nearest key`() {
    let yaml = """
      training:
        optimizer:
          rule: sgd
          lrr: 0.1
      """
    #expect(
      message(Run.self, yaml)
        == "a.yaml:4:5: unknown key \"lrr\" in training.optimizer; did you mean \"learning_rate\"?")
  }

  @Test func `An unknown key of the top level has no section in its message`() {
    #expect(
      message(Run.self, "name: a\nmodle: {}\n")
        == "a.yaml:2:1: unknown key \"modle\"; did you mean \"model\"?")
  }

  @Test func `An unknown key in an element of a list is found there`() {
    let yaml =
      "model:\n  layers:\n    - {cell: lstm, hidden: 3}\n    - {cell: lstm, hidden: 4, drop: 1}"
    #expect(
      message(Run.self, yaml)
        == "a.yaml:4:31: unknown key \"drop\" in model.layers.1; did you mean \"dropout\"?")
  }

  @Test func `A key that belongs to another section is sent there`() {
    let yaml = "training: {optimizer: {rule: sgd}, learning_rate: 1}"
    #expect(
      message(Run.self, yaml) == "a.yaml:1:36: unknown key \"learning_rate\" in training;"
        + " did you mean training.optimizer.learning_rate?")
  }

  @Test func `A key of another trainer is translated, wherever ours stands`() {
    #expect(
      message(Run.self, "training: {optimizer: {rule: sgd}, lr: 1}").hasSuffix(
        "unknown key \"lr\" in training; did you mean training.optimizer.learning_rate?"))
    #expect(
      message(Run.self, "model: {layers: [{cell: lstm, hidden: 3, nhid: 1}]}").hasSuffix(
        "unknown key \"nhid\" in model.layers.0; did you mean \"hidden\"?"))
    #expect(
      message(Run.self, "model: {layers: [{cell: lstm, hidden_size: 3}]}").hasSuffix(
        "needs the key \"hidden\"; is \"hidden_size\" a misspelling?"))
  }

  @Test func `A key near to none is answered with all keys there are`() {
    #expect(
      message(Run.self, "training: {quux: 1}")
        == "a.yaml:1:12: unknown key \"quux\" in training; known here: epochs, optimizer")
  }

  @Test func `What two types ask of one mapping adds up`() throws {
    let yaml = "model: {layers: [{cell: lstm, hidden: 3, dropout: 0.5, projection: 2}]}"
    let layer = try #require(try decode(Run.self, yaml).model?.layers.first)
    #expect(layer.cell == .lstm)
    #expect(layer.options == Layer.LSTM(hidden: 3, projection: 2))
    #expect(layer.dropout == 0.5)
  }

  @Test func `The keys asked for are recorded with their paths`() throws {
    let decoder = ConfigurationDecoder(
      try Configuration(
        yaml: "model: {layers: [{cell: lstm, hidden: 3}, {cell: lstm, hidden: 2}]}", file: "a.yaml")
    )
    _ = try decoder.decode(Run.self)
    #expect(
      decoder.recordedKeys == [
        "name", "seed", "model", "model.layers", "model.layers.*.cell", "model.layers.*.dropout",
        "model.layers.*.hidden", "model.layers.*.projection", "model.tied", "training",
      ])
  }

  @Test func `The keys of a dictionary are free`() throws {
    #expect(try decode([String: [Int]].self, "a: [1, 2]\nb: []") == ["a": [1, 2], "b": []])
  }

  @Test(
    arguments: [
      ("hiden", "hidden"), ("learningRate", "learning_rate"), ("learning-rate", "learning_rate"),
      ("lr", "learning_rate"), ("rate", "learning_rate"), ("lyaers", "layers"),
      ("LAYERS", "layers"),
      ("bs", "batch_size"), ("batchsize", "batch_size"), ("quux", nil), ("x", nil), ("", nil),
    ] as [(String, String?)])
  func `A word is near when it is misspelled, abbreviated or a part`(
    word: String, expected: String?
  ) {
    let known = ["layers", "batch_size", "learning_rate", "hidden", "y"]
    #expect(Suggestion.nearest(word, among: known) == expected)
  }
}
