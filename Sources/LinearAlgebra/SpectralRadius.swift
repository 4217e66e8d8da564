internal import Glibc

extension Matrix {
  /// The largest absolute eigenvalue of a square matrix, from the growth of its powers: `ρ = lim
  /// (‖A²ᵏ‖ / ‖Aᵏ‖)^(1/k)` (Gelfand 1941).
  ///
  /// The matrix is squared twelve times, at 2n³ operations each, so k is 2048. Unlike power
  /// iteration with one vector, this converges too if the largest eigenvalues are a complex pair,
  /// as is usual for recurrent weights.
  public var spectralRadius: Double {
    precondition(rows == columns, "the spectral radius of \(rows)×\(columns)")
    let memory = (Buffer<Real>(count: rows * rows), Buffer<Real>(count: rows * rows))
    var power = Matrix(memory.0, rows: rows, columns: rows)
    var square = Matrix(memory.1, rows: rows, columns: rows)
    power.copy(self)
    // ln ‖Aᵏ‖. The stored matrix is Aᵏ / ‖Aᵏ‖, so that nothing overflows.
    var (logarithm, growth) = (0.0, 0.0)
    for doubling in 0...12 {
      if doubling > 0 {
        square.setProduct(power, power)
        swap(&power, &square)
      }
      let norm = power.frobeniusNorm
      guard norm > 0 else { return 0 }
      guard norm.isFinite else { return norm }
      power.divide(by: norm)
      let next = 2 * logarithm + log(norm)
      growth = (next - logarithm) / (doubling > 0 ? exp2(Double(doubling - 1)) : 1)
      logarithm = next
    }
    return withExtendedLifetime(memory) { exp(growth) }
  }

  private var frobeniusNorm: Double {
    (0..<rows).reduce(0) { $0 + self[$1].squaredNorm }.squareRoot()
  }

  private func divide(by norm: Double) {
    for i in 0..<rows {
      for j in 0..<columns { self[i][j] = Real(Double(self[i][j]) / norm) }
    }
  }
}
