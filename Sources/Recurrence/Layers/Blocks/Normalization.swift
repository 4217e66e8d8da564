internal import LinearAlgebra

/// The kind of a normalisation of rows, and ε.
///
/// - `rmsnorm`: y = g ∘ x / √(mean x² + ε), ε = 10⁻⁶ (Zhang & Sennrich 2019).
/// - `layernorm`: y = g ∘ (x − mean x) / √(var x + ε) + b, ε = 10⁻⁵ (Ba, Kiros & Hinton 2016).
///
/// A configuration gives the name, or `{kind: rmsnorm, eps: 1e-8}`.
public struct NormOptions: Codable, Hashable, Sendable {
  public enum Kind: String, Codable, CaseIterable, Sendable { case rmsnorm, layernorm }

  public var kind: Kind
  public var eps: Double

  public init(_ kind: Kind = .rmsnorm, eps: Double? = nil) {
    self.kind = kind
    self.eps = eps ?? (kind == .rmsnorm ? 1e-6 : 1e-5)
  }

  private enum CodingKeys: String, CodingKey { case kind, eps }

  public init(from decoder: any Decoder) throws {
    if let name = try? decoder.singleValueContainer().decode(String.self) {
      guard let kind = Kind(rawValue: name) else {
        throw DecodingError.dataCorrupted(
          .init(
            codingPath: decoder.codingPath,
            debugDescription: "no norm is called \(name); there are rmsnorm, layernorm and "
              + "{kind: rmsnorm, eps: 1e-6}"))
      }
      self.init(kind)
      return
    }
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(try keys.decodeIfPresent(Kind.self, forKey: .kind) ?? .rmsnorm)
    eps = try keys.decodeIfPresent(Double.self, forKey: .eps) ?? eps
    guard eps > 0, eps < 1 else {
      throw DecodingError.dataCorruptedError(
        forKey: .eps, in: keys, debugDescription: "eps must be above 0 and below 1")
    }
  }
}

/// A normalisation of each row by itself; the equations are those of `NormOptions`.
struct Normalization: Layer {
  let output: Activation
  private let input: Activation
  private let options: NormOptions
  private let gain: Parameter
  /// b; nil for `rmsnorm`.
  private let shift: Parameter?
  /// The mean and 1/√(…) of each row.
  private let statistics: Activation
  /// x̂ and ∂y ∘ g of a row.
  private let room: Scratch

  init(_ options: NormOptions, reading input: Activation, in plan: inout Plan) {
    let width = plan.width(input)
    self.input = input
    self.options = options
    gain = plan.vector("weight", count: width, pytorch: .zero, parts: [.init(0, of: 1, 1)])
    shift =
      options.kind == .layernorm ? plan.vector("bias", count: width, pytorch: .zero) : nil
    statistics = plan.activation(2, derivative: .none)
    room = plan.scratch(2 * width)
    output = plan.activation(width)
  }

  func forward(_ pass: Pass) {
    let (x, y, statistics) = (pass[input], pass[output], pass[statistics])
    let gain = pass[gain].row
    let (count, eps) = (Real(x.columns), Real(options.eps))
    for i in 0..<x.rows {
      if let shift {
        let mean = x[i].sum / count
        center(x[i], mean, y[i])
        let scale = 1 / (y[i].dot(y[i]) / count + eps).squareRoot()
        (statistics[i][0], statistics[i][1]) = (mean, scale)
        scaleAndShift(y[i], scale, gain, pass[shift].row)
      } else {
        let scale = 1 / (x[i].dot(x[i]) / count + eps).squareRoot()
        (statistics[i][0], statistics[i][1]) = (0, scale)
        setScaled(x[i], scale, gain, y[i])
      }
    }
    pass.mark(.pointwise)
  }

  func backward(_ pass: Pass) {
    let (x, dx, dy, statistics) = (pass[input], pass.d[input], pass.d[output], pass[statistics])
    let (gain, dGain) = (pass[gain].row, pass.d[gain].row)
    let rooms = Matrix(pass.scratch(room), rows: 2, columns: x.columns)
    let (normal, q) = (rooms[0], rooms[1])
    let count = Real(x.columns)
    for i in 0..<x.rows {
      let (mean, scale) = (statistics[i][0], statistics[i][1])
      weigh(x[i], mean, scale, dy[i], gain, normal, q, dGain)
      var meanOfQ: Real = 0
      if let shift {
        meanOfQ = q.sum / count
        pass.d[shift].row.add(dy[i])
      }
      combine(q, meanOfQ, normal, q.dot(normal) / count, scale, dx[i])
    }
    pass.mark(.pointwise)
  }
}

/// y = x − m
@inline(never) private func center(_ x: Row, _ mean: Real, _ y: Row) {
  for j in 0..<y.count { y[j] = x[j] - mean }
}
/// y = g ∘ y r + b
@inline(never) private func scaleAndShift(_ y: Row, _ scale: Real, _ gain: Row, _ shift: Row) {
  for j in 0..<y.count { y[j] = gain[j] * (y[j] * scale) + shift[j] }
}
/// y = g ∘ x r
@inline(never) private func setScaled(_ x: Row, _ scale: Real, _ gain: Row, _ y: Row) {
  for j in 0..<y.count { y[j] = gain[j] * (x[j] * scale) }
}
/// x̂ = (x − m) r, q = ∂y ∘ g, ∂g += ∂y ∘ x̂
@inline(never) private func weigh(
  _ x: Row, _ mean: Real, _ scale: Real, _ dy: Row, _ gain: Row, _ normal: Row, _ q: Row,
  _ dGain: Row
) {
  for j in 0..<dy.count {
    let value = (x[j] - mean) * scale
    normal[j] = value
    q[j] = dy[j] * gain[j]
    dGain[j] += dy[j] * value
  }
}
/// ∂x += r (q − a − x̂ b)
@inline(never) private func combine(
  _ q: Row, _ a: Real, _ normal: Row, _ b: Real, _ scale: Real, _ dx: Row
) {
  for j in 0..<dx.count { dx[j] += scale * (q[j] - a - normal[j] * b) }
}
