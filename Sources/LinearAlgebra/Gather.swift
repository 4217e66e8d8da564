// Gathering and scattering rows by index, as in an embedding lookup and its gradient.
extension Matrix {
  /// Copies row `places[i]` of `source` to row i: Y = S X for a matrix S with a single 1 in each
  /// row.
  public func gather(_ source: Matrix, at places: Buffer<Int32>) {
    precondition(
      columns == source.columns && rows <= places.count,
      "gathering \(rows)×\(columns) from \(source.rows)×\(source.columns) by \(places.count) places"
    )
    let places = places.elements(count: rows)
    for i in 0..<rows {
      let place = Int(places[i])
      precondition(place >= 0 && place < source.rows, "row \(place) of \(source.rows)")
      (start + i * stride).update(from: source.start + place * source.stride, count: columns)
    }
  }

  /// Adds row i of `terms` to row `places[i]` of this matrix: X += Sᵀ Y, in the order of i.
  public func addScattered(_ terms: Matrix, at places: Buffer<Int32>) {
    precondition(
      columns == terms.columns && terms.rows <= places.count,
      "adding \(terms.rows)×\(terms.columns) to \(rows)×\(columns) by \(places.count) places")
    let places = places.elements(count: terms.rows)
    for i in 0..<terms.rows {
      let place = Int(places[i])
      precondition(place >= 0 && place < rows, "row \(place) of \(rows)")
      addRow(terms[i], to: self[place])
    }
  }

  /// Adds column `places[i]` of `source` to row i: Y += S Xᵀ for a matrix S with a single 1 in each
  /// row.
  public func addColumns(of source: Matrix, at places: Buffer<Int32>) {
    precondition(
      columns == source.rows && rows <= places.count,
      "gathering \(rows)×\(columns) from the columns of \(source.rows)×\(source.columns)")
    let places = places.elements(count: rows)
    for i in 0..<rows {
      let place = Int(places[i])
      precondition(place >= 0 && place < source.columns, "column \(place) of \(source.columns)")
      addColumn(source, place, to: self[i])
    }
  }

  /// Adds row i of `terms` to column `places[i]` of this matrix: X += Yᵀ S, in the order of i.
  public func addToColumns(_ terms: Matrix, at places: Buffer<Int32>) {
    precondition(
      rows == terms.columns && terms.rows <= places.count,
      "adding \(terms.rows)×\(terms.columns) to the columns of \(rows)×\(columns)")
    let places = places.elements(count: terms.rows)
    for i in 0..<terms.rows {
      let place = Int(places[i])
      precondition(place >= 0 && place < columns, "column \(place) of \(columns)")
      addToColumn(terms[i], place, of: self)
    }
  }
}

@inline(never) private func addColumn(_ x: Matrix, _ place: Int, to y: Row) {
  for j in 0..<y.count { y[j] += x[j, place] }
}
@inline(never) private func addToColumn(_ y: Row, _ place: Int, of x: Matrix) {
  for j in 0..<y.count { x[j, place] += y[j] }
}
