public import Checkpointing
internal import Collectives
public import Datasets
public import LinearAlgebra
public import Recurrence

/// Continues texts with a language model of a checkpoint, several at once.
///
/// Every text is a function of the checkpoint, the seed, its number and its prompt; the texts that
/// are sampled beside it change the rounding of products alone.
public final class TextGenerator {
  /// The end of a text.
  public enum End: String, Sendable {
    /// It has as many symbols as were asked for.
    case length
    /// The model has ended the sequence.
    case end
    /// It holds a string at which it was to stop.
    case stop
    /// Every symbol that could follow is excluded.
    case excluded
  }

  /// A text that continues a prompt.
  public struct Continuation: Sendable {
    /// The symbols that were sampled.
    public internal(set) var symbols: [Int32] = []
    /// ln p of each of them under the model, in nats; empty unless asked for.
    public internal(set) var logProbabilities: [Double] = []
    public internal(set) var end = End.length
  }

  /// The settings of sampling.
  public struct Settings: Sendable {
    public var sampling: Sampling
    /// The most symbols of a continuation.
    public var length: Int
    /// Strings that end a text, which is cut before them.
    public var stop: [String]
    /// True to compute the log-probabilities of symbols.
    public var withLikelihood: Bool

    public init(
      sampling: Sampling = Sampling(), length: Int, stop: [String] = [],
      withLikelihood: Bool = false
    ) {
      self.sampling = sampling
      self.length = length
      self.stop = stop
      self.withLikelihood = withLikelihood
    }
  }

  public let vocabulary: Vocabulary
  /// The most outputs of a sequence, for models with length prediction.
  public var longestPredicted: Int? { model.longestPredicted }
  private let model: SequenceModel
  private let weights: ParameterVector
  private let seed: UInt64
  private let known: DecoderInput
  private var generator: Generator?
  /// True if the conversation has begun.
  private var hasOpened = false

  /// - Parameters:
  ///   - checkpoint: The checkpoint of a language model without an encoder.
  ///   - precision: The number format of the products; nil for that of the run.
  ///   - seed: The same seed, prompt and settings give the same text.
  ///   - words: The condition of the texts, for a conditioned model: names of classes, then
  ///     numbers.
  /// - Throws: `FileError` and `DataError` where the checkpoint cannot be read or the condition is
  ///   not one of its model's, which must have no encoder.
  public convenience init(
    _ checkpoint: Checkpoint, precision: Precision? = nil, seed: UInt64 = 1,
    condition words: [String] = []
  ) throws {
    let (model, weights, vocabulary) = try checkpoint.model(precision: precision)
    self.init(
      model, weights: weights, vocabulary, seed: seed,
      given: try ToldConditions(checkpoint, words: words).one())
  }

  /// Makes a generator for a language model without an encoder.
  /// - Parameter known: The condition of the texts, for a conditioned model.
  package init(
    _ model: SequenceModel, weights: ParameterVector, _ vocabulary: Vocabulary, seed: UInt64,
    given known: DecoderInput = DecoderInput()
  ) {
    self.model = model
    self.weights = weights
    self.vocabulary = vocabulary
    self.seed = seed
    self.known = known
  }

  /// The symbols before every prompt. A text begins at the start of a line, because training hardly
  /// ever sees the zero state alone.
  private var opening: [Int32] {
    model.interface.isRunning
      ? vocabulary.encode("\n").filter { $0 != vocabulary.unknown }
      : [vocabulary.begin].compactMap(\.self)
  }

  /// The symbols that are never sampled.
  private var excluded: Set<Int32> {
    Set(
      [vocabulary.unknown, model.interface.isRunning ? nil : vocabulary.begin]
        .compactMap(\.self))
  }

  /// The symbol that ends a sequence; nil for a model of running texts.
  private var end: Int32? { model.interface.isRunning ? nil : vocabulary.end }

  /// Samples continuations of prompts, which are read by windows.
  /// - Parameters:
  ///   - prompts: The symbols that each text begins with.
  ///   - first: The number of the first text, of which its random numbers are a function.
  ///   - streams: The number of texts that are sampled at once.
  ///   - settings: The options of sampling, the greatest length and the strings that end a text.
  ///   - goesOn: Called before each symbol; texts end where it returns false.
  ///   - finished: Called with the number and the continuation of each text, in order.
  public func continuations(
    of prompts: [[Int32]], from first: Int = 0, streams: Int = 16, _ settings: Settings,
    while goesOn: () -> Bool = { true }, _ finished: (Int, Continuation) throws -> Void
  ) rethrows {
    // The fewest symbols of a predicted length are those of the prompt.
    let streams = model.longestPredicted == nil ? streams : 1
    for start in stride(from: 0, to: prompts.count, by: streams) {
      let group = Array(prompts[start..<min(start + streams, prompts.count)])
      let texts = sample(group, from: first + start, settings, while: goesOn)
      for (i, text) in texts.enumerated() { try finished(first + start + i, text) }
    }
  }

  private func sample(
    _ prompts: [[Int32]], from first: Int, _ settings: Settings, while goesOn: () -> Bool
  ) -> [Continuation] {
    let generator = generator(streams: prompts.count)
    generator.restart(
      text: first, condition: known.condition, classes: known.classes,
      atLeast: model.longestPredicted == nil ? 0 : prompts[0].count,
      temperature: settings.sampling.temperature)
    let texts = prompts.map { opening + $0 }
    if texts.allSatisfy({ $0 == texts[0] }) {
      generator.read(texts[0].isEmpty ? [0] : texts[0])
    } else {
      for (s, text) in texts.enumerated() { generator.read(text.isEmpty ? [0] : text, in: s) }
    }
    return goOn(generator, settings, while: goesOn) { _, _ in }
  }

  private func generator(streams: Int) -> Generator {
    if let generator, generator.streams == streams { return generator }
    let new = Generator(model, weights: weights, seed: seed, streams: streams)
    generator = new
    return new
  }

  /// Samples until every stream's text has ended.
  private func goOn(
    _ generator: Generator, _ settings: Settings, while goesOn: () -> Bool = { true },
    _ sampled: (Int, Continuation) throws -> Void
  ) rethrows -> [Continuation] {
    var texts = [Continuation](repeating: Continuation(), count: generator.streams)
    var isOver = texts.map { _ in settings.length == 0 }
    let stops = StopStrings(settings.stop, vocabulary)
    var sampling = settings.sampling
    sampling.excluded.formUnion(excluded)
    while isOver.contains(false), goesOn() {
      RankActivity.current.advance()
      let drawn = generator.nextOfEach(
        sampling, isEnded: { isOver[$0] }, withLikelihood: settings.withLikelihood)
      for (s, symbol) in drawn.enumerated() where !isOver[s] {
        guard let symbol else {
          (texts[s].end, isOver[s]) = (.excluded, true)
          continue
        }
        if symbol.symbol == end {
          (texts[s].end, isOver[s]) = (.end, true)
          continue
        }
        texts[s].symbols.append(symbol.symbol)
        if settings.withLikelihood { texts[s].logProbabilities.append(symbol.logProbability) }
        if stops.end(texts[s].symbols) {
          (texts[s].end, isOver[s]) = (.stop, true)
        } else if texts[s].symbols.count >= settings.length {
          isOver[s] = true
        }
        try sampled(s, texts[s])
      }
    }
    return texts
  }

  /// Returns the number of last bytes of a text that may be the beginning of a stop string.
  public func unsettled(_ bytes: [UInt8], stop: [String]) -> Int {
    stop.map { string in
      let wanted = Array(string.utf8)
      return (1..<max(wanted.count, 1)).last { bytes.suffix($0).elementsEqual(wanted.prefix($0)) }
        ?? 0
    }.max() ?? 0
  }

  /// Returns the text of a prompt and its continuation as bytes, whole characters only, cut before
  /// the first stop string of the continuation.
  public func bytes(
    _ prompt: [Int32], _ text: Continuation, stop: [String]
  ) -> [UInt8] {
    let whole = vocabulary.wholeCharacters(prompt + text.symbols)
    guard text.end == .stop else { return whole }
    let told = vocabulary.wholeCharacters(prompt).count
    return StopStrings.cut(whole, after: min(told, whole.count), at: stop)
  }
}

extension TextGenerator {
  /// Begins a conversation: one text that prompts and continuations write by turns.
  public func open() {
    let generator = generator(streams: 1)
    generator.restart(
      text: 0, condition: known.condition, classes: known.classes)
    hasOpened = false
  }

  /// Reads a text in the conversation and goes on with it.
  /// - Parameters:
  ///   - prompt: The symbols to read before the answer.
  ///   - settings: The options of sampling, the greatest length and the strings that end the
  ///     answer.
  ///   - sampled: Called after every symbol with the continuation so far.
  public func answer(
    _ prompt: [Int32], _ settings: Settings, _ sampled: (Continuation) throws -> Void
  ) rethrows -> Continuation {
    let generator = generator(streams: 1)
    var text = hasOpened ? prompt : opening + prompt
    if text.isEmpty && !hasOpened { text = [0] }
    hasOpened = true
    generator.read(text)
    return try goOn(generator, settings) { try sampled($1) }[0]
  }
}

/// Strings at which texts stop.
private struct StopStrings {
  private let strings: [[UInt8]]
  private let vocabulary: Vocabulary
  /// The count of last symbols in which a string is looked for. A symbol has at least a byte, but
  /// for marks, of which a few are allowed for.
  private let tail: Int

  init(_ strings: [String], _ vocabulary: Vocabulary) {
    self.strings = strings.map { Array($0.utf8) }
    self.vocabulary = vocabulary
    tail = (self.strings.map(\.count).max() ?? 0) + 8
  }

  /// Returns true if a text has a stop string near its end.
  func end(_ symbols: [Int32]) -> Bool {
    guard !strings.isEmpty else { return false }
    let bytes = vocabulary.decodedBytes(symbols.suffix(tail))
    return strings.contains { Self.place(of: $0, in: bytes, from: 0) != nil }
  }

  /// Returns the bytes before the first of the strings that begins at or after an index.
  static func cut(_ bytes: [UInt8], after start: Int, at strings: [String]) -> [UInt8] {
    let places = strings.compactMap { place(of: Array($0.utf8), in: bytes, from: start) }
    return places.min().map { Array(bytes[..<$0]) } ?? bytes
  }

  private static func place(of string: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
    guard !string.isEmpty, bytes.count >= start + string.count else { return nil }
    return (start...bytes.count - string.count).first { bytes[$0...].starts(with: string) }
  }
}
