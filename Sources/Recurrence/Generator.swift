internal import Glibc
public import LinearAlgebra

/// How the next symbol is drawn from the distribution of a model.
public struct Sampling: Sendable {
  /// Logits are divided by it; 0 takes the likeliest symbol.
  public var temperature: Double
  /// Only the k likeliest symbols; nil for all.
  public var topK: Int?
  /// Only the likeliest symbols that together have at least this probability (Holtzman 2019); 1 for all.
  public var topP: Double
  /// Symbols that are never drawn, such as `<unk>`.
  public var excluded: Set<Int32>

  public init(
    temperature: Double = 1, topK: Int? = nil, topP: Double = 1, excluded: Set<Int32> = []
  ) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.excluded = excluded
  }

  /// The symbols that may be drawn with their probabilities, likeliest first (ties by symbol).
  ///
  /// As many of the likeliest are looked for as may be drawn, and no others are put in order.
  package func distribution(_ logits: Row) -> [(symbol: Int32, probability: Double)] {
    let likeliest = LikeliestSymbols(logits, excluded: excluded)
    var count = temperature == 0 ? 1 : Swift.max(topK ?? likeliest.count, 1)
    count = Swift.min(count, likeliest.count)
    guard count > 0, let best = likeliest.maximum else { return [] }
    // The best first, so that no quotient is NaN however low the temperature.
    func weight(_ logit: Double) -> Double {
      logit == best ? 1 : Glibc.exp((logit - best) / temperature)
    }
    var total: Double?
    if count == likeliest.count { total = likeliest.logits.reduce(0) { $0 + weight($1) } }
    // Few symbols have most of the probability, mostly; but k of them have at most k / total.
    var found = count
    if topP < 1, let total {
      found = Swift.min(64, count)
      while found < count, Double(found) < topP * total { found = Swift.min(8 * found, count) }
    }
    while true {
      let candidates = likeliest.first(found)
      let whole = total ?? candidates.reduce(0) { $0 + weight($1.logit) }
      var kept: [(Int32, Double)] = []
      var sum = 0.0
      for (symbol, logit) in candidates {
        let probability = weight(logit) / whole
        kept.append((symbol, probability))
        sum += probability
        if sum >= topP { break }
      }
      if sum >= topP || found == count { return kept.map { ($0.0, $0.1 / sum) } }
      found = Swift.min(8 * found, count)
    }
  }

  /// Draws a symbol with a uniform number in [0, 1); the logits are overwritten.
  ///
  /// Where every symbol may be drawn, their order does not matter, and none of them is sorted.
  package func draw(_ logits: Row, _ uniform: Double) -> Int32? {
    if temperature > 0 && topK == nil && topP >= 1 { return drawFromAll(logits, uniform) }
    let candidates = distribution(logits)
    var remaining = uniform
    for candidate in candidates {
      remaining -= candidate.probability
      if remaining < 0 { return candidate.symbol }
    }
    return candidates.last?.symbol
  }

  private func drawFromAll(_ logits: Row, _ uniform: Double) -> Int32? {
    for symbol in excluded where Int(symbol) < logits.count { logits[Int(symbol)] = -.infinity }
    let best = logits.maximum
    guard best > -.infinity else { return nil }
    cool(logits, best, Real(1 / temperature))
    _ = logits.exponentiate(minus: 0)
    // In double precision, or the last symbols would get what is lost of the sum.
    var total = 0.0
    for j in 0..<logits.count { total += Double(logits[j]) }
    var remaining = uniform * total
    var last: Int32?
    for j in 0..<logits.count where logits[j] > 0 {
      remaining -= Double(logits[j])
      last = Int32(j)
      if remaining < 0 { break }
    }
    return last
  }
}

/// l = (l − max l) / T; the best stays 0 where 1/T is infinite.
@inline(never) private func cool(_ l: Row, _ best: Real, _ inverse: Real) {
  for j in 0..<l.count { l[j] = l[j] == best ? 0 : (l[j] - best) * inverse }
}

/// Draws symbols from a language model one at a time: ancestral sampling with carried state.
public final class Generator {
  private let model: SequenceModel
  private let weights: ParameterVector
  private let tape: Tape
  private let batch: Batch
  private let random: Philox
  private var drawn: UInt64 = 0
  private var hasRead = false
  /// How the number of symbols is drawn, where the model predicts it.
  private var lengths = Sampling()
  /// Where the time of reading and drawing is reported.
  package var profile: Profile? {
    get { tape.profile }
    set { tape.profile = newValue }
  }

  /// - Parameter seed: the same seed, prompt and options give the same text.
  public init(_ model: SequenceModel, weights: ParameterVector, seed: UInt64) {
    precondition(
      model.interface.encoded == nil, "drawing from a model of sources: use SequenceDecoder")
    self.model = model
    self.weights = weights
    batch = Batch(
      rows: 1,
      widths: Batch.Widths(
        condition: model.interface.condition, classes: model.interface.classes.count))
    tape = Tape(model.plan, steps: 1, streams: 1, derivatives: false)
    random = Philox(seed: seed, name: "generate")
    batch.begin(steps: 1, streams: 1)
    batch.targets.start[0] = Batch.noTarget
  }

  /// Forgets what was read: a new sequence begins.
  /// - Parameters:
  ///   - condition: the numbers that are known of the whole of it, for a model that asks for them.
  ///   - classes: the classes of it, likewise.
  ///   - least: the fewest symbols that it may have, where the model predicts how many: those of a start.
  ///   - temperature: of that draw; 0 takes the likeliest number.
  public func restart(
    condition: [Real] = [], classes: [Int32] = [], atLeast least: Int = 0,
    temperature: Double = 1
  ) {
    precondition(
      least <= model.predictedLength?.longest ?? .max, "\(least) symbols, more than are predicted")
    lengths = Sampling(temperature: temperature, excluded: Set((0..<least).map { Int32($0) }))
    batch.know(condition, classes: classes, of: 0, model.interface)
    tape.clearCarried()
    batch.position = 0
    hasRead = false
  }

  /// Reads one symbol: a prompt's, or the one drawn last.
  public func read(_ symbol: Int32) {
    if hasRead {
      tape.carryStates()
      tape.note(target: symbol)
      batch.position += 1
    }
    batch.inputs.start[0] = symbol
    tape.begin(steps: 1, streams: 1)
    if !hasRead { expectLength() }
    model.read(Pass(batch, on: tape, weights: weights))
    hasRead = true
  }

  /// Draws the number of symbols, where the model predicts it.
  private func expectLength() {
    guard let length = model.predictedLength else { return }
    let pass = Pass(batch, on: tape, weights: weights)
    model.encode(pass)
    length.draw(lengths, random, &drawn, pass)
  }

  /// The logits of the symbol that follows what was read, until the next call; nil before that.
  package var logits: Row? {
    hasRead ? model.outputs(at: 0, Pass(batch, on: tape, weights: weights))[0] : nil
  }

  /// Draws the symbol that follows what was read, and reads it.
  /// - Returns: nil where `sampling` excludes every symbol.
  public func next(_ sampling: Sampling = Sampling()) -> Int32? {
    precondition(hasRead, "drawing before anything was read")
    let logits = model.outputs(at: 0, Pass(batch, on: tape, weights: weights))
    profile?.mark(.output)
    defer { drawn += 1 }
    guard let symbol = sampling.draw(logits[0], random.fineUniform(drawn)) else { return nil }
    profile?.mark(.sampling)
    read(symbol)
    return symbol
  }
}
