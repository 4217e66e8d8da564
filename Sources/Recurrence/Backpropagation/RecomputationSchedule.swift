/// In which order the segments of a window are computed where the states before only a few of them
/// are kept: with the fewest segments computed of all orders.
///
/// To take back t segments with m kept states, that before the first among them, computes so many:
///
///     C(t, m) = min over y of y + C(t − y, m − 1) + C(y, m)
///     C(t, 1) = t (t + 1) / 2        C(t, m) = 2 t − 1 where m ≥ t
///
/// y segments are read, the state after them is kept while those behind are taken back, and then the
/// y are (Gruslys, Munos, Danihelka, Lanctot & Graves 2016, "Memory-efficient backpropagation
/// through time", BPTT-HSM). Where the minimum lies is known without a table, which for long windows
/// would be larger than their states (Griewank & Walther 2000, "Algorithm 799: revolve"):
///
///     β(m, r) = (m + r)! / (m! r!)        C(t, m) = t + r t − β(m + 1, r − 1)
///
/// with the least r for which β(m, r) ≥ t.
public enum RecomputationSchedule {
  /// How many segments are computed to take back `count` with `states` kept ones: C(t, m).
  public static func cost(segments count: Int, states: Int) -> Int {
    let r = repetitions(count, states)
    return count + r * count - binomial(states + 1, r - 1)
  }

  /// How many of `count` segments, two or more, are read before a state is kept: y.
  static func split(segments count: Int, states: Int) -> Int {
    let r = repetitions(count, states)
    // Neither side is then read more often than r allows.
    return max(binomial(states, r - 2), count - binomial(states - 1, r), 1)
  }

  /// The most often that any segment is read: the least r for which β(m, r) ≥ t.
  private static func repetitions(_ count: Int, _ states: Int) -> Int {
    precondition(
      count > 0 && (count == 1 || states > 0), "\(count) segments with \(states) states")
    var (r, reached) = (0, 1)
    while reached < count {
      r += 1
      reached = reached * (states + r) / r
    }
    return r
  }

  /// β(m, r), and 0 where r is negative.
  private static func binomial(_ m: Int, _ r: Int) -> Int {
    guard r >= 0 else { return 0 }
    return (0..<min(m, r)).reduce(1) { $0 * (m + r - $1) / ($1 + 1) }
  }
}
