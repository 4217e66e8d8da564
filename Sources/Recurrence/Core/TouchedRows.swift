internal import LinearAlgebra

// A window reads few rows of an embedding, so nearly all of the embedding's gradient is zero. A
// parameter vector records the rows that may not be zero; code that clears, sums, measures or
// applies a gradient visits only those, with the same bits. A vector that was never cleared counts all rows
// as touched, so a gradient that is filled in by hand is right, only slower.
extension ParameterVector {
  /// Returns the rows of a row-sparse parameter that may not be zero; nil for any other parameter.
  public func touchedRows(_ p: Parameter) -> RowSet? { touched[p.index] }

  /// Marks all rows as touched, before code that changes rows which no step has read.
  public func touchAllRows() {
    for entry in layout.rowSparse {
      let rows = touchedRows(entry.parameter)!
      for row in 0..<entry.rows { rows.insert(row) }
    }
  }

  /// Calls `body` with the ranges of a parameter's numbers that may not be zero: all of them, or
  /// each maximal range of touched rows of a row-sparse parameter.
  public func forEachTouched(
    _ entry: ParameterLayout.Entry, _ body: (Range<Int>) -> Void
  ) {
    guard let rows = touchedRows(entry.parameter) else { return body(entry.range) }
    rows.forEachRun { body(entry.range(ofRows: $0)) }
  }

  /// Sets every number to zero.
  public func clear() {
    let ranges = nonzero
    nonzero = nil
    func clear(_ numbers: Range<Int>) {
      guard let ranges else { return buffer.clear(numbers) }
      for range in ranges where range.overlaps(numbers) { buffer.clear(range.clamped(to: numbers)) }
    }
    clear(layout.dense)
    for entry in layout.rowSparse {
      forEachTouched(entry) { clear($0) }
      touchedRows(entry.parameter)?.removeAll()
    }
  }

  /// Adds row i of `terms` to row `places[i]` of any parameter; marks the rows of a row-sparse one.
  func addScattered(_ terms: Matrix, at places: Buffer<Int32>, to p: Parameter) {
    if let rows = touchedRows(p) {
      for place in places.elements(count: terms.rows) { rows.insert(Int(place)) }
    }
    self[p].addScattered(terms, at: places)
  }

  /// The count of numbers that may not be zero.
  public var touchedCount: Int {
    layout.rowSparse.reduce(layout.dense.count) {
      $0 + touchedRows($1.parameter)!.count * $1.columns
    }
  }

  /// Moves the touched rows together behind the dense part, so that all numbers that may not be
  /// zero are the first `touchedCount` numbers of the buffer. No parameter may be read until
  /// `unpack`.
  public func pack() {
    var end = layout.dense.upperBound
    for entry in layout.rowSparse {
      forEachTouched(entry) { place in
        // Rows move left only, so no row is overwritten before it has moved.
        (buffer.start + end).update(from: buffer.start + place.lowerBound, count: place.count)
        end += place.count
      }
    }
  }

  /// Moves the touched rows back to their places.
  public func unpack() {
    var end = touchedCount
    for entry in layout.rowSparse.reversed() {
      touchedRows(entry.parameter)!.forEachRunBackwards { rows in
        let place = entry.range(ofRows: rows)
        let packed = end - place.count..<end
        (buffer.start + place.lowerBound).update(
          from: buffer.start + packed.lowerBound, count: place.count)
        // Clears the memory that the rows leave. No row lies there, or one that is moved there
        // later.
        buffer.clear(packed.lowerBound..<min(packed.upperBound, place.lowerBound))
        end = packed.lowerBound
      }
    }
  }
}

extension ParameterLayout {
  /// The numbers before the first row-sparse parameter.
  public var dense: Range<Int> { 0..<(rowSparse.first?.offset ?? count) }

  /// The entries of row-sparse parameters, which lie last.
  public var rowSparse: ArraySlice<Entry> {
    entries[(entries.firstIndex { $0.isRowSparse } ?? entries.count)...]
  }
}

extension ParameterLayout.Entry {
  /// Returns the range of the numbers of some rows.
  public func range(ofRows rows: Range<Int>) -> Range<Int> {
    offset + rows.lowerBound * columns..<offset + rows.upperBound * columns
  }
}
