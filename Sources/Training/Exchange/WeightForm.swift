/// What the update gate of a GRU multiplies.
public enum UpdateGate: String, CaseIterable, Sendable {
  /// h = (1 − z) ∘ n + z ∘ h₋, as here and in PyTorch.
  case past
  /// h = Γ ∘ n + (1 − Γ) ∘ h₋ with Γ = 1 − z, as in course notes. σ(−a) = 1 − σ(a), so the gate's
  /// rows of every matrix and bias are those of z with the other sign.
  case candidate

  /// Under which a file says it of itself.
  static let key = "update_gate"
}

/// How the weights of cells lie in a file of tensors.
public struct WeightForm: Equatable, Sendable {
  /// Whether W and U are one matrix [W | U] of [x, h₋], with one bias.
  public var isJoined: Bool
  public var updateGate: UpdateGate

  public init(isJoined: Bool = false, updateGate: UpdateGate = .past) {
    self.isJoined = isJoined
    self.updateGate = updateGate
  }

  /// Whether PyTorch's modules load it.
  var isOfModules: Bool { self == WeightForm() }
}
