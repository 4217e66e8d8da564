import LinearAlgebra
import Testing

@Suite struct `Orthonormal matrices` {
  static let shapes = [(9, 4), (4, 9), (6, 6), (1, 5), (5, 1), (1, 1), (130, 70)]

  @Test(arguments: shapes)
  func `the shorter side becomes orthonormal and nothing outside is touched`(
    rows: Int, columns: Int
  ) {
    let q = FramedMatrix(rows: rows, columns: columns, key: 41)
    makeOrthonormal(q.matrix)
    let n = min(rows, columns)
    let product = FramedMatrix(rows: n, columns: n)
    if rows >= columns {
      product.matrix.setProduct(q.matrix.transposed, q.matrix)
    } else {
      product.matrix.setProduct(q.matrix, q.matrix.transposed)
    }
    for i in 0..<n {
      for j in 0..<n {
        let difference = product.matrix[i, j] - (i == j ? 1 : 0)
        #expect(difference.magnitude < 20 * Real.ulpOfOne, "element \(i), \(j)")
      }
    }
    #expect(q.frameIsIntact && product.frameIsIntact)
  }

  @Test(arguments: shapes)
  func `it is Q of the decomposition whose R has a positive diagonal`(rows: Int, columns: Int) {
    let a = FramedMatrix(rows: rows, columns: columns, key: 42)
    let q = FramedMatrix(rows: rows, columns: columns, key: 42)
    makeOrthonormal(q.matrix)
    let n = min(rows, columns)
    // R = Qᵀ A, or its transpose A Qᵀ of a wide matrix: zero on one side of the diagonal.
    let r = FramedMatrix(rows: n, columns: n)
    if rows >= columns {
      r.matrix.setProduct(q.matrix.transposed, a.matrix)
    } else {
      r.matrix.setProduct(q.matrix, a.matrix.transposed)
    }
    for i in 0..<n {
      #expect(r.matrix[i, i] > 0)
      for j in 0..<i { #expect(r.matrix[i, j].magnitude < 200 * Real.ulpOfOne) }
    }
    #expect(a.frameIsIntact && q.frameIsIntact && r.frameIsIntact)
  }

  @Test func `a matrix without elements stays as it is`() {
    let q = FramedMatrix(rows: 0, columns: 4)
    makeOrthonormal(q.matrix)
    #expect(q.frameIsIntact)
  }
}
