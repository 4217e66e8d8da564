import LinearAlgebra
import Testing

@Suite struct `Rows by index` {
  /// Places of five rows among three: one twice, one thrice, one never.
  private static let places: [Int32] = [2, 0, 2, 0, 0]

  private static func indices(_ values: [Int32]) -> Buffer<Int32> {
    let buffer = Buffer<Int32>(count: values.count)
    for (i, value) in values.enumerated() { buffer.elements()[i] = value }
    return buffer
  }

  /// A view of `rows` × 4 in the middle of wider rows, all of them different numbers.
  private static func view(_ buffer: Buffer<Real>, rows: Int) -> Matrix {
    for k in 0..<buffer.count { buffer.elements()[k] = Real(k + 1) }
    return Matrix(buffer, rows: rows, columns: 6).slice(columns: 1..<5)
  }

  @Test func `are copied from where the places say, and nothing beside the view is written`() {
    let (from, to) = (Buffer<Real>(count: 3 * 6), Buffer<Real>(count: 5 * 6))
    let (source, result) = (Self.view(from, rows: 3), Self.view(to, rows: 5))
    result.gather(source, at: Self.indices(Self.places + [7]))
    for (i, place) in Self.places.enumerated() {
      for j in 0..<4 { #expect(result[i, j] == source[Int(place), j]) }
      #expect(to.elements()[6 * i] == Real(6 * i + 1))
      #expect(to.elements()[6 * i + 5] == Real(6 * i + 6))
    }
  }

  @Test func `are added to where the places say, the others keeping their bits`() {
    let (from, to) = (Buffer<Real>(count: 5 * 6), Buffer<Real>(count: 3 * 6))
    let (terms, result) = (Self.view(from, rows: 5), Self.view(to, rows: 3))
    result.addScattered(terms, at: Self.indices(Self.places + [7]))
    for place in 0..<3 {
      for j in 0..<4 {
        var expected = Real(6 * place + j + 2)
        for i in 0..<5 where Self.places[i] == Int32(place) { expected += terms[i, j] }
        #expect(result[place, j] == expected)
      }
      #expect(to.elements()[6 * place] == Real(6 * place + 1))
      #expect(to.elements()[6 * place + 5] == Real(6 * place + 6))
    }
  }
}
