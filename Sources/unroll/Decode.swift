internal import ArgumentParser
internal import Foundation
internal import Recurrence
internal import Training

struct Decode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Says what a model makes of sources: translations, pronunciations.",
    discussion: "Reads sources, one a line, from a file or standard input; prints a line for each.")

  @OptionGroup var from: CheckpointArgument

  @Option(help: "The file of sources; standard input unless given.", completion: .file())
  var source: String?

  @Option(help: "Hypotheses side by side; 1 takes the likeliest symbol after each other.")
  var beam = 4

  @Option(help: "How much longer hypotheses are preferred (Wu 2016).")
  var lengthNormalisation = 1.0

  @Flag(help: "Draw each symbol from its distribution in place of searching.")
  var sample = false

  @OptionGroup var drawing: SamplingOptions

  @Option(help: "The same seed draws the same lines.")
  var seed: UInt64 = 1

  @OptionGroup var format: PrecisionOption

  func validate() throws {
    guard (1...64).contains(beam) else { throw ValidationError("--beam must be from 1 to 64.") }
    guard lengthNormalisation >= 0 else {
      throw ValidationError("--length-normalisation must not be negative.")
    }
    guard sample || drawing.isPlain else {
      throw ValidationError("--temperature, --top-k and --top-p are of --sample: add it.")
    }
  }

  func run() throws {
    let interpreter = try Interpreter(
      Checkpoint(verifying: from.locate()), precision: format.precision)
    let sources = try lines(of: source)
    for first in stride(from: 0, to: sources.count, by: 64) {
      let part = Array(sources[first..<min(first + 64, sources.count)])
      let said =
        sample
        ? interpreter.sample(part, from: first, drawing.sampling(), seed: seed)
        : interpreter.search(
          part, beam: beam, normalisation: LengthNormalisation(alpha: lengthNormalisation))
      for line in said { print(line) }
    }
  }
}
