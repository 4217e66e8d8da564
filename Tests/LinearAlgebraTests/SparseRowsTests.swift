import Glibc
import LinearAlgebra
import Testing

@Suite struct `Sparse rows` {
  private func full(_ rows: [[Double]]) -> SparseRows {
    SparseRows(
      size: rows.count, perRow: rows.count, columns: rows.flatMap { Array($0.indices) },
      values: rows.flatMap { $0 })
  }

  @Test func `have the spectral radius of known matrices`() {
    let (c, s) = (cos(0.7), sin(0.7))
    let known: [(SparseRows, Double)] = [
      (full([[0.5, 0, 0], [0, -0.8, 0], [0, 0, 0.3]]), 0.8),
      // A complex pair that leads, by little and seen from a slanted basis.
      (full([[0.9 * c, -9 * s, 0], [0.09 * s, 0.9 * c, 0], [1, 2, 0.89]]), 0.9),
      // Fibonacci's companion matrix, and one whose eigenvalues are the cube roots of 2.
      (full([[1, 1], [1, 0]]), (1 + 5.0.squareRoot()) / 2),
      (full([[0, 0, 2], [1, 0, 0], [0, 1, 0]]), cbrt(2)),
      // Two eigenvalues of the same size, and a defective one.
      (full([[1.5, 0], [0, -1.5]]), 1.5),
      (full([[0.7, 1], [0, 0.7]]), 0.7),
      (full([[0, 1, 2], [0, 0, 3], [0, 0, 0]]), 0),
    ]
    for (matrix, radius) in known {
      #expect(abs(matrix.spectralRadius - radius) <= 1e-3 * radius, "\(matrix)")
    }
  }

  /// A full circle of ones, shuffled, times 0.6: all eigenvalues have that size.
  @Test func `have the spectral radius of a cycle`() {
    let columns = (0..<37).map { ($0 * 8 + 5) % 37 }
    let cycle = SparseRows(
      size: 37, perRow: 1, columns: columns, values: Array(repeating: 0.6, count: 37))
    #expect(abs(cycle.spectralRadius - 0.6) < 6e-4)
  }

  @Test(arguments: [(7, 3), (200, 10), (150, 150)])
  func `drawn at random have as many different columns in each row as asked for`(
    size: Int, perRow: Int
  ) {
    let rows = SparseRows(size: size, perRow: perRow, from: Philox(seed: 3, name: "rows"))
    for row in 0..<size {
      let own = rows.columns[row * perRow..<(row + 1) * perRow]
      #expect(zip(own, own.dropFirst()).allSatisfy { $0 < $1 })
    }
    #expect(rows.values.allSatisfy { abs($0) <= 1 })
    let seen = Set(rows.columns)
    #expect(Double(seen.count) > 0.8 * Double(size), "some columns are never drawn")
    // Eigenvalues of a large random matrix fill the circle of this radius (Girko 1984).
    let expected = (Double(perRow) / 3).squareRoot()
    if size > 100 { #expect(abs(rows.spectralRadius / expected - 1) < 0.2) }
  }
}
