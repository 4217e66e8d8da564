/// The number format of the factors in products with parameters. Sums, and everything else, are in
/// single precision either way.
public enum Precision: String, Codable, CaseIterable, Sendable {
  case float32
  /// Rounds both factors to bfloat16, which has the exponent of a `Float` and 8 bits of its significand
  /// (Kalamkar et al. 2019): weights once after every update, activations and their gradients at each
  /// product. Master weights, weight gradients, states and gates stay in single precision.
  case bfloat16

  /// Returns the factor that a product uses in place of `x`.
  public func nearest(to x: Float) -> Float {
    self == .float32 ? x : Float(bitPattern: UInt32(bfloat16Bits(x)) &<< 16)
  }
}

/// Returns the bits of the nearest bfloat16, ties to even; NaN stays NaN.
@inline(__always) func bfloat16Bits(_ x: Float) -> UInt16 {
  let bits = x.bitPattern
  let rounded = bits &+ 0x7FFF &+ ((bits &>> 16) & 1)
  // Rounding could carry a NaN's last bits away; the quiet bit is not among them.
  let kept = x == x ? rounded : bits | 0x0040_0000
  return UInt16(truncatingIfNeeded: kept &>> 16)
}

#if !REAL_IS_DOUBLE
  extension Matrix {
    /// Writes the numbers rounded to bfloat16, row by row without gaps.
    func round(into rounded: UnsafeMutablePointer<UInt16>) {
      if stride == columns {
        roundRow(start, into: rounded, count: rows * columns)
      } else {
        for i in 0..<rows {
          roundRow(start + i * stride, into: rounded + i * columns, count: columns)
        }
      }
    }

    /// Writes the numbers rounded to bfloat16 but stored in single precision, row by row without gaps.
    func round(into rounded: Matrix) {
      precondition(
        rounded.rows == rows && rounded.columns == columns,
        "rounding \(rows)×\(columns) into \(rounded.rows)×\(rounded.columns)")
      for i in 0..<rows { roundRow(self[i], into: rounded[i]) }
    }
  }

  @inline(never) private func roundRow(
    _ x: UnsafeMutablePointer<Float>, into y: UnsafeMutablePointer<UInt16>, count: Int
  ) {
    for j in 0..<count { y[j] = bfloat16Bits(x[j]) }
  }

  @inline(never) private func roundRow(_ x: Row, into y: Row) {
    for j in 0..<x.count { y[j] = Precision.bfloat16.nearest(to: x[j]) }
  }
#endif
