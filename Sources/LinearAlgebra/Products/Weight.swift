/// A parameter as a factor of products: `x · W`, where `W` maps `from` inputs to `to` outputs.
///
/// Parameters are stored `[out, in]`, as PyTorch stores them, so `W` is the transpose of the stored
/// matrix. A product may use a copy of the weight, packed for the processor or rounded; no cell needs
/// to know.
public struct Weight {
  /// The stored numbers, `[out, in]`, for elementwise use.
  public let matrix: Matrix
  let isTransposed: Bool
  // Not `unowned(unsafe)`: code that is compiled without optimization does not find the end of a
  // sequence of tuples that hold such a reference (Swift 6.3).
  private let product: Unmanaged<WeightProduct>?

  /// Makes a weight by itself, without copies.
  public init(_ stored: Matrix) { self.init(stored, isTransposed: false, product: nil) }

  init(_ stored: Matrix, isTransposed: Bool, product: WeightProduct?) {
    self.init(stored, isTransposed: isTransposed, unmanaged: product.map(Unmanaged.passUnretained))
  }

  private init(_ stored: Matrix, isTransposed: Bool, unmanaged product: Unmanaged<WeightProduct>?) {
    matrix = stored
    self.isTransposed = isTransposed
    self.product = product
  }

  /// The factor Wᵀ, for gradients of the inputs from gradients of the outputs.
  public var transposed: Weight { Weight(matrix, isTransposed: !isTransposed, unmanaged: product) }

  /// The only row of a parameter that is a vector, such as a bias.
  public var row: Row {
    precondition(matrix.rows == 1, "a parameter of \(matrix.rows) rows used as a vector")
    return matrix[0]
  }

  /// C = keep · C + A W
  func multiply(_ a: Matrix, into c: Matrix, keep: Real) {
    let product = product?.takeUnretainedValue()
    if let clock = product?.model.clock {
      return clock.time { multiply(a, into: c, keep: keep, by: product) }
    }
    multiply(a, into: c, keep: keep, by: product)
  }

  private func multiply(_ a: Matrix, into c: Matrix, keep: Real, by product: WeightProduct?) {
    guard let product, c.rows > 0, c.columns > 0, a.columns > 0 else {
      return c.multiply(a, false, matrix, !isTransposed, keep: keep)
    }
    let (inner, outer) =
      isTransposed ? (matrix.rows, matrix.columns) : (matrix.columns, matrix.rows)
    precondition(
      a.rows == c.rows && a.columns == inner && outer == c.columns,
      "product of \(a.rows)×\(a.columns) and \(inner)×\(outer) into \(c.rows)×\(c.columns)")
    product.multiply(a, into: c, isTransposed: isTransposed, keep: keep)
  }
}

/// The gradient of the loss with respect to a parameter, in the shape in which the parameter is stored.
/// It is only ever added to.
public struct WeightGradient {
  public let matrix: Matrix
  private let products: Unmanaged<WeightProducts>?

  public init(_ matrix: Matrix) { self.init(matrix, unmanaged: nil) }

  init(_ matrix: Matrix, products: WeightProducts) {
    self.init(matrix, unmanaged: .passUnretained(products))
  }

  private init(_ matrix: Matrix, unmanaged products: Unmanaged<WeightProducts>?) {
    self.matrix = matrix
    self.products = products
  }

  /// The only row of the gradient of a parameter that is a vector.
  public var row: Row {
    precondition(matrix.rows == 1, "a gradient of \(matrix.rows) rows used as a vector")
    return matrix[0]
  }

  /// Returns the gradient of some of the rows, that is, some of the outputs.
  public func slice(rows range: Range<Int>) -> WeightGradient {
    WeightGradient(matrix.slice(rows: range), unmanaged: products)
  }

  /// Returns the gradient of some of the columns: of a bias, some of the outputs.
  public func slice(columns range: Range<Int>) -> WeightGradient {
    WeightGradient(matrix.slice(columns: range), unmanaged: products)
  }

  /// G += Aᵀ B: gradients of the outputs at many steps, times the inputs there.
  public func addProduct(_ a: Transposed, _ b: Matrix) {
    guard let products else { return matrix.addProduct(a, b) }
    products.takeUnretainedValue().addGradient(a.matrix, b, to: matrix)
  }

  /// Adds row i of `terms` to column `places[i]`: the gradient of a weight whose input is a symbol.
  public func addToColumns(_ terms: Matrix, at places: Buffer<Int32>) {
    matrix.addToColumns(terms, at: places)
  }

  /// G += A
  public func add(_ other: Matrix) { matrix.add(other) }
  /// G += Σ over the rows of A: the gradient of a bias.
  public func addColumnSums(_ a: Matrix) { matrix.addColumnSums(a) }
}
