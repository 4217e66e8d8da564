internal import COpenBLAS

/// A parameter as a factor of products: `x · W`, where `W` maps `from` inputs to `to` outputs.
///
/// Parameters are stored `[out, in]`, as PyTorch stores them, so `W` is the transpose of what lies in
/// memory. Whoever multiplies by a weight does not see how it is stored: a copy packed for the
/// processor can take the place of the matrix here without any cell changing.
public struct Weight {
  /// The stored numbers, `[out, in]`, for elementwise use.
  public let matrix: Matrix
  let isTransposed: Bool

  public init(_ stored: Matrix) {
    matrix = stored
    isTransposed = false
  }

  private init(_ stored: Matrix, isTransposed: Bool) {
    matrix = stored
    self.isTransposed = isTransposed
  }

  /// The factor that takes derivatives of the outputs back to the inputs.
  public var transposed: Weight { Weight(matrix, isTransposed: !isTransposed) }

  /// The only row of a parameter that is a vector, such as a bias.
  public var row: Row {
    precondition(matrix.rows == 1, "a parameter of \(matrix.rows) rows used as a vector")
    return matrix[0]
  }
}

// Every matrix product of the program.
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
  public func addProduct(_ a: Matrix, _ w: Weight) {
    multiply(a, false, w.matrix, !w.isTransposed, keep: 1)
  }
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
  public func setProduct(_ a: Matrix, _ w: Weight) {
    multiply(a, false, w.matrix, !w.isTransposed, keep: 0)
  }

  /// C = keep · C + op(A) op(B), shapes checked.
  private func multiply(
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
    ProductLibrary.start
    if m == 1 && !transposeA {
      // One stream: a matrix–vector product, a third faster than the general one.
      gemv(
        CblasRowMajor, transposeB ? CblasNoTrans : CblasTrans, Int32(b.rows), Int32(b.columns), 1,
        b.start, Int32(b.stride), a.start, 1, keep, start, 1)
      return
    }
    gemm(
      CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
      Int32(m), Int32(n), Int32(k), 1, a.start, Int32(max(a.stride, 1)), b.start,
      Int32(max(b.stride, 1)), keep, start, Int32(max(stride, 1)))
  }
}

#if REAL_IS_DOUBLE
  private let gemm = cblas_dgemm
  private let gemv = cblas_dgemv
#else
  private let gemm = cblas_sgemm
  private let gemv = cblas_sgemv
#endif

/// What multiplies matrices on this machine.
public enum ProductLibrary {
  /// One thread per process: parallelism is processes. Set before the first product.
  static let start: Void = openblas_set_num_threads(1)

  /// Version and build of the library, such as `OpenBLAS 0.3.21 … Zen MAX_THREADS=64`.
  public static var description: String { String(cString: openblas_get_config()) }
  /// The processor type whose kernels were chosen, such as `SkylakeX`.
  public static var kernels: String { String(cString: openblas_get_corename()) }
  /// The threads that a product uses.
  public static var threads: Int {
    start
    return Int(openblas_get_num_threads())
  }
}
