/// How a decoder compares its state with each step of the source.
public enum AttentionKind: String, Codable, CaseIterable, Sendable {
  case none
  /// vᵀ tanh(q W + e U) (Bahdanau 2014)
  case additive
  /// q W eᵀ, `general` (Luong 2015)
  case multiplicative
}
