internal import LinearAlgebra
internal import Names

/// The kind of a normalisation of rows, and ε.
///
/// - `rmsnorm`: y = g ∘ x / √(mean x² + ε), ε = 10⁻⁶ (Zhang & Sennrich 2019).
/// - `layernorm`: y = g ∘ (x − mean x) / √(var x + ε) + b, ε = 10⁻⁵ (Ba, Kiros & Hinton 2016); with `bias: false`
///   there is no b.
///
/// A configuration gives the name, or `{kind: rmsnorm, eps: 1e-8}`.
public struct NormOptions: Codable, Hashable, Sendable {
  public enum Kind: String, Codable, CaseIterable, Sendable { case rmsnorm, layernorm }

  public var kind: Kind
  public var eps: Double
  /// False for a `layernorm` without b; `rmsnorm` never has one.
  public var bias: Bool

  public init(_ kind: Kind = .rmsnorm, eps: Double? = nil, bias: Bool = true) {
    precondition(bias || kind == .layernorm, "an rmsnorm without a bias that it never has")
    self.kind = kind
    self.eps = eps ?? (kind == .rmsnorm ? 1e-6 : 1e-5)
    self.bias = bias
  }

  private enum CodingKeys: String, CodingKey { case kind, eps, bias }

  public init(from decoder: any Decoder) throws {
    if let name = try? decoder.singleValueContainer().decode(String.self) {
      guard let kind = Kind(rawValue: name) else {
        throw DecodingError.unknownName(
          UnknownName(
            name, of: "norm", among: Kind.allCases.map(\.rawValue),
            or: "with its epsilon: {kind: rmsnorm, eps: 1e-6}"), at: decoder.codingPath)
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
    guard let bias = try keys.decodeIfPresent(Bool.self, forKey: .bias) else { return }
    guard kind == .layernorm else {
      throw DecodingError.dataCorruptedError(
        forKey: .bias, in: keys,
        debugDescription: "bias is that of a layernorm; remove it, or set kind to layernorm")
    }
    self.bias = bias
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(kind, forKey: .kind)
    try keys.encode(eps, forKey: .eps)
    // Models of earlier versions have none without b.
    if !bias { try keys.encode(bias, forKey: .bias) }
  }
}

/// A normalisation of each row by itself; the equations are those of `NormOptions`.
struct Normalization: Layer {
  let output: Activation
  private let input: Activation
  private let rows: RowNormalization

  init(_ options: NormOptions, reading input: Activation, in plan: inout Plan) {
    self.input = input
    rows = RowNormalization(options, width: plan.width(input), in: &plan)
    output = plan.activation(plan.width(input))
  }

  func forward(_ pass: Pass) {
    rows.forward(pass[input], into: pass[output], from: 0, pass)
    pass.mark(.pointwise)
  }

  func backward(_ pass: Pass) {
    rows.backward(pass.d[output], reading: pass[input], into: pass.d[input], from: 0, pass)
    pass.mark(.pointwise)
  }
}

/// A normalisation of rows, or of the part of each head by itself, inside a layer.
struct RowNormalization: Sendable {
  private let options: NormOptions
  private let heads: Int
  private let sharesGain: Bool
  /// g; of one head, if all share it.
  private let gain: Parameter
  /// b; nil for none.
  private let shift: Parameter?
  /// The mean and 1/√(…) of each part.
  private let statistics: Activation
  /// x̂ and ∂y ∘ g of a part.
  private let room: Scratch

  /// - Parameters:
  ///   - prefix: the text before the names `weight` and `bias`.
  ///   - sharesGain: True if all heads have the same g and b.
  ///   - gain: g at first.
  init(
    _ options: NormOptions, width: Int, heads: Int = 1, sharesGain: Bool = false,
    prefix: String = "", gain first: Double = 1, in plan: inout Plan
  ) {
    let count = sharesGain ? width / heads : width
    self.options = options
    self.heads = heads
    self.sharesGain = sharesGain
    gain = plan.vector(
      prefix + "weight", count: count, pytorch: .zero, parts: [.init(0, of: 1, first)])
    shift =
      options.bias && options.kind == .layernorm
      ? plan.vector(prefix + "bias", count: count, pytorch: .zero) : nil
    statistics = plan.activation(2 * heads, derivative: .none)
    room = plan.scratch(2 * width / heads)
  }

  /// Normalises rows, which are those of the window from `first` on.
  func forward(_ x: Matrix, into y: Matrix, from first: Int, _ pass: Pass) {
    let statistics = pass[statistics]
    for i in 0..<x.rows {
      for head in 0..<heads {
        let (mean, scale) = normalize(
          x[i].part(head, of: heads), into: y[i].part(head, of: heads), head, pass)
        let kept = statistics[first + i].part(head, of: heads)
        (kept[0], kept[1]) = (mean, scale)
      }
    }
  }

  private func normalize(
    _ x: Row, into y: Row, _ head: Int, _ pass: Pass
  ) -> (mean: Real, scale: Real) {
    let gain = part(pass[gain].row, head)
    let (count, eps) = (Real(x.count), Real(options.eps))
    if options.kind == .rmsnorm {
      let scale = 1 / (x.dot(x) / count + eps).squareRoot()
      setScaled(x, scale, gain, y)
      return (0, scale)
    }
    let mean = x.sum / count
    center(x, mean, y)
    let scale = 1 / (y.dot(y) / count + eps).squareRoot()
    if let shift {
      scaleAndShift(y, scale, gain, part(pass[shift].row, head))
    } else {
      setScaled(y, scale, gain, y)
    }
    return (mean, scale)
  }

  /// The part of g or b that a head has.
  @inline(__always) private func part(_ vector: Row, _ head: Int) -> Row {
    sharesGain ? vector : vector.part(head, of: heads)
  }

  /// Adds to the gradients of the rows and of the parameters.
  func backward(
    _ dy: Matrix, reading x: Matrix, into dx: Matrix, from first: Int, _ pass: Pass
  ) {
    let statistics = pass[statistics]
    let width = x.columns / heads
    let rooms = Matrix(pass.scratch(room), rows: 2, columns: width)
    let (normal, q) = (rooms[0], rooms[1])
    for i in 0..<x.rows {
      for head in 0..<heads {
        let own = dy[i].part(head, of: heads)
        let kept = statistics[first + i].part(head, of: heads)
        let (mean, scale) = (kept[0], kept[1])
        weigh(
          x[i].part(head, of: heads), mean, scale, own, part(pass[gain].row, head), normal, q,
          part(pass.d[gain].row, head))
        let meanOfQ = options.kind == .layernorm ? q.sum / Real(width) : 0
        if let shift { part(pass.d[shift].row, head).add(own) }
        combine(
          q, meanOfQ, normal, q.dot(normal) / Real(width), scale, dx[i].part(head, of: heads))
      }
    }
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
