// The two functions from which normal random numbers are computed. They have no branches and no
// tables, so a loop over them becomes vector instructions. They do not use the C library, whose
// last bits differ from one processor to another: every rank must generate the same examples of
// generated tasks.

/// ln x, to about two units in the last place, for normal x > 0.
///
/// x = 2ᵉ m with m in [√½, √2) and s = (m − 1) / (m + 1), so ln x = e ln 2 + 2 artanh s, whose
/// series has s² ≤ 0.0295.
@inline(__always)
package func naturalLogarithm(_ x: Double) -> Double {
  // Adding 1 − √½ (in bits) makes the exponent field increase exactly where m would be √2 or more.
  let rootOfHalf: UInt64 = 0x3FE6_A09E_667F_3BCD
  let one: UInt64 = 0x3FF0_0000_0000_0000
  let shifted = x.bitPattern &+ (one &- rootOfHalf)
  let exponent = Double(Int64(bitPattern: shifted >> 52) &- 1023)
  let m = Double(bitPattern: (shifted & 0x000F_FFFF_FFFF_FFFF) &+ rootOfHalf)
  let f = m - 1
  let s = f / (2 + f)
  let z = s * s
  var series = 1.0 / 23
  series = series * z + 1.0 / 21
  series = series * z + 1.0 / 19
  series = series * z + 1.0 / 17
  series = series * z + 1.0 / 15
  series = series * z + 1.0 / 13
  series = series * z + 1.0 / 11
  series = series * z + 1.0 / 9
  series = series * z + 1.0 / 7
  series = series * z + 1.0 / 5
  series = series * z + 1.0 / 3
  // 2 s = f − s f, which keeps f exact beside the much smaller terms.
  return exponent * 0.693147180559945309417 + (f - s * (f - 2 * z * series))
}

/// cos 2πu, to about two units in the last place of 1, for u in [0, 1).
///
/// 4u is q + f with an integer q and |f| ≤ ½, exactly. The quarter q says whether the series of the
/// sine or of the cosine of the angle πf/2 is used.
@inline(__always)
package func cosineOfTurns(_ u: Double) -> Double {
  let quarter = (4 * u + 0.5).rounded(.down)
  let a = (4 * u - quarter) * (0.5 * Double.pi)
  let z = a * a
  var cosine = 1.0 / 20_922_789_888_000
  cosine = cosine * z - 1.0 / 87_178_291_200
  cosine = cosine * z + 1.0 / 479_001_600
  cosine = cosine * z - 1.0 / 3_628_800
  cosine = cosine * z + 1.0 / 40_320
  cosine = cosine * z - 1.0 / 720
  cosine = cosine * z + 1.0 / 24
  cosine = cosine * z - 0.5
  cosine = cosine * z + 1
  var sine = 1.0 / 355_687_428_096_000
  sine = sine * z - 1.0 / 1_307_674_368_000
  sine = sine * z + 1.0 / 6_227_020_800
  sine = sine * z - 1.0 / 39_916_800
  sine = sine * z + 1.0 / 362_880
  sine = sine * z - 1.0 / 5_040
  sine = sine * z + 1.0 / 120
  sine = sine * z - 1.0 / 6
  sine = sine * z + 1
  sine *= a
  let isOdd = quarter == 1 || quarter == 3
  let isNegative = quarter == 1 || quarter == 2
  let magnitude = isOdd ? sine : cosine
  return isNegative ? -magnitude : magnitude
}
