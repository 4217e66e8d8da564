import Configuration
import Names
import Testing

/// The value of a key that is no known name.
@Suite struct `Names nobody knows` {
  /// Settings with a misspelled name, and the end of the sentence.
  static let cases: [(setting: String, advice: String)] = [
    ("model.layers=[{cell: lstn, hidden: 5}]", "no cell is called lstn; did you mean \"lstm\"?"),
    (
      "model={preset: mamba, width: 8, depth: 1}",
      "no preset is called mamba; did you mean \"mamba2\"?"
    ),
    (
      "model.layers=[{block: {norm: rmsnrom, mixer: {cell: lstm, hidden: 5}}}]",
      "no norm is called rmsnrom; did you mean \"rmsnorm\"?; with its epsilon: {kind: rmsnorm, eps: 1e-6}"
    ),
    (
      "model.layers=[{block: {mixer: {cell: lstm, hidden: 5}, mlp: swigul}}]",
      "no mlp is called swigul; did you mean \"swiglu\"?"
    ),
    (
      "model.initializer=orthogonl",
      "no initializer is called orthogonl; did you mean \"orthogonal\"?; with a spread: {uniform: s}, "
        + "{normal: s} or {orthogonal: s}"
    ),
    ("training.optimizer.rule=adamm", "no optimizer is called adamm; did you mean \"adam\"?"),
    (
      "training.schedule={shape: cosin, learning_rate: 1}",
      "no schedule is called cosin; did you mean \"cosine\"?"
    ),
    ("training.on_nonfinite=rolback", "no policy is called rolback; did you mean \"rollback\"?"),
    (
      "communication.compression=powersdg",
      "no compression is called powersdg; did you mean \"powersgd\"?"
    ),
    ("data={task: coppy}", "no task is called coppy; did you mean \"copy\"?"),
    (
      "communication.compression=zip",
      "no compression is called zip; choose one of one_bit, powersgd, top_k; or remove it"
    ),
    ("data={task: tomita, grammar: 9}", "grammar"),
    ("data={train: a, format: liens}", "no format is called liens; did you mean \"lines\"?"),
    (
      "data={train: a, tokenizer: charcter}",
      "no tokenizer is called charcter; did you mean \"character\"?; ./charcter is a vocabulary in a file "
        + "of that name"
    ),
    (
      "data={train: a, document: lin}",
      "no boundary of documents is called lin; did you mean \"line\"?"
    ),
    ("model.end=halted", "did you mean \"halt\"?"),
    ("data={task: quux}", "no task is called quux; choose one of adding, "),
  ]

  @Test(arguments: cases.indices)
  func `The nearest name is asked for, or all are told`(_ index: Int) throws {
    let (setting, advice) = Self.cases[index]
    var configuration = try Configuration(
      yaml: "{data: {train: t.txt}, model: {layers: [{cell: elman, hidden: 5}]}}", file: "a.yaml")
    try configuration.set(setting)
    let error = #expect(throws: ConfigurationError.self) {
      try configuration.decode(RunOptions.self)
    }
    #expect(error?.description.contains(advice) == true, "\(error?.description ?? "")")
    #expect(error?.description.contains("\n") == false)
  }
}
