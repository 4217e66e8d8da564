internal import Sequences
internal import Glibc
public import LinearAlgebra

/// The options for sampling the next symbol from the distribution of a model.
public struct Sampling: Sendable {
  /// The divisor of the logits; 0 takes the likeliest symbol.
  public var temperature: Double
  /// Sampling from the k likeliest symbols only; nil for all.
  public var topK: Int?
  /// Sampling from the likeliest symbols that together have at least this probability (Holtzman
  /// 2019); 1 for all.
  public var topP: Double
  /// Symbols that are never sampled, such as `<unk>`.
  public var excluded: Set<Int32>

  public init(
    temperature: Double = 1, topK: Int? = nil, topP: Double = 1, excluded: Set<Int32> = []
  ) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.excluded = excluded
  }

  /// Returns the symbols that can be sampled with their probabilities, likeliest first (ties by
  /// symbol).
  ///
  /// Only as many of the likeliest symbols as needed are found and sorted.
  package func distribution(_ logits: Row) -> [(symbol: Int32, probability: Double)] {
    let likeliest = LikeliestSymbols(logits, excluded: excluded)
    var count = temperature == 0 ? 1 : Swift.max(topK ?? likeliest.count, 1)
    count = Swift.min(count, likeliest.count)
    guard count > 0, let best = likeliest.maximum else { return [] }
    // Subtracting the best logit first keeps the quotient from being NaN at any temperature.
    func weight(_ logit: Double) -> Double {
      logit == best ? 1 : Glibc.exp((logit - best) / temperature)
    }
    var total: Double?
    if count == likeliest.count { total = likeliest.logits.reduce(0) { $0 + weight($1) } }
    // A few symbols usually have most of the probability, but k symbols may have as little as k /
    // total.
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

  /// Samples a symbol with a uniform number in [0, 1); overwrites the logits.
  ///
  /// If every symbol can be sampled, their order does not matter and nothing is sorted.
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
    // Summed in double precision; otherwise rounding errors would change the last symbols'
    // probabilities.
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

/// l = (l − max l) / T; the best logit stays 0 even if 1/T is infinite.
@inline(never) private func cool(_ l: Row, _ best: Real, _ inverse: Real) {
  for j in 0..<l.count { l[j] = l[j] == best ? 0 : (l[j] - best) * inverse }
}

/// Samples symbols from a language model one at a time, with carried state (ancestral sampling).
public final class Generator {
  private let model: SequenceModel
  private let weights: ParameterVector
  private let tape: Tape
  private let batch: Batch
  private let random: Philox
  private var drawn: UInt64 = 0
  /// The pass of the step that was read last; nil before the first.
  private var pass: Pass?
  /// The sampling of the number of symbols, for models with length prediction.
  private var lengths = Sampling()
  /// The profile that records the time of forward passes and sampling.
  package var profile: Profile? {
    get { tape.profile }
    set { tape.profile = newValue }
  }

  /// - Parameter seed: The same seed, prompt and options give the same text.
  public init(_ model: SequenceModel, weights: ParameterVector, seed: UInt64) {
    precondition(
      model.interface.encoded == nil, "sampling from a model with an encoder: use SequenceDecoder")
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

  /// Clears the state: a new sequence begins.
  /// - Parameters:
  ///   - condition: The numbers of the sequence's condition, for a conditioned model.
  ///   - classes: The classes of the sequence's condition, for a conditioned model.
  ///   - least: The fewest symbols that the sequence may have, for models with length prediction:
  ///     the length of a prompt.
  ///   - temperature: The temperature for sampling the length; 0 takes the likeliest length.
  public func restart(
    condition: [Real] = [], classes: [Int32] = [], atLeast least: Int = 0,
    temperature: Double = 1
  ) {
    precondition(
      least <= model.predictedLength?.longest ?? .max,
      "at least \(least) symbols, more than the model can predict")
    lengths = Sampling(temperature: temperature, excluded: Set((0..<least).map { Int32($0) }))
    batch.know(condition, classes: classes, of: 0, model.interface)
    tape.clearCarried()
    batch.position = 0
    pass = nil
  }

  /// Reads one symbol: the next one of a prompt, or the last sampled one.
  public func read(_ symbol: Int32) {
    if pass != nil {
      tape.carryStates()
      tape.states.note(target: symbol, of: 0)
      batch.position += 1
    }
    batch.inputs.start[0] = symbol
    let pass = tape.begin(batch, weights: weights)
    if self.pass == nil { expectLength(pass) }
    model.read(pass)
    self.pass = pass
  }

  /// Samples the number of symbols, for models with length prediction.
  private func expectLength(_ pass: Pass) {
    guard let length = model.predictedLength else { return }
    model.encode(pass)
    length.draw(lengths, random, &drawn, pass)
  }

  /// The logits of the next symbol, valid until the next call; nil before the first symbol was
  /// read.
  package var logits: Row? {
    pass.map { model.outputs(at: 0, $0)[0] }
  }

  /// Samples the next symbol and reads it.
  /// - Returns: The symbol; nil if `sampling` excludes every symbol.
  public func next(_ sampling: Sampling = Sampling()) -> Int32? {
    guard let pass else { preconditionFailure("sampling before anything was read") }
    let logits = model.outputs(at: 0, pass)
    profile?.mark(.output)
    defer { drawn += 1 }
    guard let symbol = sampling.draw(logits[0], random.fineUniform(drawn)) else { return nil }
    profile?.mark(.sampling)
    read(symbol)
    return symbol
  }
}
