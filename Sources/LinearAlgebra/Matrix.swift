/// A view of a row of numbers in a `Buffer`, as cheap to pass as two integers.
///
/// Elements are accessed without a bounds check in release builds, so that loops over rows become
/// vector instructions. A debug build checks every access.
@frozen public struct Row {
  @usableFromInline let start: UnsafeMutablePointer<Real>
  public let count: Int

  @inlinable public init(_ start: UnsafeMutablePointer<Real>, count: Int) {
    self.start = start
    self.count = count
  }

  @inlinable public subscript(j: Int) -> Real {
    get {
      assert(j >= 0 && j < count, "element \(j) of a row of \(count)")
      return start[j]
    }
    nonmutating set {
      assert(j >= 0 && j < count, "element \(j) of a row of \(count)")
      start[j] = newValue
    }
  }

  /// Returns the elements of `range` as a row.
  @inlinable public subscript(range: Range<Int>) -> Row {
    assert(range.lowerBound >= 0 && range.upperBound <= count, "\(range) of a row of \(count)")
    return Row(start + range.lowerBound, count: range.count)
  }

  /// Returns part `k` of `n` equal parts, such as one gate of a cell.
  @inlinable public func part(_ k: Int, of n: Int) -> Row {
    let width = count / n
    return Row(start + k * width, count: width)
  }

  /// Sets every element to a value.
  public func fill(_ value: Real) { elements.update(repeating: value) }

  /// Overwrites this row with another of the same length.
  public func copy(_ other: Row) {
    precondition(count == other.count, "copying a row of \(other.count) into one of \(count)")
    start.update(from: other.start, count: count)
  }

  /// Adds another row of the same length.
  public func add(_ other: Row) {
    precondition(count == other.count, "adding a row of \(other.count) to one of \(count)")
    addRow(other, to: self)
  }

  /// Adds one number to every element.
  public func add(_ number: Real) { addNumber(number, to: self) }

  /// Multiplies every element by a factor.
  public func scale(by factor: Real) { scaleRow(self, factor) }

  /// The memory of the row.
  @inlinable public var elements: UnsafeMutableBufferPointer<Real> {
    UnsafeMutableBufferPointer(start: start, count: count)
  }
}

/// A matrix view in row-major order: `rows` rows of `columns` numbers, `stride` apart.
@frozen public struct Matrix {
  @usableFromInline let start: UnsafeMutablePointer<Real>
  public let rows: Int
  public let columns: Int
  public let stride: Int

  @inlinable public init(
    _ start: UnsafeMutablePointer<Real>, rows: Int, columns: Int, stride: Int? = nil
  ) {
    self.start = start
    self.rows = rows
    self.columns = columns
    self.stride = stride ?? columns
  }

  /// Makes a view of `rows × columns` numbers of a buffer, from `offset` on.
  public init(_ buffer: Buffer<Real>, offset: Int = 0, rows: Int, columns: Int) {
    let part = buffer.elements(from: offset, count: rows * columns)
    self.init(part.baseAddress!, rows: rows, columns: columns)
  }

  @inlinable public subscript(i: Int) -> Row {
    assert(i >= 0 && i < rows, "row \(i) of \(rows)")
    return Row(start + i * stride, count: columns)
  }

  @inlinable public subscript(i: Int, j: Int) -> Real {
    get { self[i][j] }
    nonmutating set { self[i][j] = newValue }
  }

  /// Returns some of the rows.
  @inlinable public func slice(rows range: Range<Int>) -> Matrix {
    assert(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows)")
    return Matrix(
      start + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride)
  }

  /// Returns every n-th row from `first` on: of time-major rows, the steps of one stream.
  @inlinable public func every(_ n: Int, from first: Int) -> Matrix {
    assert(
      n > 0 && first >= 0 && first < n && rows.isMultiple(of: n), "every \(n)th of \(rows) rows")
    return Matrix(
      start + first * stride, rows: rows / n, columns: columns, stride: n * stride)
  }

  /// Returns some of the columns.
  @inlinable public func slice(columns range: Range<Int>) -> Matrix {
    assert(range.lowerBound >= 0 && range.upperBound <= columns, "columns \(range) of \(columns)")
    return Matrix(start + range.lowerBound, rows: rows, columns: range.count, stride: stride)
  }

  /// Returns block `k` of `n` equal blocks of columns.
  @inlinable public func part(_ k: Int, of n: Int) -> Matrix {
    let width = columns / n
    return slice(columns: k * width..<(k + 1) * width)
  }

  /// Returns the numbers of a single row as a matrix with `count` rows.
  @inlinable public func folded(rows count: Int) -> Matrix {
    precondition(
      rows == 1 && columns.isMultiple(of: count), "\(rows)×\(columns) folded into \(count) rows")
    return Matrix(start, rows: count, columns: columns / count)
  }

  /// All numbers of a matrix whose rows lie one behind the other, as one row.
  @inlinable public var flattened: Row {
    precondition(rows == 1 || stride == columns, "rows of \(columns) that lie \(stride) apart")
    return Row(start, count: rows * columns)
  }

  /// The transpose of this matrix, as a factor of a product; no number moves.
  @inlinable public var transposed: Transposed { Transposed(of: self) }

  /// Sets every element to a value.
  public func fill(_ value: Real) {
    for i in 0..<rows { self[i].elements.update(repeating: value) }
  }

  /// Overwrites this matrix with another of the same shape.
  public func copy(_ other: Matrix) {
    precondition(
      rows == other.rows && columns == other.columns,
      "copying \(other.rows)×\(other.columns) into \(rows)×\(columns)")
    for i in 0..<rows {
      (start + i * stride).update(from: other.start + i * other.stride, count: columns)
    }
  }

  /// Adds another matrix of the same shape.
  public func add(_ other: Matrix) {
    precondition(
      rows == other.rows && columns == other.columns,
      "adding \(other.rows)×\(other.columns) to \(rows)×\(columns)")
    for i in 0..<rows { addRow(other[i], to: self[i]) }
  }

  /// Adds one row to every row, such as a bias to all steps of all streams.
  public func addToEveryRow(_ bias: Row) {
    precondition(bias.count == columns, "adding a row of \(bias.count) to rows of \(columns)")
    for i in 0..<rows { addRow(bias, to: self[i]) }
  }

  /// Overwrites every row with the same one.
  public func fillEveryRow(_ bias: Row) {
    precondition(bias.count == columns, "copying a row of \(bias.count) to rows of \(columns)")
    for i in 0..<rows { (start + i * stride).update(from: bias.start, count: columns) }
  }
}

/// A matrix used as its transpose in a product.
@frozen public struct Transposed {
  public let matrix: Matrix
  @inlinable public init(of matrix: Matrix) { self.matrix = matrix }
}

@inline(never) func addRow(_ x: Row, to y: Row) {
  for j in 0..<y.count { y[j] += x[j] }
}
@inline(never) private func addNumber(_ x: Real, to y: Row) {
  for j in 0..<y.count { y[j] += x }
}
@inline(never) private func scaleRow(_ y: Row, _ factor: Real) {
  for j in 0..<y.count { y[j] *= factor }
}
