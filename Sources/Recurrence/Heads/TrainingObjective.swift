/// The terms that training adds to the loss. They change the gradient only; the reported loss stays
/// the plain one. For the cross-entropy −ln p(target) of a row of logits l:
///
///     (1 − ε) (−ln p(target)) + ε/V Σⱼ (−ln pⱼ) + z (ln Σⱼ exp lⱼ)²
///
/// For any loss, a mean over the targets, with the outputs h of the last layer that has a state
/// (`ActivationRegularizer`):
///
///     α mean((m ∘ h)²) + β mean((h(t) − h(t−1))²)
public struct TrainingObjective: Equatable, Sendable {
  /// ε: the part of the target that is spread evenly over all V possible symbols (Szegedy 2015), as
  /// in PyTorch's `cross_entropy`.
  public var labelSmoothing: Double
  /// z: the weight of the term that keeps the softmax normaliser near 1 (Chowdhery 2022).
  public var zLoss: Double
  /// α: the weight of the activation regularisation (AR; Merity 2017).
  public var activationRegularization: Double
  /// β: the weight of the temporal activation regularisation (TAR; Merity 2017).
  public var temporalRegularization: Double

  public init(
    labelSmoothing: Double = 0, zLoss: Double = 0, activationRegularization: Double = 0,
    temporalRegularization: Double = 0
  ) {
    self.labelSmoothing = labelSmoothing
    self.zLoss = zLoss
    self.activationRegularization = activationRegularization
    self.temporalRegularization = temporalRegularization
  }

  /// True if a term is of activations.
  var regularizesActivations: Bool {
    activationRegularization > 0 || temporalRegularization > 0
  }
}
