internal import ArgumentParser
internal import Datasets
internal import Foundation
internal import Recurrence
internal import Training

struct Decode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Says what a model makes of sources: translations, pronunciations.",
    discussion: """
      Reads sources, one a line, from a file or standard input; prints a line for each. Of frames of \
      numbers it reads --source as the model's data has it, and prints the name of each sequence, a tab \
      and what is made of it.
      """)

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

  @OptionGroup var known: ConditionsOption

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
    let path = try from.locate()
    let loaded = try Checkpoint(verifying: path)
    var unknown = UnknownSymbols()
    let interpreter = try SequenceTranslator(loaded, precision: format.precision)
    var names: [String] = []
    var given: [DecoderInput]
    if interpreter.readsFrames {
      guard let source else {
        throw UsageError(
          "\(from.checkpoint) makes something of frames: name their file with --source")
      }
      let sources = try interpreter.sources(in: source)
      (names, given) = (sources.map(\.name), sources.map(\.given))
    } else {
      given = try lines(of: source).map(interpreter.given)
    }
    given = try known.told(loaded).add(to: given, of: source ?? "standard input")
    for first in stride(from: 0, to: given.count, by: 64) {
      let part = Array(given[first..<min(first + 64, given.count)])
      let said =
        sample
        ? interpreter.sample(part, from: first, drawing.sampling(), seed: seed)
        : interpreter.search(
          part, beam: beam, normalisation: LengthNormalisation(alpha: lengthNormalisation))
      for (place, line) in said.enumerated() {
        print(names.isEmpty ? line : "\(names[first + place])\t\(line)")
      }
      unknown.add(interpreter.unknown(inSources: part))
    }
    from.tell(path)
    unknown.tell(of: "the sources")
  }
}
