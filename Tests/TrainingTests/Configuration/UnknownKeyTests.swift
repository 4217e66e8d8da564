import Testing
import Training

@Suite("Keys nobody asked for")
struct UnknownKeyTests {
  @Test("An unknown key is refused with its position, its section and the nearest key")
  func nearest() {
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

  @Test("An unknown key of the top level has no section in its message")
  func topLevel() {
    #expect(
      message(Run.self, "name: a\nmodle: {}\n")
        == "a.yaml:2:1: unknown key \"modle\"; did you mean \"model\"?")
  }

  @Test("An unknown key in an element of a list is found there")
  func inList() {
    let yaml =
      "model:\n  layers:\n    - {cell: lstm, hidden: 3}\n    - {cell: lstm, hidden: 4, drop: 1}"
    #expect(
      message(Run.self, yaml)
        == "a.yaml:4:31: unknown key \"drop\" in model.layers.1; did you mean \"dropout\"?")
  }

  @Test("A key that belongs to another section is sent there")
  func elsewhere() {
    let yaml = "training: {optimizer: {rule: sgd}, learning_rate: 1}"
    #expect(
      message(Run.self, yaml) == "a.yaml:1:36: unknown key \"learning_rate\" in training;"
        + " did you mean training.optimizer.learning_rate?")
  }

  @Test("A key of another trainer is translated, wherever ours stands")
  func otherTrainers() {
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

  @Test("A key near to none is answered with all keys there are")
  func nothingNear() {
    #expect(
      message(Run.self, "training: {quux: 1}")
        == "a.yaml:1:12: unknown key \"quux\" in training; known here: epochs, optimizer")
  }

  @Test("What two types ask of one mapping adds up")
  func addsUp() throws {
    let yaml = "model: {layers: [{cell: lstm, hidden: 3, dropout: 0.5, projection: 2}]}"
    let layer = try #require(try decode(Run.self, yaml).model?.layers.first)
    #expect(layer.cell == .lstm)
    #expect(layer.options == Layer.LSTM(hidden: 3, projection: 2))
    #expect(layer.dropout == 0.5)
  }

  @Test("The keys asked for are recorded with their paths")
  func recorded() throws {
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

  @Test("The keys of a dictionary are free")
  func dictionary() throws {
    #expect(try decode([String: [Int]].self, "a: [1, 2]\nb: []") == ["a": [1, 2], "b": []])
  }

  @Test(
    "A word is near when it is misspelled, abbreviated or a part",
    arguments: [
      ("hiden", "hidden"), ("learningRate", "learning_rate"), ("learning-rate", "learning_rate"),
      ("lr", "learning_rate"), ("rate", "learning_rate"), ("lyaers", "layers"),
      ("LAYERS", "layers"),
      ("bs", "batch_size"), ("batchsize", "batch_size"), ("quux", nil), ("x", nil), ("", nil),
    ] as [(String, String?)])
  func suggestion(word: String, expected: String?) {
    let known = ["layers", "batch_size", "learning_rate", "hidden", "y"]
    #expect(Suggestion.nearest(word, among: known) == expected)
  }
}
