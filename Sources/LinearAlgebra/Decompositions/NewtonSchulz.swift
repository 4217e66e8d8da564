/// Makes the singular values of matrices about 1 without computing them: the orthogonal factor of a polar
/// decomposition, by a Newton–Schulz iteration of fifth order.
///
///     X ← M / max(‖M‖, 10⁻⁷)
///     X ← a X + (b A + c A²) X,   A = X Xᵀ,   so often as there are steps
///
/// ‖M‖ is the Frobenius norm. With (a, b, c) = (3.4445, −4.7750, 2.0315) five steps bring all but the smallest
/// singular values between 0.7 and 1.2 (Jordan et al. 2024). A matrix with more rows than columns uses
/// A = Xᵀ X from the right, which is the iteration of its transpose.
public final class NewtonSchulz {
  private let product, square, step: Buffer<Real>
  private let (a, b, c): (Real, Real, Real) = (3.4445, -4.7750, 2.0315)

  /// - Parameter shapes: The rows and columns of all matrices that will be passed.
  public init(_ shapes: [(rows: Int, columns: Int)]) {
    let side = shapes.map { min($0.rows, $0.columns) }.max() ?? 0
    product = Buffer(count: side * side)
    square = Buffer(count: side * side)
    step = Buffer(count: shapes.map { $0.rows * $0.columns }.max() ?? 0)
  }

  /// Replaces a matrix by its orthogonal factor.
  public func orthogonalize(_ x: Matrix, steps: Int) {
    let side = min(x.rows, x.columns)
    let isTall = x.rows > x.columns
    let gram = Matrix(product, rows: side, columns: side)
    let power = Matrix(square, rows: side, columns: side)
    let y = Matrix(step, rows: x.rows, columns: x.columns)
    var total = 0.0
    for i in 0..<x.rows { total += x[i].squaredNorm }
    let factor = Real(1 / max(total.squareRoot(), 1e-7))
    for i in 0..<x.rows { x[i].scale(by: factor) }
    for _ in 0..<steps {
      if isTall { gram.setProduct(x.transposed, x) } else { gram.setProduct(x, x.transposed) }
      power.setProduct(gram, gram)
      for i in 0..<side { combine(gram[i], b, power[i], c) }
      if isTall { y.setProduct(x, gram) } else { y.setProduct(gram, x) }
      for i in 0..<x.rows { combine(x[i], a, y[i], 1) }
    }
  }
}

/// x ← p x + q y
@inline(never) private func combine(_ x: Row, _ p: Real, _ y: Row, _ q: Real) {
  for j in 0..<x.count { x[j] = p * x[j] + q * y[j] }
}
