internal import COpenBLAS

/// Replaces a matrix of normal random numbers with one that has orthonormal rows, or orthonormal
/// columns if it has more rows than columns. The result is Q of its QR decomposition with the signs
/// of R's diagonal, and is uniformly distributed (Mezzadri 2007).
public func makeOrthonormal(_ matrix: Matrix) {
  // LAPACK is column-major: a tall matrix is one whose longer side is `m`.
  let wide = matrix.rows < matrix.columns
  let (m, n) = wide ? (matrix.columns, matrix.rows) : (matrix.rows, matrix.columns)
  guard n > 0 else { return }
  // Always uses one thread, because the number of threads could change the last bits of the
  // weights.
  OpenBLAS.start
  var a = [Real](repeating: 0, count: m * n)
  for i in 0..<m {
    for j in 0..<n { a[j * m + i] = wide ? matrix[j, i] : matrix[i, j] }
  }
  var (rows, columns, info) = (Int32(m), Int32(n), Int32(0))
  var tau = [Real](repeating: 0, count: n)
  var size = Int32(64 * n)
  var work = [Real](repeating: 0, count: 64 * n)
  geqrf(&rows, &columns, &a, &rows, &tau, &work, &size, &info)
  precondition(info == 0, "LAPACK's geqrf refused argument \(-info)")
  let signs = (0..<n).map { j -> Real in a[j * m + j] < 0 ? -1 : 1 }
  orgqr(&rows, &columns, &columns, &a, &rows, &tau, &work, &size, &info)
  precondition(info == 0, "LAPACK's orgqr refused argument \(-info)")
  for i in 0..<m {
    for j in 0..<n {
      let value = signs[j] * a[j * m + i]
      if wide { matrix[j, i] = value } else { matrix[i, j] = value }
    }
  }
}

#if REAL_IS_DOUBLE
  private let geqrf = dgeqrf_
  private let orgqr = dorgqr_
#else
  private let geqrf = sgeqrf_
  private let orgqr = sorgqr_
#endif
