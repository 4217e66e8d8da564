/// The factor that the update gate of a GRU multiplies.
public enum UpdateGate: String, CaseIterable, Sendable {
  /// h = (1 − z) ∘ n + z ∘ h₋, as here and in PyTorch.
  case past
  /// h = Γ ∘ n + (1 − Γ) ∘ h₋ with Γ = 1 − z, as in course notes. σ(−a) = 1 − σ(a), so the gate's
  /// rows of every matrix and bias are those of z with the opposite sign.
  case candidate

  /// The metadata key of this property in a file.
  static let key = "update_gate"
}

/// The form of cells' weights in a file of tensors.
public struct WeightForm: Equatable, Sendable {
  /// True if W and U are one matrix [W | U] of [x, h₋], with one bias.
  public var isJoined: Bool
  public var updateGate: UpdateGate

  public init(isJoined: Bool = false, updateGate: UpdateGate = .past) {
    self.isJoined = isJoined
    self.updateGate = updateGate
  }

  /// True if PyTorch's modules can load this form.
  var isOfModules: Bool { self == WeightForm() }
}
