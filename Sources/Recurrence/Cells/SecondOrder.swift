internal import LinearAlgebra

/// The second-order network, which weights every product of a unit and an input (Giles 1992):
///
///     h_k(t) = σ(Σᵢⱼ h_i(t−1) W_kij x_j(t) + b_k)
///
/// The input product for all steps turns each input into a hidden × hidden matrix M(t), M_ki = Σⱼ
/// W_kij x_j. A step is then h(t−1) Mᵀ, stream by stream. W is stored as [hidden · hidden, input],
/// with W_ki in row k · hidden + i. A window keeps hidden² numbers per symbol.
public struct SecondOrder: RecurrentCell {
  public struct Options: CellOptions {
    public var hidden: Int

    public init(hidden: Int) { self.hidden = hidden }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      // hidden² must be a valid width too.
      hidden = try keys.checkedWidth(
        try keys.decode(Int.self, forKey: .hidden), .hidden, largest: 1 << 12)
    }
  }

  public static let equations = "h_k = σ(Σ_ij h₋_i W_kij x_j + b_k)"
  public static let citation = "Giles 1992"
  /// One block per unit: see `gates(_:)`.
  public static let gates = 1

  public static func variants(hidden: Int) -> [Options] { [Options(hidden: hidden)] }
  public static func gates(_ options: Options) -> Int { options.hidden }
  public static func biasedGates(_ options: Options) -> Int { 0 }

  /// M; in the backward pass its gradient replaces it.
  public let preactivation: Activation
  public let output: Activation
  let bias: Parameter
  /// The gradient of the sum inside σ: ∂h ∘ σ′
  let dSum: Activation

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    preactivation = plan.activation(n * n, derivative: .overwrites)
    output = plan.state(n)
    bias = plan.vector(
      "bias_ih", count: n, pytorch: .uniform(1 / Double(n).squareRoot()))
    dSum = plan.activation(n, derivative: .overwrites)
  }

  public var transitions: [Transition] { [.ofEachInput] }

  public func forward(_ t: Int, _ pass: Pass) {
    let (m, past, h) = (pass[preactivation, t], pass.read(output, t), pass[output, t])
    let n = h.columns
    h.fillEveryRow(pass[bias].row)
    for s in 0..<pass.streams {
      h.slice(rows: s..<s + 1).addProduct(
        past.slice(rows: s..<s + 1), square(m, s, n).transposed)
      squash(h[s])
    }
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let (m, past, h) = (pass[preactivation, t], pass.read(output, t), pass[output, t])
    let (dh, da, dPast) = (pass.d[output, t], pass[dSum, t], pass.d.read(output, t))
    let n = h.columns
    for s in 0..<pass.streams {
      Nonlinearity.sigmoid.differentiate(h[s], dh[s], da[s])
      let (m, row) = (square(m, s, n), da.slice(rows: s..<s + 1))
      dPast.slice(rows: s..<s + 1).addProduct(row, m)
      // ∂M_ki = ∂a_k h₋_i
      for k in 0..<n { scale(past[s], by: da[s][k], into: m[k]) }
    }
  }

  public func accumulate(_ pass: Pass) {
    pass.d[bias].addColumnSums(pass.d[dSum])
  }

  /// Returns M of one stream.
  private func square(_ m: Matrix, _ s: Int, _ n: Int) -> Matrix {
    m.slice(rows: s..<s + 1).folded(rows: n)
  }
}

/// h = σ(h)
@inline(never) private func squash(_ h: Row) {
  for j in 0..<h.count { h[j] = sigmoid(h[j]) }
}
/// y = factor · x
@inline(never) private func scale(_ x: Row, by factor: Real, into y: Row) {
  for j in 0..<y.count { y[j] = factor * x[j] }
}
