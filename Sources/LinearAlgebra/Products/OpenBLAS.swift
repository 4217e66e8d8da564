internal import COpenBLAS

/// OpenBLAS, which takes every product that no other library wants.
struct OpenBLAS: ProductBackend {
  var denseKernel: DenseKernel? { multiply }

  #if REAL_IS_DOUBLE
    var weightPaths: [WeightPath] { [.stored] }

    func weightPath(for precision: Precision, rowsAreIndependent: Bool) -> WeightPath? { .stored }
  #else
    var weightPaths: [WeightPath] { [.stored, .rounded] }

    func weightPath(for precision: Precision, rowsAreIndependent: Bool) -> WeightPath? {
      if rowsAreIndependent { return nil }
      switch precision {
      case .float32: return .stored
      case .bfloat16: return .rounded
      }
    }
  #endif

  /// Sets one thread for each process, before the first product: parallelism is processes, and more
  /// threads would change the last bits of a result.
  static let start: Void = openblas_set_num_threads(1)
}

private func multiply(_ p: DenseProduct) -> Bool {
  OpenBLAS.start
  let (a, b, c) = (p.a, p.b, p.c)
  if p.m == 1 && !p.transposeA {
    // A product of a matrix and a vector, a third faster than the general one.
    gemv(
      CblasRowMajor, p.transposeB ? CblasNoTrans : CblasTrans, Int32(b.rows), Int32(b.columns), 1,
      b.start, Int32(b.stride), a.start, 1, p.keep, c.start, 1)
    return true
  }
  gemm(
    CblasRowMajor, p.transposeA ? CblasTrans : CblasNoTrans,
    p.transposeB ? CblasTrans : CblasNoTrans, Int32(p.m), Int32(p.n), Int32(p.k), 1, a.start,
    Int32(max(a.stride, 1)), b.start, Int32(max(b.stride, 1)), p.keep, c.start,
    Int32(max(c.stride, 1)))
  return true
}

#if REAL_IS_DOUBLE
  private let gemm = cblas_dgemm
  private let gemv = cblas_dgemv
#else
  private let gemm = cblas_sgemm
  private let gemv = cblas_sgemv
#endif
