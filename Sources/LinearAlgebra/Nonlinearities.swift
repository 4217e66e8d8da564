// The elementwise functions of recurrent networks. They have no branches and no tables, so a loop
// over a row becomes vector instructions. In single precision they are within 2 units in the last
// place of the exact value wherever the result is a normal number; NaN gives NaN. In double
// precision, which is only used to check gradients, they are the C library's functions.

#if REAL_IS_DOUBLE
  internal import Glibc

  /// e to the power `x`.
  public func exp(_ x: Real) -> Real { Glibc.exp(x) }
  /// The hyperbolic tangent, (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ).
  public func tanh(_ x: Real) -> Real { Glibc.tanh(x) }
  /// The logistic function, 1 / (1 + e⁻ˣ).
  public func sigmoid(_ x: Real) -> Real {
    // The power e^(−|x|) is at most 1, so neither of the two quotients overflows.
    let e = Glibc.exp(-x.magnitude)
    return (x < 0 ? e : 1) / (1 + e)
  }
  /// eˣ − 1 for x ≤ 0, without the loss of digits near zero.
  public func exponentialMinusOne(_ x: Real) -> Real { Glibc.expm1(x) }
  /// ln(1 + eˣ)
  public func softplus(_ x: Real) -> Real { max(x, 0) + Glibc.log1p(Glibc.exp(-x.magnitude)) }
  /// Φ(x), the share of a standard normal distribution below x, and its density φ(x) = Φ′(x).
  public func normalDistribution(_ x: Real) -> (share: Real, density: Real) {
    (0.5 * erfc(-x * 0.5.squareRoot()), Glibc.exp(-0.5 * x * x) / (2 * Double.pi).squareRoot())
  }
#else
  // This import is public because inlined functions call the header, which is part of this package.
  public import CArithmetic

  /// Splits eʸ = 2ⁿ (1 + q): y = n ln 2 + r, |r| ≤ ln 2 / 2, q = eʳ − 1 by a polynomial (Cody &
  /// Waite 1980; coefficients from Cephes, Moshier 1992).
  /// - Returns: q, and n in the low bits, below those of 1.5 · 2²³.
  @inlinable @inline(__always)
  func splitPower(_ y: Real) -> (q: Real, n: UInt32) {
    // Adding 1.5 · 2²³ rounds to the nearest integer and leaves it in the low bits.
    let shifted = multiplyAdd(y, 1.44269504, 12_582_912)
    let n = shifted - 12_582_912
    // ln 2 is split in two parts, so that the product with the first part is exact.
    let coarse = multiplyAdd(n, -0.693359375, y)
    let r = multiplyAdd(n, 2.12194440e-4, coarse)
    var p: Float = 1.9875691500e-4
    p = multiplyAdd(p, r, 1.3981999507e-3)
    p = multiplyAdd(p, r, 8.3334519073e-3)
    p = multiplyAdd(p, r, 4.1665795894e-2)
    p = multiplyAdd(p, r, 1.6666665459e-1)
    p = multiplyAdd(p, r, 5.0000001201e-1)
    return (multiplyAdd(p, r * r, r), shifted.bitPattern &- 0x4B40_0000)
  }

  /// Computes eˣ = 2ⁿ eʳ. The factor 2ⁿ is applied in two halves through the exponent bits, so that
  /// results up to the largest `Float` and down to subnormal numbers are right.
  @inlinable @inline(__always)
  public func exp(_ x: Real) -> Real {
    // These comparisons are false for NaN, so a NaN is kept.
    let above = x > 89 ? 89 : x
    let (q, n) = splitPower(above < -104 ? -104 : above)
    let exponent = Int32(bitPattern: n)
    let half = exponent &>> 1
    let low = Float(bitPattern: UInt32(bitPattern: (half &+ 127) &<< 23))
    let high = Float(bitPattern: UInt32(bitPattern: (exponent &- half &+ 127) &<< 23))
    return (1 + q) * low * high
  }

  /// Computes tanh x = e / (e + 1) with e = (e²ˣ − 1) / 2, which keeps every digit near zero. The
  /// sign is restored at the end, so that −0 gives −0.
  @inlinable @inline(__always)
  public func tanh(_ x: Real) -> Real {
    let twice = 2 * x.magnitude
    let (q, n) = splitPower(twice > 20 ? 20 : twice)
    let half = Float(bitPattern: (n &+ 126) &<< 23)
    let e = multiplyAdd(half, q, half - 0.5)
    let far = e / (e + 1)
    // e − e²/(e + 1) is the same quotient without the rounding of e + 1, which matters for small e.
    let y = e < 0.5 ? multiplyAdd(-e, far, e) : far
    return Float(bitPattern: y.bitPattern | (x.bitPattern & 0x8000_0000))
  }

  /// The logistic function, 1 / (1 + e⁻ˣ).
  @inlinable @inline(__always)
  public func sigmoid(_ x: Real) -> Real {
    // The power e^(−|x|) is at most 1 and never overflows. Below zero it carries the last digits of
    // the result, which 1 / (1 + e⁻ˣ) would lose. Far below zero, s = e − e s avoids the rounding
    // of 1 + e.
    let size = x.magnitude
    let (q, n) = splitPower(size > 88 ? -88 : -size)
    // Near −88 the exponent bits become those of zero, where the result is not a normal number.
    let two = Float(bitPattern: (n &+ 127) &<< 23)
    let e = multiplyAdd(two, q, two)
    let s = (x < 0 ? e : 1) / (1 + e)
    return x < -1 ? multiplyAdd(-e, s, e) : s
  }

  /// eˣ − 1 for x ≤ 0, without the loss of digits near zero: 2ⁿ q + (2ⁿ − 1).
  @inlinable @inline(__always)
  public func exponentialMinusOne(_ x: Real) -> Real {
    let (q, n) = splitPower(x < -87 ? -87 : x)
    let two = Float(bitPattern: (n &+ 127) &<< 23)
    return multiplyAdd(two, q, two - 1)
  }

  /// ln(1 + eˣ) = max(x, 0) + 2 artanh s with s = e/(2 + e), e = e^(−|x|) and s ≤ ⅓.
  @inlinable @inline(__always)
  public func softplus(_ x: Real) -> Real {
    let e = exp(-x.magnitude)
    let s = e / (2 + e)
    let z = s * s
    var p: Float = 1 / 15
    p = multiplyAdd(p, z, 1 / 13)
    p = multiplyAdd(p, z, 1 / 11)
    p = multiplyAdd(p, z, 1 / 9)
    p = multiplyAdd(p, z, 1 / 7)
    p = multiplyAdd(p, z, 1 / 5)
    p = multiplyAdd(p, z, 1 / 3)
    let half = multiplyAdd(s * z, p, s)
    return (x < 0 ? 0 : x) + 2 * half
  }

  /// Φ(x), the share of a standard normal distribution below x, and its density φ(x) = Φ′(x).
  ///
  /// With t = |x| and u = 1/(1 + t/4), Φ(−t) = e^(−t²/2) u P(u) with a polynomial P of degree 9, fitted to
  /// 10⁻⁸ of the exact ratio. Both results are within 20 units in the last place for |x| < 5: the
  /// rounding of t² weighs most.
  @inlinable @inline(__always)
  public func normalDistribution(_ x: Real) -> (share: Real, density: Real) {
    let power = exp(-0.5 * x * x)
    let u = 1 / multiplyAdd(x.magnitude, 0.25, 1)
    var p: Float = 0.01658110664
    p = multiplyAdd(p, u, -0.06280037112)
    p = multiplyAdd(p, u, 0.05167241157)
    p = multiplyAdd(p, u, 0.02840800689)
    p = multiplyAdd(p, u, 0.01273595427)
    p = multiplyAdd(p, u, 0.08664337191)
    p = multiplyAdd(p, u, 0.07200431513)
    p = multiplyAdd(p, u, 0.09551461606)
    p = multiplyAdd(p, u, 0.09949269683)
    p = multiplyAdd(p, u, 0.09974789588)
    let tail = power * (u * p)
    return (x < 0 ? tail : 1 - tail, power * 0.3989422804)
  }
#endif
