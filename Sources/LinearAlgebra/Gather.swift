// Rows by index: what a lookup in a table is made of.
extension Matrix {
  /// Row i becomes row `places[i]` of `source`: Y = S X for a matrix S with a single 1 in each row.
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
}
