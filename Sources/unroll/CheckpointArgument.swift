internal import ArgumentParser
internal import Training

/// The checkpoint that a command reads.
struct CheckpointArgument: ParsableArguments {
  @Argument(
    help: """
      A checkpoint, or the folder of a run, of which it is the latest; RUN/checkpoints/best is the best.
      """, completion: .directory)
  var checkpoint: String

  @Flag(help: "The best checkpoint of the run in place of the latest.")
  var best = false

  /// The folder of the checkpoint.
  func locate() throws -> String { try CheckpointStore.locate(checkpoint, best: best) }
}
