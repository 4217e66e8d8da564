internal import ArgumentParser
internal import Checkpointing
internal import Configuration
internal import Datasets
internal import Foundation
internal import Glibc
internal import Inference
internal import Recurrence
internal import Reporting
internal import Training

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Samples texts from a model symbol by symbol, or continues series of frames.",
    discussion: """
      Prompts are read in windows of many symbols, and texts are sampled side by side; each needs \
      the memory of its state alone, however long it is. Several texts are printed with a line \
      before each.

      A model that predicts its own next frames continues each series of --prime, in the format of \
      the run's data: numbers as they are predicted, the keys of a piano sampled one by one.
      """)

  @OptionGroup var from: CheckpointArgument

  @Option(help: "The text to continue; it is read as the start of a line.")
  var prompt: String?

  @Option(
    help: "A file with a prompt on each line; - for standard input.", completion: .file())
  var prompts: String?

  @Option(
    help:
      "A file of series to continue, for a model of frames; a frame of zeros unless given.",
    completion: .file())
  var prime: String?

  @Option(help: "The number of symbols or frames to generate.")
  var length = 500

  @Option(help: "The number of texts to generate for each prompt.")
  var count = 1

  @Option(
    name: .customLong("batch-size"), help: "The number of texts that are generated at once.")
  var batchSize = 16

  @OptionGroup var drawing: SamplingOptions

  @Option(
    name: .customLong("repetition-penalty"), parsing: .unconditional,
    help: """
      Divide the positive logits of the symbols that a text has already by this number, and multiply \
      the negative ones; 1 for none.
      """)
  var repetitionPenalty = 1.0

  @Option(
    parsing: .singleValue,
    help: """
      A string that ends a text, which is printed up to it; the option may be repeated. \\n is a \
      line's end.
      """)
  var stop: [String] = []

  @Flag(
    help: """
      Print a JSON object for each text, with its prompt, symbols, log-probabilities and why it ended.
      """)
  var json = false

  @Flag(
    help: """
      Read lines from standard input and answer each, with the state kept between them; /reset \
      forgets it, /quit ends.
      """)
  var interactive = false

  @Option(help: "The same seed, prompt and options give the same text.")
  var seed: UInt64 = 1

  @Option(
    parsing: .upToNextOption,
    help: """
      The condition of the sequence, for a conditioned model: names of classes, then numbers; a \
      negative one as --condition=-0.5.
      """)
  var condition: [String] = []

  @OptionGroup var format: PrecisionOption

  func validate() throws {
    guard length >= 0 else { throw ValidationError("--length must not be negative.") }
    guard count >= 1 else { throw ValidationError("--count must be at least 1.") }
    guard batchSize >= 1 else { throw ValidationError("--batch-size must be at least 1.") }
    guard repetitionPenalty > 0, repetitionPenalty.isFinite else {
      throw ValidationError("--repetition-penalty must be above 0, and finite.")
    }
    guard prompt == nil || prompts == nil else {
      throw ValidationError("--prompt and --prompts exclude each other: give one of them.")
    }
    guard !stop.contains("") else { throw ValidationError("--stop needs a string.") }
    if interactive, json || prompts != nil || prompt != nil || count > 1 {
      throw ValidationError(
        "--interactive reads its prompts from standard input: remove --prompt, --prompts, --count "
          + "and --json.")
    }
  }

  func run() throws {
    let path = try from.locate()
    let loaded = try Checkpoint(verifying: path)
    if case .frames = try loaded.interface().input {
      try goOn(loaded)
      return from.tell(path)
    }
    guard prime == nil else {
      throw UsageError("\(from.checkpoint) reads symbols: give --prompt TEXT instead of --prime")
    }
    guard try loaded.interface().encoded == nil else {
      throw UsageError("\(from.checkpoint) needs a source for its encoder: use unroll decode")
    }
    let generator = try TextGenerator(
      loaded, precision: format.precision, seed: seed, condition: condition)
    if interactive { return try converse(generator) }
    let texts = try PromptTexts(self, generator)
    let printer = TextPrinter(texts, generator, stops, asJSON: json)
    try generator.continuations(
      of: texts.all, streams: min(batchSize, texts.all.count), settings
    ) { try printer.put($0, $1) }
    from.tell(path)
    texts.unknown.tell(of: prompts ?? "the prompt")
  }

  /// The strings that end a text.
  private var stops: [String] { stop.map { $0.replacing("\\n", with: "\n") } }

  private var settings: TextGenerator.Settings {
    var sampling = drawing.sampling()
    sampling.repetitionPenalty = repetitionPenalty
    return TextGenerator.Settings(
      sampling: sampling, length: length, stop: stops, withLikelihood: json)
  }

  /// Answers the lines of standard input; the text that both write is one.
  private func converse(_ generator: TextGenerator) throws {
    var settings = settings
    if settings.stop.isEmpty { settings.stop = ["\n"] }
    let isTerminal = isatty(STDIN_FILENO) == 1
    generator.open()
    while true {
      if isTerminal { try StandardStreams.put(Data("> ".utf8)) }
      guard let line = readLine() else { return }
      switch line {
      case "/quit": return
      case "/reset": generator.open()
      default:
        let symbols = generator.vocabulary.encode(line + "\n")
        var printed = 0
        func print(_ text: TextGenerator.Continuation, isWhole: Bool) throws {
          let bytes = generator.bytes([], text, stop: settings.stop)
          let held = isWhole ? 0 : generator.unsettled(bytes, stop: settings.stop)
          guard bytes.count - held > printed else { return }
          try StandardStreams.put(Data(bytes[printed..<bytes.count - held]))
          printed = bytes.count - held
        }
        let text = try generator.answer(symbols, settings) { try print($0, isWhole: false) }
        try print(text, isWhole: true)
        try StandardStreams.put(Data([UInt8(ascii: "\n")]))
      }
    }
  }

  /// Continues series of frames.
  private func goOn(_ loaded: Checkpoint) throws {
    let continuation = try SeriesContinuation(loaded, precision: format.precision)
    guard prompt == nil, prompts == nil, !interactive else {
      throw UsageError(
        "\(from.checkpoint) reads frames: give --prime FILE instead of --prompt, --prompts and "
          + "--interactive")
    }
    guard drawing.choosesAll, repetitionPenalty == 1, stop.isEmpty, count == 1, !json else {
      throw UsageError(
        "\(from.checkpoint) samples no symbols: remove --top-k, --top-p, --min-p, "
          + "--repetition-penalty, --stop, --count and --json")
    }
    let text = try continuation.text(
      after: prime, given: try ToldConditions(loaded, words: condition).one(), length: length,
      temperature: drawing.temperature, seed: seed)
    try StandardStreams.put(Data(text.utf8))
  }
}
