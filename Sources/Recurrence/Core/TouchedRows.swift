internal import LinearAlgebra

// A window reads few rows of an embedding, so nearly all of its gradient is zero. A vector knows which
// rows may not be; everything that clears, sums, measures or applies a gradient visits those alone.
extension ParameterVector {
  /// The rows of a row-sparse parameter that may hold anything but zeros; nil of another parameter.
  public func touchedRows(_ p: Parameter) -> RowSet? { touched[p.index] }

  /// Calls `body` with the places of the numbers of a parameter that may not be zero: all of them, or
  /// of a row-sparse parameter each longest part that was touched.
  public func forEachTouched(
    _ entry: ParameterLayout.Entry, _ body: (Range<Int>) -> Void
  ) {
    guard let rows = touchedRows(entry.parameter) else { return body(entry.range) }
    rows.forEachRun { body(entry.range(ofRows: $0)) }
  }

  /// Sets every number to zero.
  public func clear() {
    buffer.clear(layout.dense)
    for entry in layout.rowSparse {
      forEachTouched(entry) { buffer.clear($0) }
      touchedRows(entry.parameter)?.removeAll()
    }
  }

  /// Adds row i of `terms` to row `places[i]` of a row-sparse parameter or any other.
  func addScattered(_ terms: Matrix, at places: Buffer<Int32>, to p: Parameter) {
    if let rows = touchedRows(p) {
      for place in places.elements(count: terms.rows) { rows.insert(Int(place)) }
    }
    self[p].addScattered(terms, at: places)
  }

  /// The numbers that may not be zero.
  public var touchedCount: Int {
    layout.rowSparse.reduce(layout.dense.count) {
      $0 + touchedRows($1.parameter)!.count * $1.columns
    }
  }

  /// Moves the touched rows together behind the dense part, so that everything that may not be zero is
  /// the first `touchedCount` numbers of the buffer; until `unpack`, no parameter may be read.
  public func pack() {
    var end = layout.dense.upperBound
    for entry in layout.rowSparse {
      forEachTouched(entry) { place in
        // Never to the right, so no row is overwritten before it has moved.
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
        // What the rows have left is nobody's, or belongs to rows that are still to come.
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
  /// Where the numbers of some rows lie.
  public func range(ofRows rows: Range<Int>) -> Range<Int> {
    offset + rows.lowerBound * columns..<offset + rows.upperBound * columns
  }
}
