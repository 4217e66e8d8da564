import LinearAlgebra
import Testing

/// C is rows × columns, and `inner` numbers are summed for each of its elements.
struct ProductShape: Sendable, CustomTestStringConvertible {
  let rows: Int, inner: Int, columns: Int
  var testDescription: String { "\(rows)×\(inner) by \(inner)×\(columns)" }

  init(_ rows: Int, _ inner: Int, _ columns: Int) {
    (self.rows, self.inner, self.columns) = (rows, inner, columns)
  }

  static let all = [
    ProductShape(3, 5, 7), ProductShape(17, 33, 9), ProductShape(2, 64, 131),
    ProductShape(20, 19, 1), ProductShape(5, 1, 6),
    // One row: the matrix–vector path.
    ProductShape(1, 7, 5), ProductShape(1, 87, 6), ProductShape(1, 130, 67), ProductShape(1, 1, 1),
    ProductShape(1, 6, 1),
    // Nothing to sum, or nothing to fill.
    ProductShape(3, 0, 4), ProductShape(1, 0, 4), ProductShape(0, 3, 4), ProductShape(3, 4, 0),
    ProductShape(1, 4, 0),
  ]
}

@Suite(.serialized) struct `Products` {
  @Test(arguments: ProductShape.all)
  func `C = A B and C += A B`(_ shape: ProductShape) {
    let a = FramedMatrix(rows: shape.rows, columns: shape.inner, margin: 2, key: 1)
    let b = FramedMatrix(rows: shape.inner, columns: shape.columns, margin: 5, key: 2)
    check(shape, { a.matrix[$0, $1] }, { b.matrix[$0, $1] }) {
      $0.setProduct(a.matrix, b.matrix)
    } add: {
      $0.addProduct(a.matrix, b.matrix)
    }
    #expect(a.frameIsIntact && b.frameIsIntact)
  }

  @Test(arguments: ProductShape.all)
  func `C = Aᵀ B and C += Aᵀ B`(_ shape: ProductShape) {
    let a = FramedMatrix(rows: shape.inner, columns: shape.rows, margin: 2, key: 3)
    let b = FramedMatrix(rows: shape.inner, columns: shape.columns, margin: 5, key: 4)
    check(shape, { a.matrix[$1, $0] }, { b.matrix[$0, $1] }) {
      $0.setProduct(a.matrix.transposed, b.matrix)
    } add: {
      $0.addProduct(a.matrix.transposed, b.matrix)
    }
    #expect(a.frameIsIntact && b.frameIsIntact)
  }

  @Test(arguments: ProductShape.all)
  func `C = A Bᵀ and C += A Bᵀ`(_ shape: ProductShape) {
    let a = FramedMatrix(rows: shape.rows, columns: shape.inner, margin: 2, key: 5)
    let b = FramedMatrix(rows: shape.columns, columns: shape.inner, margin: 5, key: 6)
    check(shape, { a.matrix[$0, $1] }, { b.matrix[$1, $0] }) {
      $0.setProduct(a.matrix, b.matrix.transposed)
    } add: {
      $0.addProduct(a.matrix, b.matrix.transposed)
    }
    #expect(a.frameIsIntact && b.frameIsIntact)
  }

  @Test(arguments: ProductShape.all)
  func `a weight is stored [out, in] and takes inputs to outputs`(_ shape: ProductShape) {
    let a = FramedMatrix(rows: shape.rows, columns: shape.inner, margin: 2, key: 7)
    let stored = FramedMatrix(rows: shape.columns, columns: shape.inner, margin: 5, key: 8)
    let weight = Weight(stored.matrix)
    check(shape, { a.matrix[$0, $1] }, { stored.matrix[$1, $0] }) {
      $0.setProduct(a.matrix, weight)
    } add: {
      $0.addProduct(a.matrix, weight.transposed.transposed)
    }
    #expect(a.frameIsIntact && stored.frameIsIntact)
  }

  @Test(arguments: ProductShape.all)
  func `a transposed weight takes derivatives of outputs to inputs`(_ shape: ProductShape) {
    let a = FramedMatrix(rows: shape.rows, columns: shape.inner, margin: 2, key: 9)
    let stored = FramedMatrix(rows: shape.inner, columns: shape.columns, margin: 5, key: 10)
    let weight = Weight(stored.matrix)
    check(shape, { a.matrix[$0, $1] }, { stored.matrix[$0, $1] }) {
      $0.setProduct(a.matrix, weight.transposed)
    } add: {
      $0.addProduct(a.matrix, weight.transposed)
    }
    #expect(a.frameIsIntact && stored.frameIsIntact)
  }

  @Test func `the products use one thread and name their library`() {
    #expect(ProductLibrary.threads == 1)
    #expect(ProductLibrary.description.contains("OpenBLAS"))
    #expect(!ProductLibrary.kernels.isEmpty)
  }

  @Test func `factors that do not fit stop the program`() async {
    await #expect(processExitsWith: .failure) {
      let a = FramedMatrix(rows: 3, columns: 5, key: 1)
      let b = FramedMatrix(rows: 4, columns: 7, key: 2)
      let c = FramedMatrix(rows: 3, columns: 7)
      c.matrix.setProduct(a.matrix, b.matrix)
    }
  }
}

/// Compares one way to multiply with the sum it stands for, setting over NaN and adding to numbers.
private func check(
  _ shape: ProductShape, _ a: (Int, Int) -> Real, _ b: (Int, Int) -> Real,
  set: (Matrix) -> Void, add: (Matrix) -> Void, sourceLocation: SourceLocation = #_sourceLocation
) {
  let overwritten = FramedMatrix(rows: shape.rows, columns: shape.columns)
  set(overwritten.matrix)
  let before = FramedMatrix(rows: shape.rows, columns: shape.columns, key: 99)
  let added = FramedMatrix(rows: shape.rows, columns: shape.columns, key: 99)
  add(added.matrix)
  for i in 0..<shape.rows {
    for j in 0..<shape.columns {
      var sum = 0.0
      var size = before.matrix[i, j].magnitude
      for k in 0..<shape.inner {
        sum += Double(a(i, k)) * Double(b(k, j))
        size += (a(i, k) * b(k, j)).magnitude
      }
      let tolerance = Double(Real(shape.inner + 2) * Real.ulpOfOne * size)
      let total = Double(before.matrix[i, j]) + sum
      #expect(
        (Double(overwritten.matrix[i, j]) - sum).magnitude <= tolerance,
        "set, element \(i), \(j)", sourceLocation: sourceLocation)
      #expect(
        (Double(added.matrix[i, j]) - total).magnitude <= tolerance,
        "add, element \(i), \(j)", sourceLocation: sourceLocation)
    }
  }
  #expect(overwritten.frameIsIntact && added.frameIsIntact, sourceLocation: sourceLocation)
}
