internal import LinearAlgebra

/// The first values of the vectors of an RWKV-7 layer, as in the training program of its authors.
///
/// j counts the n units from 0, N the units of a head, and the layer is l of L. With p = l/(L − 1) and q = 1 − l/L,
///
///     lin = j/(n−1) − ½,   zig = z |z|,   z = 2 (j mod N)/(N−1) − 1
///     w₀ = −6 + 6 (j/(n−1))^(1 + p^0.3) + ½ + 2.5 zig
///     a₀ = −0.19 + 0.3 zig + 0.4 lin,   v₀ = 0.73 − 0.4 lin
///     k_k = 0.71 − 0.1 lin,   k_a = 1.02,   r_k = −0.04
///     μ = 1 − (j/n)^(c q),   c = 0.2 of r and g, 0.9 of w and a, 0.7 of k and v
///     the gain of the norm = ((1 + l)/L)^0.7
struct RWKV7FirstValues {
  private let units, headUnits: Int
  /// p and q.
  private let place, left: Double
  /// The gain of the norm of each head.
  let gain: Double

  init(_ options: RWKV7.Options) {
    units = options.hidden
    headUnits = options.hidden / options.heads
    let (index, count) = (Double(options.layerIndex), Double(options.layerCount))
    place = index / max(count - 1, 1)
    left = 1 - index / count
    gain = power((1 + index) / count, 0.7)
  }

  var decay: [Double] {
    let exponent = 1 + raised(place, 0.3)
    return values { -6 + 6 * raised(share($0), exponent) + 0.5 + 2.5 * zigzag($0) }
  }
  var rate: [Double] { values { -0.19 + 0.3 * zigzag($0) + 0.4 * (share($0) - 0.5) } }
  var value: [Double] { values { 0.73 - 0.4 * (share($0) - 0.5) } }
  var removal: [Double] { values { 0.71 - 0.1 * (share($0) - 0.5) } }

  /// μ for an exponent of c.
  func mix(_ exponent: Double) -> [Double] {
    tokenShiftMix(units, exponent: exponent * left)
  }

  private func values(_ value: (Int) -> Double) -> [Double] { (0..<units).map(value) }

  /// j/(n − 1)
  private func share(_ j: Int) -> Double { Double(j) / Double(max(units - 1, 1)) }

  private func zigzag(_ j: Int) -> Double {
    let half = Double(headUnits - 1) / 2
    let z = half > 0 ? (Double(j % headUnits) - half) / half : 0
    return z * z.magnitude
  }
}

/// xʸ, and 0 for x = 0.
func raised(_ x: Double, _ y: Double) -> Double { x > 0 ? power(x, y) : 0 }
