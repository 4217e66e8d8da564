internal import ArgumentParser
internal import Checkpointing
internal import Datasets
internal import Reporting
internal import Training

/// The argument that names the checkpoint a command reads.
struct CheckpointArgument: ParsableArguments {
  @Argument(
    help: """
      A checkpoint, or the folder of a run, of which it is the latest; RUN/checkpoints/best is the \
      best.
      """, completion: .directory)
  var checkpoint: String

  @Flag(help: "The best checkpoint of the run instead of the latest.")
  var best = false

  /// Returns the folder of the checkpoint.
  /// - Throws: `FileError` if there is none.
  func locate() throws -> String { try CheckpointStore.locate(checkpoint, best: best) }

  /// Prints on standard error which checkpoint was chosen, if the argument left a choice.
  func tell(_ taken: String) {
    let given = checkpoint.hasSuffix("/") ? String(checkpoint.dropLast()) : checkpoint
    if taken != given { StandardStreams.tell("from \(taken)\n") }
  }
}

extension UnknownSymbols {
  /// Prints on standard error how many symbols the model does not know; a warning above one tenth.
  func tell(of text: String) {
    if let warning = warning(of: text) {
      warn(warning)
    } else if let words {
      StandardStreams.tell("in \(text) are \(words)\n")
    }
  }
}
