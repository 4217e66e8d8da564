import LinearAlgebra
import Testing

@Suite struct `Spectral radius` {
  /// Rows of a square matrix, and its largest modulus of an eigenvalue.
  static let known: [([[Double]], Double)] = [
    ([[-0.25]], 0.25),
    ([[0.3, 5], [0, -0.7]], 0.7),
    // 0.5 times a turn by 1 rad: a complex pair.
    ([[0.270151, -0.420735], [0.420735, 0.270151]], 0.5),
    // A turn that is no multiple of anything orthogonal: x² − x + 1.21.
    ([[0, -1.21], [1, 1]], 1.1),
    ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], 0),
    ([[0, 0, 8], [1, 0, 0], [0, 1, 0]], 2),
    ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], 1),
    // A Jordan block, whose powers grow like k 0.9ᵏ.
    ([[0.9, 1], [0, 0.9]], 0.9),
    ([[3e20, 0], [0, 1]], 3e20),
  ]

  @Test(arguments: known) func `of known matrices`(rows: [[Double]], radius: Double) {
    let n = rows.count
    // A view with a stride, as a block of stacked gates is.
    let buffer = Buffer<Real>(count: n * (n + 2))
    let matrix = Matrix(buffer, rows: n, columns: n + 2).slice(columns: 0..<n)
    for i in 0..<n { for j in 0..<n { matrix[i][j] = Real(rows[i][j]) } }
    let found = matrix.spectralRadius
    #expect(abs(found - radius) <= 1e-3 * radius, "\(found) for \(radius)")
  }

  @Test func `of random matrices is that of the circular law`() {
    let n = 200
    let buffer = Buffer<Real>(count: n * n)
    let matrix = Matrix(buffer, rows: n, columns: n)
    let spread = (3 / Double(n)).squareRoot()
    Philox(seed: 2, name: "spectral").fillUniform(matrix, scale: spread)
    #expect(abs(matrix.spectralRadius - 1) < 0.1)
  }
}
