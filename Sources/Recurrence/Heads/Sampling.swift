internal import Glibc
package import LinearAlgebra

/// The options for sampling the next symbol from the distribution of a model.
public struct Sampling: Sendable {
  /// The divisor of the logits; 0 takes the likeliest symbol.
  public var temperature: Double
  /// Sampling from the k likeliest symbols only; nil for all.
  public var topK: Int?
  /// Sampling from the likeliest symbols that together have at least this probability (Holtzman
  /// 2019); 1 for all.
  public var topP: Double
  /// Sampling from the symbols that have at least this share of the likeliest symbol's
  /// probability (Nguyen 2024); 0 for all.
  public var minP: Double
  /// The factor θ that makes the symbols of the text so far less likely: l / θ for a positive
  /// logit, l · θ for a negative one (Keskar 2019); 1 for none. A generator applies it.
  public var repetitionPenalty: Double
  /// Symbols that are never sampled, such as `<unk>`.
  public var excluded: Set<Int32>

  public init(
    temperature: Double = 1, topK: Int? = nil, topP: Double = 1, minP: Double = 0,
    repetitionPenalty: Double = 1, excluded: Set<Int32> = []
  ) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
    self.repetitionPenalty = repetitionPenalty
    self.excluded = excluded
  }

  /// True if every symbol that is not excluded can be sampled.
  private var drawsAll: Bool { temperature > 0 && topK == nil && topP >= 1 && minP <= 0 }

  /// The number of likeliest symbols that decide a sample; nil for all.
  var likeliest: Int? {
    temperature == 0 ? 1 + excluded.count : topK.map { max($0, 1) + excluded.count }
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
    // A large part of them is found by sorting all, which is then done once.
    func atMost(_ found: Int) -> Int { LikeliestSymbols.sorts(found, of: count) ? count : found }
    var found = count
    if topP < 1, let total {
      found = atMost(64)
      while found < count, Double(found) < topP * total { found = atMost(8 * found) }
    }
    while true {
      let candidates = likeliest.first(found)
      let whole = total ?? candidates.reduce(0) { $0 + weight($1.logit) }
      var kept: [(Int32, Double)] = []
      var sum = 0.0
      var isWhole = found == count
      for (symbol, logit) in candidates {
        let weight = weight(logit)
        // The likeliest symbol has the weight 1, and the others follow in order.
        if weight >= minP {
          kept.append((symbol, weight / whole))
          sum += weight / whole
        }
        isWhole = isWhole || weight < minP || sum >= topP
        if weight < minP || sum >= topP { break }
      }
      if isWhole { return kept.map { ($0.0, $0.1 / sum) } }
      found = atMost(8 * found)
    }
  }

  /// Samples a symbol with a uniform number in [0, 1); overwrites the logits.
  ///
  /// If every symbol can be sampled, their order does not matter and nothing is sorted.
  package func draw(_ logits: Row, _ uniform: Double) -> Int32? {
    if drawsAll { return drawFromAll(logits, uniform) }
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
