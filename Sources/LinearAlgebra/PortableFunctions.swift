// Exponentials and powers with the same bits on every processor, for values on which all ranks must
// agree: learning rates, and constants that each rank computes for itself. The C library chooses
// its code by processor, and the last bits differ.

/// e to the power `x`, to about half a unit in the last place.
package func exponential(_ x: Double) -> Double { exponential(Sum(x)) }

/// `x` to the power `y`, for positive `x` and finite numbers, to about half a unit in the last
/// place.
///
/// eˣ and ln x are computed as sums of two numbers each, with about 30 digits. A power of up to 745
/// loses the last few of them.
package func power(_ x: Double, _ y: Double) -> Double {
  precondition(x > 0 && x.isFinite && y.isFinite, "\(x) to the power \(y)")
  return exponential(logarithm(x) * Sum(y))
}

/// ln x = e ln 2 + 2 artanh s with x = 2ᵉ m, m in [√½, √2), and s = (m − 1)/(m + 1).
private func logarithm(_ x: Double) -> Sum {
  var (m, e) = (x.significand, Double(x.exponent))
  if m >= 1.4142135623730951 { (m, e) = (m / 2, e + 1) }
  let s = Sum(m - 1) / Sum(exactly: m, 1)
  let z = s * s
  var series = Sum(0)
  for k in (0...23).reversed() { series = series * z + Sum(1) / Sum(Double(2 * k + 1)) }
  return Sum(e) * .logarithmOfTwo + Sum(2) * s * series
}

/// eˣ = 2ⁿ eʳ with |r| ≤ ln 2 / 2, and eʳ by its series.
private func exponential(_ x: Sum) -> Double {
  if !(x.high > -746) { return x.high.isNaN ? .nan : 0 }
  if x.high > 710 { return .infinity }
  let n = (x.high / Sum.logarithmOfTwo.high).rounded()
  let r = x + Sum(-n) * .logarithmOfTwo
  var series = Sum(1)
  for k in (1...26).reversed() { series = Sum(1) + series * r / Sum(Double(k)) }
  // Applied in two halves, because 2ⁿ alone may underflow.
  let half = Int(n) / 2
  return (series.high + series.low) * Double(sign: .plus, exponent: half, significand: 1)
    * Double(sign: .plus, exponent: Int(n) - half, significand: 1)
}

/// A number as the sum of two numbers; the second is at most half a unit in the last place of the
/// first (Dekker 1971).
private struct Sum {
  var high, low: Double

  static let logarithmOfTwo = Sum(high: 0x1.62e42fefa39efp-1, low: 0x1.abc9e3b39803fp-56)

  init(_ x: Double) { (high, low) = (x, 0) }

  init(high: Double, low: Double) { (self.high, self.low) = (high, low) }

  /// a + b without rounding error (Knuth 1969).
  init(exactly a: Double, _ b: Double) {
    high = a + b
    let part = high - a
    low = (a - (high - part)) + (b - part)
  }

  static func + (a: Sum, b: Sum) -> Sum {
    let sum = Sum(exactly: a.high, b.high)
    return Sum(exactly: sum.high, sum.low + (a.low + b.low))
  }

  static func * (a: Sum, b: Sum) -> Sum {
    let product = a.high * b.high
    // The rounding error of the product; a fused multiply-add rounds once on every processor.
    let rest = (-product).addingProduct(a.high, b.high)
    return Sum(exactly: product, rest + (a.high * b.low + a.low * b.high))
  }

  static func / (a: Sum, b: Sum) -> Sum {
    let first = a.high / b.high
    let rest = a + b * Sum(-first)
    let second = rest.high / b.high
    let last = rest + b * Sum(-second)
    return Sum(exactly: first, second) + Sum(last.high / b.high)
  }
}
