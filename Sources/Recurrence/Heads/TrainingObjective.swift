/// The terms that training adds to the cross-entropy −ln p(target) of a row of logits l. They
/// change the gradient only; the reported loss stays the plain cross-entropy:
///
///     (1 − ε) (−ln p(target)) + ε/V Σⱼ (−ln pⱼ) + z (ln Σⱼ exp lⱼ)²
public struct TrainingObjective: Equatable, Sendable {
  /// ε: the part of the target that is spread evenly over all V possible symbols (Szegedy 2015), as
  /// in PyTorch's `cross_entropy`.
  public var labelSmoothing: Double
  /// z: the weight of the term that keeps the softmax normaliser near 1 (Chowdhery 2022).
  public var zLoss: Double

  public init(labelSmoothing: Double = 0, zLoss: Double = 0) {
    self.labelSmoothing = labelSmoothing
    self.zLoss = zLoss
  }
}
