// The elementwise functions of recurrent networks, without a branch or a table, so that a loop over a
// row becomes vector instructions. Single precision: within 2 units in the last place of the exact
// value wherever the result is a normal number; NaN comes out as NaN. In double precision, which only
// checks derivatives, they are the C library's.

#if REAL_IS_DOUBLE
  internal import Glibc

  /// e to the power `x`.
  public func exp(_ x: Real) -> Real { Glibc.exp(x) }
  /// The hyperbolic tangent, (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ).
  public func tanh(_ x: Real) -> Real { Glibc.tanh(x) }
#else
  /// e to the power `x`: x = n ln 2 + r, |r| ≤ ln 2 / 2, a polynomial for eʳ, and 2ⁿ through the
  /// exponent's bits in two halves, so that results up to the largest `Float` and down to the
  /// subnormal ones come out right (Cody & Waite 1980; coefficients from Cephes, Moshier 1992).
  @inlinable @inline(__always)
  public func exp(_ x: Real) -> Real {
    // Comparisons that are false for NaN keep it.
    let above = x > 89 ? 89 : x
    let y = above < -104 ? -104 : above
    // Adding 1.5 · 2²³ rounds to the nearest integer and leaves it in the low bits.
    let shifted = y * 1.44269504 + 12_582_912
    let n = shifted - 12_582_912
    // ln 2 in two pieces: the product with the first is exact, so its difference is too, and the small
    // rest joins the sum below among small numbers.
    let coarse = y - n * 0.693359375
    let fine = n * 2.12194440e-4
    let r = coarse + fine
    var p: Float = 1.9875691500e-4
    p = p * r + 1.3981999507e-3
    p = p * r + 8.3334519073e-3
    p = p * r + 4.1665795894e-2
    p = p * r + 1.6666665459e-1
    p = p * r + 5.0000001201e-1
    let e = (p * (r * r) + fine) + coarse + 1
    let exponent = Int32(bitPattern: shifted.bitPattern &- 0x4B40_0000)
    let half = exponent &>> 1
    let low = Float(bitPattern: UInt32(bitPattern: (half &+ 127) &<< 23))
    let high = Float(bitPattern: UInt32(bitPattern: (exponent &- half &+ 127) &<< 23))
    return e * low * high
  }

  /// The hyperbolic tangent: an odd polynomial near zero, where 1 − 2/(e²ˣ + 1) would lose every digit,
  /// and that quotient elsewhere; the sign is put back at the end, so that −0 keeps it.
  @inlinable @inline(__always)
  public func tanh(_ x: Real) -> Real {
    let a = x.magnitude
    let z = a * a
    var p: Float = -5.70498872745e-3
    p = p * z + 2.06390887954e-2
    p = p * z - 5.37397155531e-2
    p = p * z + 1.33314422036e-1
    p = p * z - 3.33332819422e-1
    let near = p * z * a + a
    let far = 1 - 2 / (exp(2 * a) + 1)
    let y = a < 0.625 ? near : far
    return Float(bitPattern: y.bitPattern | (x.bitPattern & 0x8000_0000))
  }
#endif

/// The logistic function, 1 / (1 + e⁻ˣ).
@inlinable @inline(__always)
public func sigmoid(_ x: Real) -> Real {
  // The power that is at most 1 never overflows, and below zero it carries the result's last digits,
  // which 1 / (1 + e⁻ˣ) would lose. Far below, s = e − e s does without the rounding of 1 + e.
  let e = exp(-x.magnitude)
  let s = (x < 0 ? e : 1) / (1 + e)
  return x < -1 ? e - e * s : s
}
