internal import ArgumentParser
internal import Collectives
internal import Datasets
internal import Foundation
internal import Training

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Scores a text with a model: loss, perplexity, bits per character.",
    discussion: "The state is carried through the whole text. Works under mpirun too.")

  @Argument(help: "A checkpoint, or the folder of a run.", completion: .directory)
  var checkpoint: String

  @Option(help: "A text, or a folder of texts.", completion: .file())
  var data: [String]

  @Option(help: "Parallel streams; 1 carries the state from the first symbol to the last.")
  var batchSize = 1

  @Option(help: "Time steps per window; changes memory and speed, not the result.")
  var bptt = 512

  @OptionGroup var format: PrecisionOption

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    guard batchSize >= 1 else { throw ValidationError("--batch-size must be at least 1.") }
    guard bptt >= 1 else { throw ValidationError("--bptt must be at least 1.") }
  }

  func run() throws {
    try inWorld { world in
      let result = try TextScore(
        of: data, with: checkpoint, batchSize: batchSize, bptt: bptt, precision: format.precision,
        world: world)
      if world.isRoot { print(json ? try result.json : result.words) }
      return ExitStatus.done
    }
  }
}
