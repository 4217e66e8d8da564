internal import LinearAlgebra
internal import Recurrence
internal import Sequences

/// The sums of the target numbers and of their squares.
struct NumberMoments {
  /// For each output the sum and the sum of squares, and the number of rows.
  var sums: [Double]
  private let width: Int

  /// Makes zero sums; nil for a model that does not predict numbers, or that also predicts ends.
  init?(of model: any Model) {
    guard let model = model as? SequenceModel, case .numbers(let width) = model.interface.output,
      model.options.end == .symbol
    else { return nil }
    self.width = width
    sums = [Double](repeating: 0, count: 2 * width + 1)
  }

  mutating func add(_ batch: Batch) {
    guard batch.streams > 0 else { return }
    let (values, targets) = (batch.valueRows, batch.targets.elements())
    for row in 0..<batch.rows where targets[row] >= 0 {
      for j in 0..<width {
        let value = Double(values[row, j])
        sums[2 * j] += value
        sums[2 * j + 1] += value * value
      }
      sums[2 * width] += 1
    }
  }

  /// The mean of the outputs' variances; nil without numbers.
  var variance: Double? {
    let rows = sums[2 * width]
    guard rows > 0 else { return nil }
    let total = (0..<width).reduce(0.0) {
      $0 + sums[2 * $1 + 1] / rows - (sums[2 * $1] / rows) * (sums[2 * $1] / rows)
    }
    return max(total / Double(width), 0)
  }
}
