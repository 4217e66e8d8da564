#if !REAL_IS_DOUBLE
  internal import CArithmetic

  /// This program's own products, row by row: dot products for a single row, as in generation, and
  /// products whose rows do not depend on each other.
  struct OwnRows: ProductBackend {
    var denseKernel: DenseKernel? { multiplySingleRow }

    func weightPath(for precision: Precision, rowsAreIndependent: Bool) -> WeightPath? {
      guard rowsAreIndependent else { return nil }
      return precision == .float32 ? .independentRows : .independentRoundedRows
    }
  }

  /// c = keep · c + a Bᵀ for one row a: a dot product of a and every row of B.
  ///
  /// The time is that of reading B, so rows are read one after the other, the order that memory serves
  /// fastest.
  private func multiplySingleRow(_ p: DenseProduct) -> Bool {
    guard p.m == 1 && !p.transposeA && p.transposeB else { return false }
    let (x, y) = (p.a[0], p.c[0])
    for i in 0..<p.b.rows {
      let sum = wideDot(p.b[i], x)
      y[i] = p.keep == 0 ? sum : y[i] + sum
    }
    return true
  }

  @inline(never)
  private func wideDot(_ a: Row, _ x: Row) -> Float {
    var (p, q, r, s) = (
      SIMD16<Float>.zero, SIMD16<Float>.zero, SIMD16<Float>.zero, SIMD16<Float>.zero
    )
    var j = 0
    while j + 64 <= x.count {
      p += a.load(j) * x.load(j)
      q += a.load(j + 16) * x.load(j + 16)
      r += a.load(j + 32) * x.load(j + 32)
      s += a.load(j + 48) * x.load(j + 48)
      j += 64
    }
    while j + 16 <= x.count {
      p += a.load(j) * x.load(j)
      j += 16
    }
    var sum = ((p + q) + (r + s)).foldedSum
    while j < x.count {
      sum += a[j] * x[j]
      j += 1
    }
    return sum
  }

  extension WeightPath {
    fileprivate static let independentRows = WeightPath(
      name: "independent rows", precision: .float32,
      bytesOfCopies: { count, _ in (4 * count, 0) }, bytesOfRounded: 0
    ) { weights, model in
      (
        weights.map { IndependentRowsWeight($0, in: model) },
        weightPath(for: .float32).make([], model).gradient
      )
    }

    fileprivate static let independentRoundedRows = WeightPath(
      name: "independent rounded rows", precision: .bfloat16,
      bytesOfCopies: { count, _ in (8 * count, 0) }, bytesOfRounded: 4
    ) { weights, model in
      (
        weights.map { IndependentRowsWeight($0, in: model) },
        weightPath(for: .bfloat16).make([], model).gradient
      )
    }
  }

  private final class IndependentRowsWeight: WeightProduct {
    private var transposed = PackedCopy()
    private var rounded = PackedCopy()

    override func multiply(_ a: Matrix, into c: Matrix, isTransposed: Bool, keep: Real) {
      c.multiplyRows(
        rounds ? model.rounded(a, .left) : a, isTransposed ? stored() : transposedCopy(),
        keep: keep)
    }

    private var rounds: Bool { model.precision == .bfloat16 }

    /// The weight, rounded if the model's products are.
    private func stored() -> Matrix {
      rounds ? rounded.matrix(rows: matrix.rows, columns: matrix.columns, 0, of: self) : matrix
    }

    private func transposedCopy() -> Matrix {
      transposed.matrix(rows: matrix.columns, columns: matrix.rows, 1, of: self)
    }

    override func pack(_ number: Int, into memory: UnsafeMutableRawPointer) {
      let numbers = memory.assumingMemoryBound(to: Float.self)
      if number == 0 {
        matrix.round(into: Matrix(numbers, rows: matrix.rows, columns: matrix.columns))
      } else {
        stored().transpose(into: Matrix(numbers, rows: matrix.columns, columns: matrix.rows))
      }
    }
  }

  // Other libraries choose kernels, and with them the order of a sum, by the number of rows, so that a
  // row among ten may differ in its last bit from the same row among twenty.
  extension Matrix {
    /// C = keep · C + A B, where each row of C depends on that row of A and on B alone, to the bit:
    /// `c(i, j)` adds its terms `a(i, k) b(k, j)` in the order of k.
    ///
    /// Terms of 0 at the end change nothing, so rows of A may be padded to any length.
    func multiplyRows(_ a: Matrix, _ b: Matrix, keep: Real) {
      precondition(
        a.rows == rows && a.columns == b.rows && b.columns == columns,
        "product of \(a.rows)×\(a.columns) and \(b.rows)×\(b.columns) into \(rows)×\(columns)")
      if keep == 0 { fill(0) }
      // So few rows of B stay in cache while all rows of A are multiplied by them.
      let depth = 32
      for first in Swift.stride(from: 0, to: b.rows, by: depth) {
        let last = min(first + depth, b.rows)
        for i in 0..<rows { addRows(of: b, first..<last, times: a[i], to: self[i]) }
      }
    }

    /// C = A Bᵀ with rows as independent: dot products of rows of A and of B.
    func multiplyRows(_ a: Matrix, transposed b: Matrix) {
      precondition(
        a.rows == rows && a.columns == b.columns && b.rows == columns,
        "product of \(a.rows)×\(a.columns) and \(b.columns)×\(b.rows) into \(rows)×\(columns)")
      for i in 0..<rows {
        for j in 0..<columns { self[i, j] = a[i].dot(b[j]) }
      }
    }
  }

  /// y += Σ xₖ bₖ over a range of k, in this order.
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
