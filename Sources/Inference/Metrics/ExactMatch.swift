extension Measures {
  /// Returns the fraction of sequences that are right in every symbol.
  public static func exactMatch<Symbol: Equatable>(
    _ predicted: [[Symbol]], truth: [[Symbol]]
  ) -> Ratio {
    accuracy(predicted, truth: truth)
  }
}
