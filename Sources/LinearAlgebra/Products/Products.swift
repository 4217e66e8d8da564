// Matrix products in single precision. `Weight` and `WeightGradient` are for products with parameters,
// whose factors may be rounded.
extension Matrix {
  /// C += A B
  public func addProduct(_ a: Matrix, _ b: Matrix) { multiply(a, false, b, false, keep: 1) }
  /// C += Aᵀ B
  public func addProduct(_ a: Transposed, _ b: Matrix) {
    multiply(a.matrix, true, b, false, keep: 1)
  }
  /// C += A Bᵀ
  public func addProduct(_ a: Matrix, _ b: Transposed) {
    multiply(a, false, b.matrix, true, keep: 1)
  }
  /// C += A W
  public func addProduct(_ a: Matrix, _ w: Weight) { w.multiply(a, into: self, keep: 1) }
  /// C = A B
  public func setProduct(_ a: Matrix, _ b: Matrix) { multiply(a, false, b, false, keep: 0) }
  /// C = Aᵀ B
  public func setProduct(_ a: Transposed, _ b: Matrix) {
    multiply(a.matrix, true, b, false, keep: 0)
  }
  /// C = A Bᵀ
  public func setProduct(_ a: Matrix, _ b: Transposed) {
    multiply(a, false, b.matrix, true, keep: 0)
  }
  /// C = A W
  public func setProduct(_ a: Matrix, _ w: Weight) { w.multiply(a, into: self, keep: 0) }

  /// C = A B.
  /// - Parameters:
  ///   - a: The left factor A, of as many rows as C.
  ///   - b: The right factor B, of as many columns as C.
  ///   - areIndependent: True if each row of C must depend on that row of A and on B alone, to the
  ///     bit.
  public func setProduct(_ a: Matrix, _ b: Matrix, independentRows areIndependent: Bool) {
    #if !REAL_IS_DOUBLE
      if areIndependent { return multiplyRows(a, b, keep: 0) }
    #endif
    setProduct(a, b)
  }
  /// C = A Bᵀ.
  /// - Parameters:
  ///   - a: The left factor A, of as many rows as C.
  ///   - b: The right factor Bᵀ, which wraps B; B has a row for each column of C.
  ///   - areIndependent: True if each row of C must depend on that row of A and on B alone, to the
  ///     bit.
  public func setProduct(_ a: Matrix, _ b: Transposed, independentRows areIndependent: Bool) {
    #if !REAL_IS_DOUBLE
      if areIndependent { return multiplyRows(a, transposed: b.matrix) }
    #endif
    setProduct(a, b)
  }

  /// C = keep · C + op(A) op(B), shapes checked.
  func multiply(
    _ a: Matrix, _ transposeA: Bool, _ b: Matrix, _ transposeB: Bool, keep: Real
  ) {
    let m = transposeA ? a.columns : a.rows
    let k = transposeA ? a.rows : a.columns
    let n = transposeB ? b.rows : b.columns
    let inner = transposeB ? b.columns : b.rows
    precondition(
      m == rows && n == columns && k == inner,
      "product of \(m)×\(k) and \(inner)×\(n) into \(rows)×\(columns)")
    guard m > 0 && n > 0 else { return }
    guard k > 0 else {
      if keep == 0 { fill(0) }
      return
    }
    let product = DenseProduct(
      a: a, transposeA: transposeA, b: b, transposeB: transposeB, c: self, keep: keep, m: m, n: n,
      k: k)
    for kernel in denseKernels where kernel(product) { return }
    preconditionFailure("the last library of the registry takes every product")
  }
}

/// The size of the parts when `count` things are cut evenly into as few parts as the limit allows: 700
/// things, at most 400 at a time, are two parts of 350.
public func evenBlock(of count: Int, atMost limit: Int, multipleOf unit: Int = 1) -> Int {
  guard count > limit else { return count }
  let blocks = (count - 1) / limit + 1
  let size = (count - 1) / blocks + 1
  return (size + unit - 1) / unit * unit
}
