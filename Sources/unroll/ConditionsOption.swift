internal import ArgumentParser
internal import Checkpointing
internal import Inference
internal import Training

/// Options for the conditions of sequences.
struct ConditionsOption: ParsableArguments {
  @Option(
    parsing: .upToNextOption,
    help: """
      The condition of every line, for a conditioned model: names of classes, then numbers; a \
      negative one as --condition=-0.5.
      """)
  var condition: [String] = []

  @Option(
    help: "A file with the condition of each line, in the format of the model's data.",
    completion: .file())
  var conditions: String?

  func told(_ checkpoint: Checkpoint, readsLines: Bool = false) throws -> ToldConditions {
    try ToldConditions(
      checkpoint, words: condition, file: conditions, readsLines: readsLines)
  }
}
