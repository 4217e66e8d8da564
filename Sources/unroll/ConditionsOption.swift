internal import ArgumentParser
internal import Training

/// Options for the conditions of sequences.
struct ConditionsOption: ParsableArguments {
  @Option(
    parsing: .upToNextOption,
    help: """
      What is known of every line, for a model that asks for it: names of classes, then numbers; \
      a negative one as --condition=-0.5.
      """)
  var condition: [String] = []

  @Option(
    help: "A file of what is known of each line, as the model's data has it.",
    completion: .file())
  var conditions: String?

  func told(_ checkpoint: Checkpoint, readsLines: Bool = false) throws -> ToldConditions {
    try ToldConditions(
      checkpoint, words: condition, file: conditions, readsLines: readsLines)
  }
}
