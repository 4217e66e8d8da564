internal import Collectives

/// The small vector of sums that the ranks all-reduce at every step, besides the gradient.
///
/// Every decision of a run depends only on these sums and on the step, so that every rank makes the
/// same decision.
struct StepSums {
  /// The numbers to sum over ranks.
  var values: [Double]
  private static let shared = 6
  private let ranks: Int

  init(ranks: Int) {
    self.ranks = ranks
    values = [Double](repeating: 0, count: Self.shared + 2 * ranks)
  }

  /// −ln p summed over the targets of the window, in nats: the sum over ranks in a binary tree.
  var loss: Double { values[(Self.shared + ranks)...].sumInTree() }

  /// Sets −ln p summed over the targets of one rank.
  mutating func setLoss(_ loss: Double, rank: Int) { values[Self.shared + ranks + rank] = loss }

  /// The number of targets of the window.
  var targets: Int {
    get { Int(values[1]) }
    set { values[1] = Double(newValue) }
  }
  /// The number of targets that were predicted correctly; of equal logits the first one is the
  /// prediction.
  var correct: Int {
    get { Int(values[4]) }
    set { values[4] = Double(newValue) }
  }
  /// The number of streams of the window, or of sequences or trees of the batch.
  var sequences: Int {
    get { Int(values[5]) }
    set { values[5] = Double(newValue) }
  }
  /// The number of ranks that were asked to stop.
  var stopVotes: Int {
    get { Int(values[2]) }
    set { values[2] = Double(newValue) }
  }
  /// 1 if a checkpoint is due by the root's clock; only the root votes.
  var clockVotes: Int {
    get { Int(values[3]) }
    set { values[3] = Double(newValue) }
  }
  /// The norm of the gradient of a rank that trains alone, summed over ranks.
  var norms: Double {
    get { values[0] }
    set { values[0] = newValue }
  }
  /// The seconds that each rank has computed in this step.
  var computing: ArraySlice<Double> {
    get { values[Self.shared..<Self.shared + ranks] }
    set { values[Self.shared..<Self.shared + ranks] = newValue }
  }
}
