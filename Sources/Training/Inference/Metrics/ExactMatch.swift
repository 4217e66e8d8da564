extension Measures {
  /// How many of all sequences are right in every symbol.
  public static func exactMatch<Symbol: Equatable>(
    _ predicted: [[Symbol]], truth: [[Symbol]]
  ) -> Ratio {
    accuracy(predicted, truth: truth)
  }
}
