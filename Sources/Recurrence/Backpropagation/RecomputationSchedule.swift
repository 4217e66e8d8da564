/// The order in which the segments of a window are computed if only a few of the states before them
/// are stored: the one with the fewest computed segments.
///
/// The backward pass over t segments with m stored states, including that before the first segment,
/// computes this many segments:
///
///     C(t, m) = min over y of y + C(t − y, m − 1) + C(y, m)
///     C(t, 1) = t (t + 1) / 2        C(t, m) = 2 t − 1 where m ≥ t
///
/// y segments are run forward and the state after them is stored; the segments after that state go
/// through the backward pass, then the y segments do (Gruslys, Munos, Danihelka, Lanctot & Graves
/// 2016, "Memory-efficient backpropagation through time", BPTT-HSM). The position of the minimum is
/// known without a table, which for long windows would be larger than their states (Griewank &
/// Walther 2000, "Algorithm 799: revolve"):
///
///     β(m, r) = (m + r)! / (m! r!)        C(t, m) = t + r t − β(m + 1, r − 1)
///
/// with the least r for which β(m, r) ≥ t.
public enum RecomputationSchedule {
  /// Returns the number of segments computed for `count` segments with `states` stored states: C(t,
  /// m).
  public static func cost(segments count: Int, states: Int) -> Int {
    let r = repetitions(count, states)
    return count + r * count - binomial(states + 1, r - 1)
  }

  /// Returns how many of `count` segments, two or more, are run before a state is stored: y.
  static func split(segments count: Int, states: Int) -> Int {
    let r = repetitions(count, states)
    // Neither side is then run more often than r allows.
    return max(binomial(states, r - 2), count - binomial(states - 1, r), 1)
  }

  /// Returns the largest number of times that any segment is run: the least r for which β(m, r) ≥
  /// t.
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

  /// Returns β(m, r), or 0 if r is negative.
  private static func binomial(_ m: Int, _ r: Int) -> Int {
    guard r >= 0 else { return 0 }
    return (0..<min(m, r)).reduce(1) { $0 * (m + r - $1) / ($1 + 1) }
  }
}
