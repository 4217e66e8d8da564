internal import LinearAlgebra

/// A set of rows of a matrix, with one bit per row.
public final class RowSet: @unchecked Sendable {
  /// The number of rows of the matrix.
  public let rows: Int
  /// The bits; those beyond the last row are 0.
  private let words: Buffer<UInt64>

  /// Makes a set of no rows, or of all.
  public init(of rows: Int, isFull: Bool = false) {
    self.rows = rows
    words = Buffer(count: (rows + 63) / 64)
    if isFull { for row in 0..<rows { insert(row) } }
  }

  public func insert(_ row: Int) {
    precondition(row >= 0 && row < rows, "row \(row) of \(rows)")
    words.elements()[row >> 6] |= 1 << UInt64(row & 63)
  }

  public func removeAll() { words.clear() }

  /// The number of rows in the set.
  public var count: Int { words.elements().reduce(0) { $0 + $1.nonzeroBitCount } }

  /// Calls `body` with each maximal range of rows in the set, in rising order.
  public func forEachRun(_ body: (Range<Int>) -> Void) {
    var start = next(from: 0, inSet: true)
    while start < rows {
      let end = next(from: start, inSet: false)
      body(start..<end)
      start = next(from: end, inSet: true)
    }
  }

  /// Calls `body` with each maximal range of those rows that are in the set, in rising order.
  public func forEachRun(in range: Range<Int>, _ body: (Range<Int>) -> Void) {
    var start = next(from: range.lowerBound, inSet: true)
    while start < range.upperBound {
      let end = min(next(from: start, inSet: false), range.upperBound)
      body(start..<end)
      start = next(from: end, inSet: true)
    }
  }

  /// Calls `body` with each maximal range of rows in the set, in falling order.
  public func forEachRunBackwards(_ body: (Range<Int>) -> Void) {
    var end = previous(below: rows, inSet: true)
    while end > 0 {
      let start = previous(below: end, inSet: false)
      body(start..<end)
      end = previous(below: start, inSet: true)
    }
  }

  /// Returns the first row at or after `row` that is in the set (`inSet`) or not in it; `rows` if
  /// there is none.
  private func next(from row: Int, inSet: Bool) -> Int {
    let words = words.elements()
    var row = row
    while row < rows {
      let word = (inSet ? words[row >> 6] : ~words[row >> 6]) >> UInt64(row & 63)
      if word != 0 { return min(row + word.trailingZeroBitCount, rows) }
      row = (row | 63) + 1
    }
    return rows
  }

  /// Returns one more than the last row below `end` that is in the set (`inSet`) or not in it; 0 if
  /// there is none.
  private func previous(below end: Int, inSet: Bool) -> Int {
    let words = words.elements()
    var end = end
    while end > 0 {
      let last = end - 1
      let word = (inSet ? words[last >> 6] : ~words[last >> 6]) << UInt64(63 - last & 63)
      if word != 0 { return end - word.leadingZeroBitCount }
      end = last & ~63
    }
    return 0
  }
}
