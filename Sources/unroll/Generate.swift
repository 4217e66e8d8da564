internal import ArgumentParser
internal import Datasets
internal import Foundation
internal import Recurrence
internal import Training

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Draws text from a model symbol by symbol, or goes on with series of frames.",
    discussion: """
      A model that predicts the frames that it reads goes on with each series of --prime, in the format \
      of the run's data: numbers as they are predicted, the keys of a piano drawn one by one.
      """)

  @OptionGroup var from: CheckpointArgument

  @Option(help: "Text to go on from; it is read as the start of a line.")
  var prompt = ""

  @Option(
    help:
      "A file of series to go on from, for a model of frames; from a frame of zeros unless given.",
    completion: .file())
  var prime: String?

  @Option(help: "The number of symbols or frames to draw.")
  var length = 500

  @OptionGroup var drawing: SamplingOptions

  @Option(help: "The same seed, prompt and options give the same text.")
  var seed: UInt64 = 1

  @Option(
    parsing: .upToNextOption,
    help: """
      What is known of the whole sequence, for a model that asks for it: names of classes, then \
      numbers; a negative one as --condition=-0.5.
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
      throw UsageError("\(from.checkpoint) reads symbols: give --prompt TEXT in place of --prime")
    }
    let (model, weights, vocabulary) = try loaded.model(precision: format.precision)
    guard model.interface.encoded == nil else {
      throw UsageError("\(from.checkpoint) makes something of a source: use unroll decode")
    }
    let known = try ToldConditions(loaded, words: condition).one()
    let generator = Generator(model, weights: weights, seed: seed)
    let start = vocabulary.encode(prompt)
    var unknown = UnknownSymbols()
    unknown.add(start, vocabulary)
    guard unknown.count == 0 || !unknown.isAll else {
      throw UsageError(
        "the model knows no symbol of the prompt \"\(prompt)\": give a --prompt of symbols that its "
          + "training text has")
    }
    if let longest = model.longestPredicted, start.count > longest {
      throw UsageError(
        "the prompt has \(start.count) symbols, and \(from.checkpoint) predicts at most \(longest): give a "
          + "shorter one")
    }
    generator.restart(
      condition: known.condition, classes: known.classes,
      atLeast: model.longestPredicted == nil ? 0 : start.count, temperature: drawing.temperature)
    // A text begins where a line does: a state of zero alone is a place that training hardly knows.
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
    try StandardStreams.put(Data(vocabulary.decodedBytes(drawn) + [UInt8(ascii: "\n")]))
    from.tell(path)
    unknown.tell(of: "the prompt")
  }

  /// Goes on with series of frames.
  private func goOn(_ loaded: Checkpoint) throws {
    let continuation = try SeriesContinuation(loaded, precision: format.precision)
    guard prompt.isEmpty else {
      throw UsageError("\(from.checkpoint) reads frames: give --prime FILE in place of --prompt")
    }
    guard drawing.choosesAll else {
      throw UsageError("\(from.checkpoint) draws no symbols: remove --top-k and --top-p")
    }
    let text = try continuation.text(
      after: prime, given: try ToldConditions(loaded, words: condition).one(), length: length,
      temperature: drawing.temperature, seed: seed)
    try StandardStreams.put(Data(text.utf8))
  }
}
