internal import ArgumentParser
internal import Checkpointing
internal import Configuration
internal import Datasets
internal import Foundation
internal import Inference
internal import Recurrence
internal import Training

struct Decode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Decodes an output sequence for each source: translations, pronunciations.",
    discussion: """
      Reads sources, one per line, from a file or standard input, and prints one line for each. If \
      the sources are frames of numbers, it reads --source in the format of the model's data, and \
      prints the name of each sequence, a tab and the decoded line.
      """)

  @OptionGroup var from: CheckpointArgument

  @Option(help: "The file of sources; standard input unless given.", completion: .file())
  var source: String?

  @Option(help: "The width of beam search; 1 is greedy decoding.")
  var beam = 4

  @Option(help: "The exponent of length normalisation; larger prefers longer lines (Wu 2016).")
  var lengthNormalisation = 1.0

  @Flag(help: "Sample each symbol from its distribution instead of searching.")
  var sample = false

  @OptionGroup var drawing: SamplingOptions

  @Option(help: "The seed of --sample; the same seed gives the same lines.")
  var seed: UInt64 = 1

  @OptionGroup var known: ConditionsOption

  @OptionGroup var format: PrecisionOption

  func validate() throws {
    guard (1...64).contains(beam) else { throw ValidationError("--beam must be from 1 to 64.") }
    guard lengthNormalisation >= 0 else {
      throw ValidationError("--length-normalisation must not be negative.")
    }
    guard sample || drawing.isPlain else {
      throw ValidationError("--temperature, --top-k and --top-p need --sample: add it.")
    }
  }

  func run() throws {
    let path = try from.locate()
    let loaded = try Checkpoint(verifying: path)
    var unknown = UnknownSymbols()
    let translator = try SequenceTranslator(loaded, precision: format.precision)
    var names: [String] = []
    var given: [DecoderInput]
    if translator.readsFrames {
      guard let source else {
        throw UsageError(
          "\(from.checkpoint) decodes from frames: name their file with --source")
      }
      let sources = try translator.sources(in: source)
      (names, given) = (sources.map(\.name), sources.map(\.given))
    } else {
      given = try lines(of: source).map(translator.given)
    }
    given = try known.told(loaded).add(to: given, of: source ?? "standard input")
    for first in stride(from: 0, to: given.count, by: 64) {
      let part = Array(given[first..<min(first + 64, given.count)])
      let said =
        sample
        ? translator.sample(part, from: first, drawing.sampling(), seed: seed)
        : translator.search(
          part, beam: beam, normalisation: LengthNormalisation(alpha: lengthNormalisation))
      for (place, line) in said.enumerated() {
        print(names.isEmpty ? line : "\(names[first + place])\t\(line)")
      }
      unknown.add(translator.unknown(inSources: part))
    }
    from.tell(path)
    unknown.tell(of: "the sources")
  }
}
