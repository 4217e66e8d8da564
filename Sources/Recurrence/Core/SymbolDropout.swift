internal import LinearAlgebra

/// Dropout of whole symbols: in a window, the vector of a symbol is zero with probability `rate`
/// wherever the symbol occurs, and is scaled by 1/(1 − rate) otherwise (Gal & Ghahramani 2016,
/// Merity 2017):
///
///     x(t) = m(symbol(t)) E[symbol(t)] / (1 − rate)
///
/// m is a function of the seed, the embedding and (epoch, window, symbol). An output layer that is
/// tied to the embedding reads the whole matrix.
public struct SymbolDropout: Sendable {
  private let rate: Double
  private let random: Philox

  public init(_ rate: Double, seed: UInt64, name: String) {
    precondition(rate > 0 && rate < 1, "dropout of \(rate)")
    self.rate = rate
    random = Philox(seed: seed, name: name + " symbols dropout")
  }

  /// Multiplies each row by the mask of its symbol; leaves it in evaluation.
  func mask(_ x: Matrix, of symbols: Buffer<Int32>, _ pass: Pass) {
    guard pass.isTraining else { return }
    let (symbols, batch) = (symbols.elements(), pass.batch)
    let kept = Real(1 / (1 - rate))
    for row in 0..<x.rows {
      let number = random.fineUniform(
        0, stream: Int(symbols[row]), position: batch.window, epoch: batch.epoch)
      scale(x[row], number < rate ? 0 : kept)
    }
  }
}

/// x = f x, and 0 for f = 0 whatever x is.
@inline(never) private func scale(_ x: Row, _ factor: Real) {
  if factor == 0 { return x.fill(0) }
  for j in 0..<x.count { x[j] *= factor }
}
