internal import COneDNN
internal import COpenBLAS

// Every matrix product of the program, in single precision (see `Weight` and `WeightGradient` for those
// that may round their operands).
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

  /// C = A B, where `areIndependent` says whether each row of C is to depend on that row of A and on B
  /// alone, to the bit.
  public func setProduct(_ a: Matrix, _ b: Matrix, independentRows areIndependent: Bool) {
    #if !REAL_IS_DOUBLE
      if areIndependent { return multiplyRows(a, b, keep: 0) }
    #endif
    setProduct(a, b)
  }
  /// C = A Bᵀ in the same way.
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
    ProductLibrary.start
    #if !REAL_IS_DOUBLE
      if m == 1 && !transposeA && transposeB {
        return b.multiply(a[0], into: self[0], keep: keep)
      }
    #endif
    if m == 1 && !transposeA {
      // One stream: a matrix–vector product, a third faster than the general one.
      gemv(
        CblasRowMajor, transposeB ? CblasNoTrans : CblasTrans, Int32(b.rows), Int32(b.columns), 1,
        b.start, Int32(b.stride), a.start, 1, keep, start, 1)
      return
    }
    #if !REAL_IS_DOUBLE
      if Self.suitsOneDNN(m, n, k, transposeB) && ProductLibrary.hasOneDNN {
        // The rows of A that it brings into order at once should stay in cache until they are used.
        let block = transposeA ? evenBlock(of: m, atMost: 1024, multipleOf: 16) : m
        var i = 0
        while i < m {
          let height = min(block, m - i)
          let isDone = onednn_sgemm(
            transposeA, transposeB, height, n, k, a.start + i * (transposeA ? 1 : a.stride),
            max(a.stride, 1), b.start, max(b.stride, 1), keep, start + i * stride, max(stride, 1))
          precondition(isDone, "oneDNN had no memory for a product of \(m)×\(k) and \(k)×\(n)")
          i += height
        }
        return
      }
    #endif
    gemm(
      CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
      Int32(m), Int32(n), Int32(k), 1, a.start, Int32(max(a.stride, 1)), b.start,
      Int32(max(b.stride, 1)), keep, start, Int32(max(stride, 1)))
  }

  /// Where oneDNN's product is faster than that of OpenBLAS (docs/performance.md): large ones, unless it
  /// would have to bring a transposed B into order for too few rows of A.
  private static func suitsOneDNN(_ m: Int, _ n: Int, _ k: Int, _ transposeB: Bool) -> Bool {
    m * n * k > 1_000_000 && (!transposeB || m >= 512)
  }
}

/// The size of a part when so many things are cut evenly into as few parts as the limit allows: 700 at
/// most 400 at a time are twice 350.
public func evenBlock(of count: Int, atMost limit: Int, multipleOf unit: Int = 1) -> Int {
  guard count > limit else { return count }
  let blocks = (count - 1) / limit + 1
  let size = (count - 1) / blocks + 1
  return (size + unit - 1) / unit * unit
}

#if REAL_IS_DOUBLE
  private let gemm = cblas_dgemm
  private let gemv = cblas_dgemv
#else
  private let gemm = cblas_sgemm
  private let gemv = cblas_sgemv
#endif
