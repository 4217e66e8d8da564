extension Measures {
  /// Returns the fraction of correct predictions.
  public static func accuracy<Label: Equatable>(_ predicted: [Label], truth: [Label]) -> Ratio {
    precondition(predicted.count == truth.count, "\(predicted.count) labels for \(truth.count)")
    return Ratio(part: zip(predicted, truth).count { $0 == $1 }, whole: truth.count)
  }
}
