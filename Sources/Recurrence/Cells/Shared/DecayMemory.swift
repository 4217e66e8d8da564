internal import LinearAlgebra

/// The memory of a head that forgets by a factor for each number of a key, and adds:
///
///     S(t) = diag(a) S(t−1) + k vᵀ,   o(t) = S(t)ᵀ q, or S(t−1)ᵀ q
///
/// S has a row for each number of a key and a column for each number of a value.
enum DecayMemory {
  /// The state that a step reads.
  enum Reading { case after, before }

  /// S becomes diag(a) S + k vᵀ.
  @inline(never)
  static func advance(_ s: Matrix, a: Row, k: Row, _ v: Row) {
    for r in 0..<s.rows { mix(s[r], a[r], k[r], v) }
  }

  /// S becomes diag(a) S + k vᵀ, and o is the read of S after that, or before it.
  @inline(never)
  static func advance(
    _ s: Matrix, a: Row, k: Row, _ v: Row, reading: Reading, _ q: Row, into o: Row
  ) {
    o.fill(0)
    for r in 0..<s.rows {
      switch reading {
      case .after: mixAndRead(s[r], a[r], k[r], v, q[r], o)
      case .before: readAndMix(s[r], a[r], k[r], v, q[r], o)
      }
    }
  }

  /// ∂S becomes ∂S₋; q, a and k become their gradients, and ∂v is set, which is not v.
  @inline(never)
  static func retreat(
    _ d: Matrix, past: Matrix, now: Matrix, a: Row, k: Row, _ v: Row, reading: Reading, _ q: Row,
    _ dRead: Row, _ dv: Row
  ) {
    dv.fill(0)
    for r in 0..<d.rows {
      let (row, old) = (d[r], past[r])
      let (kept, weight) = (a[r], q[r])
      switch reading {
      case .after:
        q[r] = now[r].dot(dRead)
        add(weight, times: dRead, to: row)
      case .before: q[r] = old.dot(dRead)
      }
      add(k[r], times: row, to: dv)
      k[r] = row.dot(v)
      a[r] = row.dot(old)
      switch reading {
      case .after: row.scale(by: kept)
      case .before: mix(row, kept, weight, dRead)
      }
    }
  }

  /// y = a y + k x
  @inline(never) private static func mix(_ y: Row, _ a: Real, _ k: Real, _ x: Row) {
    for j in 0..<y.count { y[j] = a * y[j] + k * x[j] }
  }

  /// y = a y + k x, o += q y
  @inline(never) private static func mixAndRead(
    _ y: Row, _ a: Real, _ k: Real, _ x: Row, _ q: Real, _ o: Row
  ) {
    for j in 0..<y.count {
      let value = a * y[j] + k * x[j]
      y[j] = value
      o[j] += q * value
    }
  }

  /// o += q y, y = a y + k x
  @inline(never) private static func readAndMix(
    _ y: Row, _ a: Real, _ k: Real, _ x: Row, _ q: Real, _ o: Row
  ) {
    for j in 0..<y.count {
      let value = y[j]
      o[j] += q * value
      y[j] = a * value + k * x[j]
    }
  }
}
