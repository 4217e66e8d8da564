internal import Glibc
public import LinearAlgebra
internal import Sequences

/// Samples symbols from a language model one at a time, with carried state (ancestral sampling), in
/// one stream or in several at once.
///
/// A stream needs the memory of its state, however long its text is. The random numbers of a text
/// are a function of the seed and of the text's number, so that they do not depend on the texts
/// beside it.
public final class Generator {
  /// The most steps of a prompt that are read in one window.
  package static let window = 64

  private let model: SequenceModel
  private let weights: ParameterVector
  public let streams: Int
  private let tape: Tape
  /// One step of all streams.
  private let batch: Batch
  /// A window of one stream: a part of a prompt.
  private let reading: Batch
  private let seed: UInt64
  private var random: [Philox] = []
  /// The count of random numbers that each text has used.
  private var drawn: [UInt64] = []
  /// The count of symbols that each stream has read.
  private var positions: [Int] = []
  /// The symbols that each stream has read, for the penalty of repetitions.
  private var seen: [SeenSymbols] = []
  /// The length of each text, for models with length prediction.
  private var totals: [Int32] = []
  /// The sampling of the number of symbols, for models with length prediction.
  private var lengths = Sampling()
  /// The states of all streams.
  private let states: StateStore
  /// The states of the one stream that reads a prompt.
  private lazy var readingStates = tape.makeStates()
  /// The last step of all streams, if they have read it together.
  private var pass: Pass?
  /// The outputs of the last step of each stream, streams × symbols, once one has read a prompt.
  private lazy var kept = Buffer<Real>(count: streams * model.interface.output.width)
  private var copied: Matrix {
    Matrix(kept, rows: streams, columns: model.interface.output.width)
  }
  /// The profile that records the time of forward passes and sampling.
  package var profile: Profile? {
    get { tape.profile }
    set { tape.profile = newValue }
  }

  /// Returns the bytes that a generator of one text needs.
  package static func bytes(_ plan: Plan) -> Double {
    Tape.bytes(plan, fitting: [WindowSize(steps: window, streams: 1)], derivatives: false)
  }

  /// - Parameters:
  ///   - model: The language model, which must have no encoder.
  ///   - weights: The weights of the model.
  ///   - seed: The same seed, prompt and options give the same text.
  ///   - streams: The number of texts that are sampled at once.
  public init(
    _ model: SequenceModel, weights: ParameterVector, seed: UInt64, streams: Int = 1
  ) {
    precondition(
      model.interface.encoded == nil, "sampling from a model with an encoder: use SequenceDecoder")
    precondition(streams > 0, "sampling in \(streams) streams")
    self.model = model
    self.weights = weights
    self.seed = seed
    self.streams = streams
    let widths = Batch.Widths(
      condition: model.interface.condition, classes: model.interface.classes.count)
    batch = Batch(rows: streams, widths: widths)
    reading = Batch(rows: Self.window, streams: 1, widths: widths)
    tape = Tape(
      model.plan,
      fitting: [
        WindowSize(steps: 1, streams: streams), WindowSize(steps: Self.window, streams: 1),
      ], derivatives: false)
    states = tape.states
    batch.begin(steps: 1, streams: streams)
    // A condition is that of a stream, so there must be one before a text is read.
    reading.begin(steps: Self.window, streams: 1)
    batch.targets.elements().update(repeating: Batch.noTarget)
    begin(text: 0)
  }

  /// Clears the states: new texts begin.
  /// - Parameters:
  ///   - text: The number of the first stream's text; the other streams' follow. nil to go on with
  ///     the random numbers of the texts before.
  ///   - condition: The numbers of the sequences' condition, for a conditioned model.
  ///   - classes: The classes of the sequences' condition, for a conditioned model.
  ///   - least: The fewest symbols that a sequence may have, for models with length prediction:
  ///     the length of a prompt.
  ///   - temperature: The temperature for sampling the length; 0 takes the likeliest length.
  public func restart(
    text: Int? = nil, condition: [Real] = [], classes: [Int32] = [], atLeast least: Int = 0,
    temperature: Double = 1
  ) {
    precondition(
      least <= model.predictedLength?.longest ?? .max,
      "at least \(least) symbols, more than the model can predict")
    lengths = Sampling(temperature: temperature, excluded: Set((0..<least).map { Int32($0) }))
    for s in 0..<streams { batch.know(condition, classes: classes, of: s, model.interface) }
    reading.know(condition, classes: classes, of: 0, model.interface)
    states.clear()
    begin(text: text)
  }

  private func begin(text: Int?) {
    if let text {
      drawn = Array(repeating: 0, count: streams)
      random = (text..<text + streams).map {
        Philox(seed: seed, name: $0 == 0 ? "generate" : "generate \($0)")
      }
    }
    positions = Array(repeating: 0, count: streams)
    totals = Array(repeating: 0, count: streams)
    seen = Array(repeating: SeenSymbols(), count: streams)
    pass = nil
  }

  /// Reads one symbol in every stream: the next one of a prompt, or the last sampled one.
  public func read(_ symbol: Int32) {
    readStep { _ in symbol }
  }

  /// Reads a text in every stream, in windows of up to 64 steps.
  ///
  /// The result is that of reading its symbols one by one, up to the rounding of products.
  public func read(_ text: [Int32]) {
    guard text.count > 1 else {
      if let symbol = text.first { read(symbol) }
      return
    }
    if streams > 1, positions.allSatisfy({ $0 == 0 }), model.predictedLength == nil {
      // All streams are in the same state, so that one reads for all.
      read(text, in: 0)
      for s in 1..<streams {
        states.copyStream(0, of: streams, in: states, to: s, of: streams)
        copied[s].copy(copied[0])
        positions[s] = positions[0]
        seen[s] = seen[0]
      }
    } else {
      for s in 0..<streams { read(text, in: s) }
    }
  }

  /// Reads a text in one stream, in windows of up to 64 steps.
  public func read(_ text: [Int32], in s: Int) {
    guard !text.isEmpty else { return }
    keepOutputs()
    if streams > 1 {
      readingStates.copyStream(s, of: streams, in: states, to: 0, of: 1)
      tape.use(readingStates)
    }
    for start in stride(from: 0, to: text.count, by: Self.window) {
      let end = min(start + Self.window, text.count)
      let next = end < text.count ? text[end] : Batch.noTarget
      readWindow(text[start..<end], followedBy: next, in: s)
    }
    if streams > 1 {
      states.copyStream(0, of: 1, in: readingStates, to: s, of: streams)
      tape.use(states)
    }
    for symbol in text { seen[s].insert(symbol) }
  }

  /// Keeps the outputs of the last step of all streams where another pass takes the place of theirs.
  private func keepOutputs() {
    guard let pass else { return }
    copied.copy(model.outputs(at: 0, pass))
    self.pass = nil
  }

  private func readWindow(_ text: ArraySlice<Int32>, followedBy next: Int32, in s: Int) {
    if positions[s] > 0 { tape.states.note(target: text.first!, of: 0) }
    reading.begin(steps: text.count, streams: 1)
    for (t, symbol) in text.enumerated() {
      reading.inputs.start[t] = symbol
      reading.targets.start[t] = t + 1 < text.count ? text[text.startIndex + t + 1] : next
    }
    reading.position = positions[s]
    reading.totals.start[0] = totals[s]
    let pass = tape.begin(reading, weights: weights)
    if positions[s] == 0 { drawLength(of: s, row: 0, pass) }
    model.read(pass)
    let outputs = model.outputs(at: text.count - 1, pass)
    copied[s].copy(outputs[0])
    tape.carryStates()
    positions[s] += text.count
  }

  /// Reads one symbol in each stream.
  private func readStep(_ symbol: (Int) -> Int32) {
    let position = positions.max()!
    for s in 0..<streams {
      if positions[s] > 0 { states.note(target: symbol(s), of: s) }
      batch.inputs.start[s] = symbol(s)
      seen[s].insert(symbol(s))
      // Streams count on from the longest one, so that what remains of each is right.
      batch.totals.start[s] = totals[s] + Int32(position - positions[s])
    }
    batch.position = position
    let pass = tape.begin(batch, weights: weights)
    for s in 0..<streams where positions[s] == 0 { drawLength(of: s, row: s, pass) }
    precondition(
      position == 0 || !positions.contains(0), "a stream that has read nothing beside others")
    model.read(pass)
    tape.carryStates()
    for s in 0..<streams { positions[s] += 1 }
    self.pass = pass
  }

  /// Samples the number of symbols of a text, for models with length prediction.
  private func drawLength(of s: Int, row: Int, _ pass: Pass) {
    guard let length = model.predictedLength else { return }
    model.encode(pass)
    totals[s] = length.draw(lengths, random[s].fineUniform(drawn[s]), row: row, pass)
    drawn[s] += 1
  }

  /// The logits of the first stream's next symbol, valid until the next call; nil before the first
  /// symbol was read.
  package var logits: Row? {
    positions[0] == 0 ? nil : pass.map { model.outputs(at: 0, $0)[0] } ?? copied[0]
  }

  /// Samples the next symbol of the first stream and reads it.
  /// - Returns: The symbol; nil if `sampling` excludes every symbol.
  public func next(_ sampling: Sampling = Sampling()) -> Int32? {
    precondition(streams == 1, "one symbol of \(streams) streams")
    return nextOfEach(sampling)[0]?.symbol
  }

  /// Samples the next symbol of every stream and reads it.
  /// - Parameters:
  ///   - sampling: The temperature, the excluded symbols and the other options of sampling.
  ///   - isEnded: True for a stream whose text has ended: it reads on, and its symbols mean
  ///     nothing.
  ///   - withLikelihood: True to compute the log-probabilities.
  /// - Returns: For each stream the symbol, with its log-probability under the model itself (at
  ///   temperature 1, no symbol excluded; NaN unless asked for); nil if `sampling` excludes every
  ///   symbol.
  public func nextOfEach(
    _ sampling: Sampling = Sampling(), isEnded: (Int) -> Bool = { _ in false },
    withLikelihood: Bool = false
  ) -> [DrawnSymbol?] {
    precondition(!positions.contains(0), "sampling before anything was read")
    let isFull = withLikelihood || sampling.repetitionPenalty != 1
    let logits =
      pass.map { model.outputs(at: 0, $0, likeliest: isFull ? nil : sampling.likeliest) } ?? copied
    profile?.mark(.output)
    var symbols = [DrawnSymbol?](repeating: nil, count: streams)
    for s in 0..<streams {
      defer { drawn[s] += 1 }
      guard !isEnded(s) else { continue }
      let row = logits[s]
      let before = withLikelihood ? row.elements.map { Double($0) } : []
      let normaliser = withLikelihood ? Double(model.normaliser(row)) : 0
      if sampling.repetitionPenalty != 1 { seen[s].penalise(row, by: sampling.repetitionPenalty) }
      guard let symbol = sampling.draw(row, random[s].fineUniform(drawn[s])) else { continue }
      let likelihood = withLikelihood ? before[Int(symbol)] - normaliser : .nan
      symbols[s] = DrawnSymbol(symbol: symbol, logProbability: likelihood)
    }
    profile?.mark(.sampling)
    // Nothing is read where nothing can be drawn.
    guard symbols.contains(where: { $0 != nil }) else { return symbols }
    readStep { symbols[$0]?.symbol ?? 0 }
    return symbols
  }
}

/// A sampled symbol.
public struct DrawnSymbol: Hashable, Sendable {
  public let symbol: Int32
  /// ln p of the symbol under the model, in nats.
  public let logProbability: Double
}

/// The distinct symbols that a stream has read.
private struct SeenSymbols {
  private var symbols: Set<Int32> = []

  mutating func insert(_ symbol: Int32) { symbols.insert(symbol) }

  /// Makes the symbols less likely: l / θ of a positive logit, l · θ of a negative one (Keskar 2019).
  func penalise(_ logits: Row, by factor: Double) {
    for symbol in symbols where Int(symbol) < logits.count {
      let logit = logits[Int(symbol)]
      logits[Int(symbol)] = logit > 0 ? logit / Real(factor) : logit * Real(factor)
    }
  }
}
