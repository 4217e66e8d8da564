public import LinearAlgebra

/// The functions f of the gates and activations of blocks, applied to each number.
///
/// - `gelu`: x Φ(x) with the normal distribution Φ, the exact form with the error function, PyTorch's
///   `GELU()` (Hendrycks & Gimpel 2016).
/// - `gelu_tanh`: ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))), PyTorch's `GELU(approximate="tanh")`.
/// - `silu`: x σ(x), also called swish.
/// - `sigmoid`: σ(x).
/// - `squared_relu`: max(x, 0)² (So 2021).
public enum PointwiseFunction: String, Codable, CaseIterable, Sendable {
  case gelu, silu, sigmoid
  case geluTanh = "gelu_tanh"
  case squaredRelu = "squared_relu"

  /// Returns f(x).
  public func value(_ x: Real) -> Real {
    switch self {
    case .gelu: GELU.value(x)
    case .geluTanh: TanhGELU.value(x)
    case .silu: SiLU.value(x)
    case .sigmoid: Sigmoid.value(x)
    case .squaredRelu: SquaredReLU.value(x)
    }
  }

  /// y = f(x)
  func apply(_ x: Matrix, to y: Matrix) {
    switch self {
    case .gelu: Rows<GELU>.apply(x, y)
    case .geluTanh: Rows<TanhGELU>.apply(x, y)
    case .silu: Rows<SiLU>.apply(x, y)
    case .sigmoid: Rows<Sigmoid>.apply(x, y)
    case .squaredRelu: Rows<SquaredReLU>.apply(x, y)
    }
  }

  /// x becomes ∂y ∘ f′(x).
  func differentiate(_ dy: Matrix, _ x: Matrix) {
    switch self {
    case .gelu: Rows<GELU>.differentiate(dy, x)
    case .geluTanh: Rows<TanhGELU>.differentiate(dy, x)
    case .silu: Rows<SiLU>.differentiate(dy, x)
    case .sigmoid: Rows<Sigmoid>.differentiate(dy, x)
    case .squaredRelu: Rows<SquaredReLU>.differentiate(dy, x)
    }
  }

  /// y = f(g) ∘ v
  func gate(_ g: Matrix, _ v: Matrix, into y: Matrix) {
    switch self {
    case .gelu: Rows<GELU>.gate(g, v, y)
    case .geluTanh: Rows<TanhGELU>.gate(g, v, y)
    case .silu: Rows<SiLU>.gate(g, v, y)
    case .sigmoid: Rows<Sigmoid>.gate(g, v, y)
    case .squaredRelu: Rows<SquaredReLU>.gate(g, v, y)
    }
  }

  /// g becomes ∂y ∘ v ∘ f′(g), and ∂v += ∂y ∘ f(g).
  func differentiateGate(_ dy: Matrix, _ g: Matrix, _ v: Matrix, _ dv: Matrix) {
    switch self {
    case .gelu: Rows<GELU>.differentiateGate(dy, g, v, dv)
    case .geluTanh: Rows<TanhGELU>.differentiateGate(dy, g, v, dv)
    case .silu: Rows<SiLU>.differentiateGate(dy, g, v, dv)
    case .sigmoid: Rows<Sigmoid>.differentiateGate(dy, g, v, dv)
    case .squaredRelu: Rows<SquaredReLU>.differentiateGate(dy, g, v, dv)
    }
  }

  /// g becomes ∂y ∘ v ∘ f′(g), and v becomes ∂y ∘ f(g).
  func differentiateGate(_ dy: Matrix, _ g: Matrix, overwriting v: Matrix) {
    switch self {
    case .gelu: Rows<GELU>.differentiateGate(dy, g, overwriting: v)
    case .geluTanh: Rows<TanhGELU>.differentiateGate(dy, g, overwriting: v)
    case .silu: Rows<SiLU>.differentiateGate(dy, g, overwriting: v)
    case .sigmoid: Rows<Sigmoid>.differentiateGate(dy, g, overwriting: v)
    case .squaredRelu: Rows<SquaredReLU>.differentiateGate(dy, g, overwriting: v)
    }
  }
}

/// One function with its derivative, as a type, so that each loop below is compiled for it.
private protocol PointwiseEquation {
  /// Returns f(x).
  static func value(_ x: Real) -> Real
  /// Returns f(x) and f′(x).
  static func valueAndSlope(_ x: Real) -> (value: Real, slope: Real)
}

private enum GELU: PointwiseEquation {
  @inline(__always) static func value(_ x: Real) -> Real { x * normalDistribution(x).share }
  @inline(__always) static func valueAndSlope(_ x: Real) -> (value: Real, slope: Real) {
    let (share, density) = normalDistribution(x)
    return (x * share, share + x * density)
  }
}

private enum TanhGELU: PointwiseEquation {
  // ½ (1 + tanh z) = σ(2z), and 1.5957691216 = 2 √(2/π).
  @inline(__always) static func value(_ x: Real) -> Real {
    x * LinearAlgebra.sigmoid(1.5957691216057308 * (x + 0.044715 * x * x * x))
  }
  @inline(__always) static func valueAndSlope(_ x: Real) -> (value: Real, slope: Real) {
    let s = LinearAlgebra.sigmoid(1.5957691216057308 * (x + 0.044715 * x * x * x))
    let inner: Real = 1.5957691216057308 * (1 + 0.134145 * x * x)
    return (x * s, s + x * s * (1 - s) * inner)
  }
}

private enum SiLU: PointwiseEquation {
  @inline(__always) static func value(_ x: Real) -> Real { x * LinearAlgebra.sigmoid(x) }
  @inline(__always) static func valueAndSlope(_ x: Real) -> (value: Real, slope: Real) {
    let s = LinearAlgebra.sigmoid(x)
    return (x * s, s + x * s * (1 - s))
  }
}

private enum Sigmoid: PointwiseEquation {
  @inline(__always) static func value(_ x: Real) -> Real { LinearAlgebra.sigmoid(x) }
  @inline(__always) static func valueAndSlope(_ x: Real) -> (value: Real, slope: Real) {
    let s = LinearAlgebra.sigmoid(x)
    return (s, s * (1 - s))
  }
}

private enum SquaredReLU: PointwiseEquation {
  @inline(__always) static func value(_ x: Real) -> Real {
    let positive = x < 0 ? 0 : x
    return positive * positive
  }
  @inline(__always) static func valueAndSlope(_ x: Real) -> (value: Real, slope: Real) {
    let positive = x < 0 ? 0 : x
    return (positive * positive, 2 * positive)
  }
}

/// The loops over rows of one function.
private enum Rows<F: PointwiseEquation> {
  static func apply(_ x: Matrix, _ y: Matrix) {
    for i in 0..<x.rows { apply(x[i], y[i]) }
  }

  static func differentiate(_ dy: Matrix, _ x: Matrix) {
    for i in 0..<x.rows { differentiate(dy[i], x[i]) }
  }

  static func gate(_ g: Matrix, _ v: Matrix, _ y: Matrix) {
    for i in 0..<y.rows { gate(g[i], v[i], y[i]) }
  }

  static func differentiateGate(_ dy: Matrix, _ g: Matrix, _ v: Matrix, _ dv: Matrix) {
    for i in 0..<dy.rows { differentiateGate(dy[i], g[i], v[i], dv[i]) }
  }

  static func differentiateGate(_ dy: Matrix, _ g: Matrix, overwriting v: Matrix) {
    for i in 0..<dy.rows { differentiateGate(dy[i], g[i], overwriting: v[i]) }
  }

  @inline(never) private static func apply(_ x: Row, _ y: Row) {
    for j in 0..<y.count { y[j] = F.value(x[j]) }
  }

  @inline(never) private static func differentiate(_ dy: Row, _ x: Row) {
    for j in 0..<dy.count { x[j] = dy[j] * F.valueAndSlope(x[j]).slope }
  }

  @inline(never) private static func gate(_ g: Row, _ v: Row, _ y: Row) {
    for j in 0..<y.count { y[j] = F.value(g[j]) * v[j] }
  }

  @inline(never) private static func differentiateGate(
    _ dy: Row, _ g: Row, _ v: Row, _ dv: Row
  ) {
    for j in 0..<dy.count {
      let (value, slope) = F.valueAndSlope(g[j])
      g[j] = dy[j] * v[j] * slope
      dv[j] += dy[j] * value
    }
  }

  @inline(never) private static func differentiateGate(
    _ dy: Row, _ g: Row, overwriting v: Row
  ) {
    for j in 0..<dy.count {
      let (value, slope) = F.valueAndSlope(g[j])
      g[j] = dy[j] * v[j] * slope
      v[j] = dy[j] * value
    }
  }
}
