internal import LinearAlgebra

/// The function that a minimal cell applies to its candidate's preactivation v (Feng 2024).
///
/// - `linear`: v itself.
/// - `positive`: g(v) = v + ½ where v ≥ 0, and σ(v) elsewhere, which keeps the state positive.
public enum MinimalCandidate: String, Codable, CaseIterable, Sendable {
  case linear, positive

  /// Replaces v with the candidate.
  func respond(_ v: Row) {
    if self == .positive { makePositive(v) }
  }

  /// Returns g′(v), given the value g(v): 1 for values of at least ½, otherwise the derivative of
  /// σ.
  @inline(__always) static func positiveSlope(_ value: Real) -> Real {
    value >= 0.5 ? 1 : value * (1 - value)
  }
}

/// The options of the cells without recurrent weights, `min-gru` and `min-lstm` (Feng 2024).
public struct MinimalOptions: CellOptions {
  public var hidden: Int
  /// h̃
  public var candidate: MinimalCandidate

  public init(hidden: Int, candidate: MinimalCandidate = .linear) {
    self.hidden = hidden
    self.candidate = candidate
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    hidden = try keys.hiddenUnits(.hidden)
    candidate = try keys.decodeIfPresent(MinimalCandidate.self, forKey: .candidate) ?? .linear
  }
}

/// v = g(v)
@inline(never) private func makePositive(_ v: Row) {
  for j in 0..<v.count {
    let low = sigmoid(v[j])
    v[j] = v[j] >= 0 ? v[j] + 0.5 : low
  }
}
