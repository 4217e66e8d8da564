public import LinearAlgebra

/// The loss of one window, as the head of a model reports it: a sum in nats, never a mean.
public final class Loss: @unchecked Sendable {
  /// The sum over all targets of −ln p(target).
  public var sum = 0.0
  /// The number of targets, including end-of-sequence.
  public var targets = 0
  /// The number of targets whose logit was the first of the largest; for symbols only. With a
  /// halting probability or a length prediction, only the symbols count.
  public var correct = 0
  /// For trees: the number of roots with a target, and of those predicted correctly.
  public var (roots, correctRoots) = (0, 0)
  /// −ln p of each row's target; 0 for a row without a target.
  public let rows: Buffer<Real>
  /// 1 for each row that counts in `correct`, else 0.
  package let correctRows: Buffer<UInt8>

  init(rows: Int) {
    self.rows = Buffer(count: rows)
    correctRows = Buffer(count: rows)
  }

  /// Counts a row whose target's logit was the first of the largest.
  func countCorrect(_ row: Int) {
    correct += 1
    correctRows.start[row] = 1
  }

  /// Resets all sums for a new window.
  public func clear() {
    sum = 0
    targets = 0
    correct = 0
    correctRows.clear()
    (roots, correctRoots) = (0, 0)
  }
}
