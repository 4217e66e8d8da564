extension Measures {
  /// Returns the number of insertions, deletions and replacements that turn each prediction into
  /// its truth, divided by the number of symbols of the truths; may exceed 1.
  public static func symbolErrorRate<Symbol: Equatable>(
    _ predicted: [[Symbol]], truth: [[Symbol]]
  ) -> Ratio {
    precondition(predicted.count == truth.count, "\(predicted.count) sequences for \(truth.count)")
    return zip(predicted, truth).reduce(Ratio(part: 0, whole: 0)) { sum, pair in
      sum + Ratio(part: distance(pair.0, pair.1), whole: pair.1.count)
    }
  }

  /// Returns the smallest number of insertions, deletions and replacements between two sequences
  /// (Levenshtein 1966).
  static func distance<Symbol: Equatable>(_ a: [Symbol], _ b: [Symbol]) -> Int {
    // Distances from the symbols of `a` so far to each prefix of `b`.
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, y) in b.enumerated() {
        let replaced = diagonal + (x == y ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
      }
    }
    return row[b.count]
  }
}
