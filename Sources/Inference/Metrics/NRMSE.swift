internal import Collectives

/// Sums of squared errors and of squared deviations of the truth from its mean.
public struct NRMSE: Equatable, Sendable {
  var count = 0.0
  var errors = 0.0
  var mean = 0.0
  var deviations = 0.0

  /// √(Σ (y − ŷ)² / Σ (y − ȳ)²): 1 for constant prediction of the mean.
  public var value: Double { (errors / deviations).squareRoot() }

  /// Combines two parts (Chan 1983).
  public static func + (a: NRMSE, b: NRMSE) -> NRMSE {
    guard a.count > 0 else { return b }
    guard b.count > 0 else { return a }
    let (count, difference) = (a.count + b.count, b.mean - a.mean)
    return NRMSE(
      count: count, errors: a.errors + b.errors, mean: a.mean + difference * b.count / count,
      deviations: a.deviations + b.deviations + difference * difference * a.count * b.count / count)
  }

  /// Adds one number (Welford 1962).
  mutating func add(_ predicted: Float, truth: Float) {
    let (y, error) = (Double(truth), Double(truth) - Double(predicted))
    let deviation = y - mean
    count += 1
    mean += deviation / count
    deviations += deviation * (y - mean)
    errors += error * error
  }

  /// Combines the parts of all ranks, place by place. Collective.
  static func sums(
    _ parts: [NRMSE], over world: any Communicator
  ) throws(CommunicationError) -> [NRMSE] {
    var totals = parts.flatMap { [$0.count, $0.count * $0.mean, $0.errors] }
    try world.sum(&totals)
    let means = parts.indices.map { totals[3 * $0 + 1] / max(totals[3 * $0], 1) }
    // With the mean over all ranks; otherwise squares of numbers far from 0 would lose all digits.
    var deviations = zip(parts, means).map { part, mean in
      part.deviations + part.count * (part.mean - mean) * (part.mean - mean)
    }
    try world.sum(&deviations)
    return parts.indices.map {
      NRMSE(
        count: totals[3 * $0], errors: totals[3 * $0 + 2], mean: means[$0],
        deviations: deviations[$0])
    }
  }
}

extension Measures {
  /// Returns the root mean squared error, divided by the standard deviation of the truth.
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
