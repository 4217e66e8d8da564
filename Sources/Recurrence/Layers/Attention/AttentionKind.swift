/// The function that scores each step of the source against a decoder state.
public enum AttentionKind: String, CaseIterable, Sendable {
  /// vᵀ tanh(q W + e U) (Bahdanau 2014)
  case additive
  /// q W eᵀ, `general` (Luong 2015)
  case multiplicative
}

/// The place of attention in the decoder.
public enum AttentionPlace: String, Codable, CaseIterable, Sendable {
  /// Before the output layer, from the state of the same step (Luong 2015).
  case output
  /// Before each step of the decoder's first layer, from the state of the step before (Bahdanau
  /// 2014).
  case input
}

/// The attention over the source.
public struct AttentionOptions: Hashable, Sendable {
  public var kind: AttentionKind
  public var place: AttentionPlace

  public init(_ kind: AttentionKind, at place: AttentionPlace = .output) {
    self.kind = kind
    self.place = place
  }
}

/// A request for attention before each step of a recurrent layer.
struct StepAttentionRequest {
  let kind: AttentionKind
  let keys: AttentionKeys
}
