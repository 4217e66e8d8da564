import LinearAlgebra

/// A matrix in the middle of a larger block of NaN: reading outside it spoils the result, and writing
/// outside it shows in `frameIsIntact`.
struct FramedMatrix {
  let matrix: Matrix
  private let buffer: Buffer<Real>
  private let margin: Int

  init(rows: Int, columns: Int, margin: Int = 3) {
    let stride = columns + 2 * margin
    buffer = Buffer(count: (rows + 2) * stride)
    self.margin = margin
    for j in 0..<buffer.count { buffer.start[j] = .nan }
    matrix = Matrix(
      buffer.start + stride + margin, rows: rows, columns: columns, stride: stride)
  }

  /// Numbers of a normal distribution, the same for the same key.
  init(rows: Int, columns: Int, margin: Int = 3, key: UInt64) {
    self.init(rows: rows, columns: columns, margin: margin)
    let random = Philox(key: key)
    for i in 0..<rows {
      for j in 0..<columns { matrix[i, j] = Real(random.normal(UInt64(i * columns + j))) }
    }
  }

  /// True if no number around the matrix was overwritten.
  var frameIsIntact: Bool {
    let stride = matrix.columns + 2 * margin
    for k in 0..<buffer.count {
      let (i, j) = (k / max(stride, 1) - 1, k % max(stride, 1) - margin)
      let inside = i >= 0 && i < matrix.rows && j >= 0 && j < matrix.columns
      if !inside && !buffer.start[k].isNaN { return false }
    }
    return true
  }

  /// The numbers in reading order.
  var numbers: [Real] {
    (0..<matrix.rows).flatMap { i in (0..<matrix.columns).map { j in matrix[i, j] } }
  }
}

/// A row of given numbers that begins `offset` numbers after a cache line's start.
func withRow<Result>(_ numbers: [Real], offset: Int = 0, _ body: (Row) -> Result) -> Result {
  let buffer = Buffer<Real>(count: numbers.count + offset)
  for (j, x) in numbers.enumerated() { buffer.start[offset + j] = x }
  return withExtendedLifetime(buffer) {
    body(Row(buffer.start + offset, count: numbers.count))
  }
}

/// Numbers of a normal distribution, the same for the same key.
func normalNumbers(_ count: Int, key: UInt64) -> [Real] {
  (0..<count).map { Real(Philox(key: key).normal(UInt64($0))) }
}
