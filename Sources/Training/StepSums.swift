/// What the ranks tell each other at every step besides the gradient: one small vector of sums.
///
/// Every decision of a run is a function of these sums and of the step, so that every rank takes the
/// same one.
struct StepSums {
  /// The numbers to be summed over ranks.
  var values = [Double](repeating: 0, count: 6)

  /// −ln p summed over the targets of the window, in nats.
  var loss: Double {
    get { values[0] }
    set { values[0] = newValue }
  }
  /// The number of targets of the window.
  var targets: Int {
    get { Int(values[1]) }
    set { values[1] = Double(newValue) }
  }
  /// The number of targets that were the first of the likeliest symbols.
  var correct: Int {
    get { Int(values[4]) }
    set { values[4] = Double(newValue) }
  }
  /// The number of streams of the window, of sequences or of trees of the batch.
  var sequences: Int {
    get { Int(values[5]) }
    set { values[5] = Double(newValue) }
  }
  /// How many ranks were asked to stop.
  var stopVotes: Int {
    get { Int(values[2]) }
    set { values[2] = Double(newValue) }
  }
  /// 1 when the root's clock says that a checkpoint is due; only the root votes.
  var clockVotes: Int {
    get { Int(values[3]) }
    set { values[3] = Double(newValue) }
  }
}
