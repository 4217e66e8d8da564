#if !REAL_IS_DOUBLE
  internal import CArithmetic

  // Products whose rows know nothing of each other. The libraries choose kernels, and with them the
  // order of a sum, by the number of rows, so that a row among ten may differ in its last bit from
  // the same row among twenty.
  extension Matrix {
    /// C = keep · C + A B, where each row of C depends on that row of A and on B alone, to the bit:
    /// `c(i, j)` takes its terms `a(i, k) b(k, j)` one after the other, k rising.
    ///
    /// Terms of 0 at the end change nothing, so neither does the length to which rows of A are padded.
    func multiplyRows(_ a: Matrix, _ b: Matrix, keep: Real) {
      precondition(
        a.rows == rows && a.columns == b.rows && b.columns == columns,
        "product of \(a.rows)×\(a.columns) and \(b.rows)×\(b.columns) into \(rows)×\(columns)")
      if keep == 0 { fill(0) }
      // So many rows of B stay in cache while all rows of A are multiplied by them.
      let depth = 32
      for first in Swift.stride(from: 0, to: b.rows, by: depth) {
        let last = min(first + depth, b.rows)
        for i in 0..<rows { addRows(of: b, first..<last, times: a[i], to: self[i]) }
      }
    }

    /// C = A Bᵀ in the same way: dot products of rows of A and of B.
    func multiplyRows(_ a: Matrix, transposed b: Matrix) {
      precondition(
        a.rows == rows && a.columns == b.columns && b.rows == columns,
        "product of \(a.rows)×\(a.columns) and \(b.columns)×\(b.rows) into \(rows)×\(columns)")
      for i in 0..<rows {
        for j in 0..<columns { self[i, j] = a[i].dot(b[j]) }
      }
    }
  }

  /// y += Σ xₖ bₖ over some k, in their order.
  private func addRows(of b: Matrix, _ range: Range<Int>, times x: Row, to y: Row) {
    var k = range.lowerBound
    while k + 4 <= range.upperBound {
      addFour(
        b[k], b[k + 1], b[k + 2], b[k + 3], SIMD4(x[k], x[k + 1], x[k + 2], x[k + 3]), to: y)
      k += 4
    }
    while k < range.upperBound {
      addOne(b[k], x[k], to: y)
      k += 1
    }
  }

  @inline(never)
  private func addFour(
    _ p: Row, _ q: Row, _ r: Row, _ s: Row, _ x: SIMD4<Real>, to y: Row
  ) {
    let (a, b, c, d) = (x[0], x[1], x[2], x[3])
    for j in 0..<y.count {
      let two = multiplyAdd(b, q[j], multiplyAdd(a, p[j], y[j]))
      y[j] = multiplyAdd(d, s[j], multiplyAdd(c, r[j], two))
    }
  }

  @inline(never)
  private func addOne(_ p: Row, _ x: Real, to y: Row) {
    for j in 0..<y.count { y[j] = multiplyAdd(x, p[j], y[j]) }
  }
#endif
