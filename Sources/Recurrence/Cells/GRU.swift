internal import LinearAlgebra

/// The gated recurrent unit with the reset gate after the product, as PyTorch and cuDNN compute it
/// (Cho 2014, first version):
///
///     r, z = σ(x W + b + h(t−1) U + b′)
///     n = tanh(x Wₙ + bₙ + r ∘ (h(t−1) Uₙ + b′ₙ))
///     h(t) = (1 − z) ∘ n + z ∘ h(t−1)
///
/// Gates lie in the order r, z, n. PyTorch's `nn.GRU`.
public struct GRU: RecurrentCell {
  public struct Options: CellOptions {
    public var hidden: Int
    /// 2 as in PyTorch, or 1: b alone.
    public var biases: Int

    public init(hidden: Int, biases: Int = 2) {
      self.hidden = hidden
      self.biases = biases
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      biases = try keys.numberOfBiases(.biases)
    }
  }

  public static let equations = """
    r,z = σ(x W + b + h₋ U + b′); n = tanh(x W + b + r∘(h₋ U + b′)); h = (1−z)∘n + z∘h₋
    """
  public static let source = "Cho 2014, as in PyTorch and cuDNN"
  public static let gates = 3

  public static func variants(hidden: Int) -> [Options] {
    [Options(hidden: hidden), Options(hidden: hidden, biases: 1)]
  }

  public let preactivation, output: Activation
  let recurrent: Parameter
  let bias: Parameter?
  /// h(t−1) U + b′, apart from the input's part because r multiplies a third of it.
  let fromState: Activation

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    let spread = Distribution.uniform(1 / Double(n).squareRoot())
    preactivation = plan.activation(3 * n, derivative: .overwrites)
    fromState = plan.activation(3 * n, derivative: .overwrites)
    output = plan.state(n)
    recurrent = plan.parameter("weight_hh", from: n, to: 3 * n, gates: 3, pytorch: spread)
    bias = options.biases == 2 ? plan.vector("bias_hh", count: 3 * n, pytorch: spread) : nil
  }

  public func forward(_ t: Int, _ pass: Pass) {
    let past = pass.before(output, t)
    let a = pass[preactivation, t]
    let u = pass[fromState, t]
    let h = pass[output, t]
    u.setProduct(past, pass[recurrent])
    pass.mark(.recurrent)
    if let bias { u.addToEveryRow(pass[bias].row) }
    for s in 0..<pass.streams {
      openGate(a[s].part(0, of: 3), u[s].part(0, of: 3))
      openGate(a[s].part(1, of: 3), u[s].part(1, of: 3))
      let (r, z, n) = (a[s].part(0, of: 3), a[s].part(1, of: 3), a[s].part(2, of: 3))
      propose(n, r, u[s].part(2, of: 3))
      mix(z, n, past[s], h[s])
    }
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let past = pass.before(output, t)
    let a = pass[preactivation, t]
    let u = pass[fromState, t]
    let dh = pass.d[output, t]
    let dPast = pass.d.before(output, t)
    for s in 0..<pass.streams {
      let (r, z, n) = (a[s].part(0, of: 3), a[s].part(1, of: 3), a[s].part(2, of: 3))
      let (ur, uz, un) = (u[s].part(0, of: 3), u[s].part(1, of: 3), u[s].part(2, of: 3))
      keep(dh[s], z, dPast[s])
      differentiateUpdate(dh[s], n, past[s], z, uz)
      differentiateCandidate(dh[s], z, n)
      differentiateReset(n, un, r, ur)
      copy(ur, to: r)
      copy(uz, to: z)
    }
    pass.mark(.pointwise)
    dPast.addProduct(u, pass[recurrent].transposed)
  }

  public func accumulate(_ pass: Pass) {
    let du = pass.d[fromState]
    pass.d[recurrent].addProduct(du.transposed, pass.before(output, lag: 1))
    if let bias { pass.d[bias].addColumnSums(du) }
  }
}

/// a = σ(a + u)
@inline(never) private func openGate(_ a: Row, _ u: Row) {
  for j in 0..<a.count { a[j] = sigmoid(a[j] + u[j]) }
}
/// n = tanh(n + r ∘ u)
@inline(never) private func propose(_ n: Row, _ r: Row, _ u: Row) {
  for j in 0..<n.count { n[j] = tanh(n[j] + r[j] * u[j]) }
}
/// h = (1 − z) ∘ n + z ∘ h₋
@inline(never) private func mix(_ z: Row, _ n: Row, _ past: Row, _ h: Row) {
  for j in 0..<h.count { h[j] = (1 - z[j]) * n[j] + z[j] * past[j] }
}
/// ∂h₋ += ∂h ∘ z
@inline(never) private func keep(_ dh: Row, _ z: Row, _ dPast: Row) {
  for j in 0..<dh.count { dPast[j] += dh[j] * z[j] }
}
/// ∂z = ∂h ∘ (h₋ − n) ∘ z ∘ (1 − z); z itself is still needed.
@inline(never) private func differentiateUpdate(
  _ dh: Row, _ n: Row, _ past: Row, _ z: Row, _ dz: Row
) {
  for j in 0..<dh.count { dz[j] = dh[j] * (past[j] - n[j]) * (z[j] * (1 - z[j])) }
}
/// n becomes ∂n = ∂h ∘ (1 − z) ∘ (1 − n²)
@inline(never) private func differentiateCandidate(_ dh: Row, _ z: Row, _ n: Row) {
  for j in 0..<dh.count { n[j] = dh[j] * (1 - z[j]) * (1 - n[j] * n[j]) }
}
/// ∂r = ∂n ∘ u ∘ r ∘ (1 − r), and u becomes ∂u = ∂n ∘ r
@inline(never) private func differentiateReset(_ dn: Row, _ u: Row, _ r: Row, _ dr: Row) {
  for j in 0..<dn.count {
    let through = dn[j] * r[j]
    dr[j] = through * u[j] * (1 - r[j])
    u[j] = through
  }
}
private func copy(_ x: Row, to y: Row) {
  for j in 0..<y.count { y[j] = x[j] }
}
