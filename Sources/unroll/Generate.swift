internal import ArgumentParser
internal import Checkpointing
internal import Configuration
internal import Datasets
internal import Foundation
internal import Inference
internal import Recurrence
internal import Reporting
internal import Training

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Samples text from a model symbol by symbol, or continues series of frames.",
    discussion: """
      A model that predicts its own next frames continues each series of --prime, in the format of \
      the run's data: numbers as they are predicted, the keys of a piano sampled one by one.
      """)

  @OptionGroup var from: CheckpointArgument

  @Option(help: "The text to continue; it is read as the start of a line.")
  var prompt = ""

  @Option(
    help:
      "A file of series to continue, for a model of frames; a frame of zeros unless given.",
    completion: .file())
  var prime: String?

  @Option(help: "The number of symbols or frames to generate.")
  var length = 500

  @OptionGroup var drawing: SamplingOptions

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
    let (model, weights, vocabulary) = try loaded.model(precision: format.precision)
    guard model.interface.encoded == nil else {
      throw UsageError("\(from.checkpoint) needs a source for its encoder: use unroll decode")
    }
    let known = try ToldConditions(loaded, words: condition).one()
    let generator = Generator(model, weights: weights, seed: seed)
    let start = vocabulary.encode(prompt)
    var unknown = UnknownSymbols()
    unknown.add(start, vocabulary)
    guard unknown.count == 0 || !unknown.isAll else {
      throw UsageError(
        "no symbol of the prompt \"\(prompt)\" is in the model's vocabulary: give a --prompt of "
          + "symbols that its training text has")
    }
    if let longest = model.longestPredicted, start.count > longest {
      throw UsageError(
        "the prompt has \(start.count) symbols, and \(from.checkpoint) predicts at most "
          + "\(longest): give a shorter one")
    }
    generator.restart(
      condition: known.condition, classes: known.classes,
      atLeast: model.longestPredicted == nil ? 0 : start.count, temperature: drawing.temperature)
    // A text begins at the start of a line, because training hardly ever sees the zero state alone.
    let opening =
      model.interface.isRunning
      ? vocabulary.encode("\n").filter { $0 != vocabulary.unknown }
      : [vocabulary.begin].compactMap(\.self)
    for symbol in opening + start { generator.read(symbol) }
    if opening.isEmpty && start.isEmpty { generator.read(0) }
    let sampling = drawing.sampling(
      excluding: Set(
        [vocabulary.unknown, model.interface.isRunning ? nil : vocabulary.begin]
          .compactMap(\.self)))
    var drawn = start
    for _ in 0..<length {
      guard let symbol = generator.next(sampling) else { break }
      if !model.interface.isRunning && symbol == vocabulary.end { break }
      drawn.append(symbol)
    }
    try StandardStreams.put(Data(vocabulary.wholeCharacters(drawn) + [UInt8(ascii: "\n")]))
    from.tell(path)
    unknown.tell(of: "the prompt")
  }

  /// Continues series of frames.
  private func goOn(_ loaded: Checkpoint) throws {
    let continuation = try SeriesContinuation(loaded, precision: format.precision)
    guard prompt.isEmpty else {
      throw UsageError("\(from.checkpoint) reads frames: give --prime FILE instead of --prompt")
    }
    guard drawing.choosesAll else {
      throw UsageError("\(from.checkpoint) samples no symbols: remove --top-k and --top-p")
    }
    let text = try continuation.text(
      after: prime, given: try ToldConditions(loaded, words: condition).one(), length: length,
      temperature: drawing.temperature, seed: seed)
    try StandardStreams.put(Data(text.utf8))
  }
}
