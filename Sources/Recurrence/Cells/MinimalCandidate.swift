internal import LinearAlgebra

/// What a minimal cell makes of its candidate's preactivation v (Feng 2024).
///
/// - `linear`: v itself.
/// - `positive`: g(v) = v + ½ where v ≥ 0, and σ(v) elsewhere, which keeps the state positive.
public enum MinimalCandidate: String, Codable, CaseIterable, Sendable {
  case linear, positive

  /// v becomes the candidate.
  func respond(_ v: Row) {
    if self == .positive { makePositive(v) }
  }

  /// g′(v) of the value g(v): 1 from ½ on, below it that of σ.
  @inline(__always) static func positiveSlope(_ value: Real) -> Real {
    value >= 0.5 ? 1 : value * (1 - value)
  }
}

/// v = g(v)
@inline(never) private func makePositive(_ v: Row) {
  for j in 0..<v.count {
    let low = sigmoid(v[j])
    v[j] = v[j] >= 0 ? v[j] + 0.5 : low
  }
}
