/// A parameter as a factor of products: `x · W`, where `W` maps `from` inputs to `to` outputs.
///
/// Parameters are stored `[out, in]`, as PyTorch stores them, so `W` is the transpose of what lies in
/// memory. Whoever multiplies by a weight does not see how it is stored: a copy packed for the
/// processor, or rounded, takes the place of the matrix without any cell changing.
public struct Weight {
  /// The stored numbers, `[out, in]`, for elementwise use.
  public let matrix: Matrix
  let isTransposed: Bool
  private unowned(unsafe) let packs: PackedWeight?

  /// A weight by itself, without copies.
  public init(_ stored: Matrix) { self.init(stored, isTransposed: false, packs: nil) }

  init(_ stored: Matrix, isTransposed: Bool, packs: PackedWeight?) {
    matrix = stored
    self.isTransposed = isTransposed
    self.packs = packs
  }

  /// The factor that takes derivatives of the outputs back to the inputs.
  public var transposed: Weight { Weight(matrix, isTransposed: !isTransposed, packs: packs) }

  /// The only row of a parameter that is a vector, such as a bias.
  public var row: Row {
    precondition(matrix.rows == 1, "a parameter of \(matrix.rows) rows used as a vector")
    return matrix[0]
  }

  /// C = keep · C + A W
  func multiply(_ a: Matrix, into c: Matrix, keep: Real) {
    #if !REAL_IS_DOUBLE
      if let clock = packs?.products.clock {
        return clock.time { multiplyUntimed(a, into: c, keep: keep) }
      }
    #endif
    multiplyUntimed(a, into: c, keep: keep)
  }

  private func multiplyUntimed(_ a: Matrix, into c: Matrix, keep: Real) {
    #if !REAL_IS_DOUBLE
      if let packs, c.rows > 0, c.columns > 0, a.columns > 0 {
        let (inner, outer) =
          isTransposed ? (matrix.rows, matrix.columns) : (matrix.columns, matrix.rows)
        precondition(
          a.rows == c.rows && a.columns == inner && outer == c.columns,
          "product of \(a.rows)×\(a.columns) and \(inner)×\(outer) into \(c.rows)×\(c.columns)")
        if packs.multiply(a, into: c, isTransposed: isTransposed, keep: keep) { return }
      }
    #endif
    c.multiply(a, false, matrix, !isTransposed, keep: keep)
  }
}

/// The derivative of the loss with respect to a parameter, in the shape in which it is stored; it is
/// only ever added to.
public struct WeightGradient {
  public let matrix: Matrix
  private unowned(unsafe) let products: WeightProducts?

  public init(_ matrix: Matrix) { self.init(matrix, products: nil) }

  init(_ matrix: Matrix, products: WeightProducts?) {
    self.matrix = matrix
    self.products = products
  }

  /// The only row of the derivative of a vector.
  public var row: Row {
    precondition(matrix.rows == 1, "a gradient of \(matrix.rows) rows used as a vector")
    return matrix[0]
  }

  /// That of some of the rows: some of the outputs.
  public func slice(rows range: Range<Int>) -> WeightGradient {
    WeightGradient(matrix.slice(rows: range), products: products)
  }

  /// That of some of the columns: of a bias, some of the outputs.
  public func slice(columns range: Range<Int>) -> WeightGradient {
    WeightGradient(matrix.slice(columns: range), products: products)
  }

  /// G += Aᵀ B: derivatives of the outputs at many steps, times the inputs there.
  public func addProduct(_ a: Transposed, _ b: Matrix) {
    #if !REAL_IS_DOUBLE
      if let products, products.addGradient(a.matrix, b, to: matrix) { return }
    #endif
    matrix.addProduct(a, b)
  }

  /// Adds row i of `terms` to column `places[i]`: the gradient of a matrix whose input is a symbol.
  public func addToColumns(_ terms: Matrix, at places: Buffer<Int32>) {
    matrix.addToColumns(terms, at: places)
  }

  /// G += A
  public func add(_ other: Matrix) { matrix.add(other) }
  /// G += Σ over the rows of A: the gradient of a bias.
  public func addColumnSums(_ a: Matrix) { matrix.addColumnSums(a) }
}
