public import LinearAlgebra

/// What the head of a model reports of one window: the loss in nats, never a mean.
public final class Loss: @unchecked Sendable {
  /// The sum over all targets of −ln p(target).
  public var sum = 0.0
  /// The number of targets; the end of a sequence is one.
  public var targets = 0
  /// The targets whose logit was the first of the greatest; of symbols alone. Where ends are predicted by
  /// themselves, a symbol counts among the symbols.
  public var correct = 0
  /// Of trees, the targets of roots, and those of them that had the greatest probability.
  public var (roots, correctRoots) = (0, 0)
  /// −ln p of each row's target, 0 where there is none.
  public let rows: Buffer<Real>

  init(rows: Int) { self.rows = Buffer(count: rows) }

  /// Forgets the window before.
  public func clear() {
    sum = 0
    targets = 0
    correct = 0
    (roots, correctRoots) = (0, 0)
  }
}
