/// Squared errors beside the squared deviations of the truth from its mean.
public struct NRMSE: Equatable, Sendable {
  var count = 0.0
  var errors = 0.0
  var mean = 0.0
  var deviations = 0.0

  /// √(Σ (y − ŷ)² / Σ (y − ȳ)²): 1 for whoever predicts the mean.
  public var value: Double { (errors / deviations).squareRoot() }

  /// Of two parts together (Chan 1983).
  public static func + (a: NRMSE, b: NRMSE) -> NRMSE {
    guard a.count > 0 else { return b }
    guard b.count > 0 else { return a }
    let (count, difference) = (a.count + b.count, b.mean - a.mean)
    return NRMSE(
      count: count, errors: a.errors + b.errors, mean: a.mean + difference * b.count / count,
      deviations: a.deviations + b.deviations + difference * difference * a.count * b.count / count)
  }
}

extension Measures {
  /// The root of the mean squared error, as a part of the truth's standard deviation.
  public static func nrmse(_ predicted: [Float], truth: [Float]) -> NRMSE {
    precondition(predicted.count == truth.count, "\(predicted.count) numbers for \(truth.count)")
    var result = NRMSE()
    guard !truth.isEmpty else { return result }
    result.count = Double(truth.count)
    result.mean = truth.reduce(0) { $0 + Double($1) } / result.count
    for (y, guess) in zip(truth, predicted) {
      let (error, deviation) = (Double(y) - Double(guess), Double(y) - result.mean)
      result.errors += error * error
      result.deviations += deviation * deviation
    }
    return result
  }
}
