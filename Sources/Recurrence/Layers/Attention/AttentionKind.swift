/// How a decoder compares its state with each step of the source.
public enum AttentionKind: String, Codable, CaseIterable, Sendable {
  case none
  /// vᵀ tanh(q W + e U) (Bahdanau 2014)
  case additive
  /// q W eᵀ, `general` (Luong 2015)
  case multiplicative
}

/// Where a decoder looks back.
public enum AttentionPlace: String, Codable, CaseIterable, Sendable {
  /// From the state of a step, for the output layer of the same step (Luong 2015).
  case output
  /// From the state of the step before, for the next one of the decoder's first layer (Bahdanau 2014).
  case input
}

/// Attention that a recurrent layer takes before each step.
struct StepAttentionRequest {
  let kind: AttentionKind
  let keys: AttentionKeys
}
