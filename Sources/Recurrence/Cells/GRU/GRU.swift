internal import LinearAlgebra

/// The gated recurrent unit with the reset gate after the product, as PyTorch and cuDNN compute it
/// (Cho 2014, first version):
///
///     r, z = σ(x W + b + h(t−1) U + b′)
///     n = tanh(x Wₙ + bₙ + r ∘ (h(t−1) Uₙ + b′ₙ))
///     h(t) = (1 − z) ∘ n + z ∘ h(t−1)
///
/// Gates lie in the order r, z, n. PyTorch's `nn.GRU`.
///
/// - `chrono`: z's part of the input bias is initialised with ln U(1, T − 1), for memories of up to
///   T steps (Tallec & Ollivier 2018). Their update gate is 1 − z: here a high z keeps the past.
public struct GRU: RecurrentCell {
  public struct Options: CellOptions {
    public var hidden: Int
    /// The longest memory T, in steps.
    public var chrono: Int?
    /// The number of biases: 2 as in PyTorch, or 1 for b alone.
    public var biases: Int

    public init(hidden: Int, chrono: Int? = nil, biases: Int = 2) {
      self.hidden = hidden
      self.chrono = chrono
      self.biases = biases
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      chrono = try keys.longestMemory(.chrono)
      biases = try keys.numberOfBiases(.biases)
    }
  }

  public static let equations = """
    r,z = σ(x W + b + h₋ U + b′); n = tanh(x W + b + r∘(h₋ U + b′)); h = (1−z)∘n + z∘h₋; \
    chrono: T: z's b starts from ln U(1, T−1)
    """
  public static let citation = "Cho 2014, as in PyTorch and cuDNN; chrono: Tallec & Ollivier 2018"
  public static let gates = 3

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: hidden), Options(hidden: hidden, biases: 1),
      Options(hidden: hidden, chrono: 20),
    ]
  }

  public static func inputBias(_ options: Options) -> [InitialValue.Part] {
    options.chrono.map { [InitialValue.Part(1, of: 3, .chrono(longest: $0, sign: 1))] } ?? []
  }

  public let preactivation, output: Activation
  let recurrent: Parameter
  let bias: Parameter?
  /// h(t−1) U + b′, kept for one step only. It is separate from the input's product because r
  /// multiplies a third of it. In the backward pass its gradient replaces it.
  let fromState: Activation
  /// h(t−1) Uₙ + b′ₙ, the third that r multiplies, for all steps. The gradient of the other two
  /// thirds is that of the preactivation.
  let candidate: Activation

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    let spread = Distribution.uniform(1 / Double(n).squareRoot())
    preactivation = plan.activation(3 * n, derivative: .overwrites)
    fromState = plan.stepTemporary(3 * n)
    candidate = plan.activation(n, derivative: .overwrites)
    output = plan.state(n)
    recurrent = plan.parameter("weight_hh", from: n, to: 3 * n, gates: 3, pytorch: spread)
    bias = options.biases == 2 ? plan.vector("bias_hh", count: 3 * n, pytorch: spread) : nil
  }

  public var gateBlocks: [GateBlock] {
    [GateBlock("r", preactivation, 0, of: 3), GateBlock("z", preactivation, 1, of: 3)]
  }

  public var recurrentWeights: [Parameter] { [recurrent] }

  public var transitions: [Transition] { [Transition(WeightBlock(recurrent, 2, of: 3))] }

  public func forward(_ t: Int, _ pass: Pass) {
    let past = pass.before(output, t)
    let a = pass[preactivation, t]
    let u = pass[fromState, t]
    let kept = pass[candidate, t]
    let h = pass[output, t]
    let n = h.columns
    if let bias {
      u.fillEveryRow(pass[bias].row)
      u.addProduct(pass.read(output, t), pass[recurrent])
    } else {
      u.setProduct(pass.read(output, t), pass[recurrent])
    }
    for s in 0..<pass.streams {
      openGates(a[s][0..<2 * n], u[s][0..<2 * n])
      let (r, z, n) = parts(a[s])
      respond(r, z, n, u[s].part(2, of: 3), past[s], kept[s], h[s])
    }
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let past = pass.before(output, t)
    let a = pass[preactivation, t]
    let u = pass[fromState, t]
    let kept = pass[candidate, t]
    let dh = pass.d[output, t]
    let dPast = pass.d.before(output, t)
    for s in 0..<pass.streams {
      let (r, z, n) = parts(a[s])
      let (ur, uz, un) = parts(u[s])
      differentiateMix(dh[s], past[s], z, n, uz, dPast[s])
      differentiateReset(n, r, kept[s], ur, un)
    }
    pass.d.read(output, t).addProduct(u, pass[recurrent].transposed)
  }

  public func accumulate(_ pass: Pass) {
    let past = pass.read(output, lag: 1)
    let n = past.columns
    let gates = pass.d[preactivation].slice(columns: 0..<2 * n)
    let third = pass.d[candidate]
    let dU = pass.d[recurrent]
    dU.slice(rows: 0..<2 * n).addProduct(gates.transposed, past)
    dU.slice(rows: 2 * n..<3 * n).addProduct(third.transposed, past)
    if let bias {
      let db = pass.d[bias]
      db.slice(columns: 0..<2 * n).addColumnSums(gates)
      db.slice(columns: 2 * n..<3 * n).addColumnSums(third)
    }
  }
}

@inline(__always) private func parts(_ a: Row) -> (r: Row, z: Row, n: Row) {
  (a.part(0, of: 3), a.part(1, of: 3), a.part(2, of: 3))
}
/// a = σ(a + u)
@inline(never) private func openGates(_ a: Row, _ u: Row) {
  for j in 0..<a.count { a[j] = sigmoid(a[j] + u[j]) }
}
/// n = tanh(n + r ∘ u), h = (1 − z) ∘ n + z ∘ h₋; `kept` becomes u.
@inline(never) private func respond(
  _ r: Row, _ z: Row, _ n: Row, _ u: Row, _ past: Row, _ kept: Row, _ h: Row
) {
  for j in 0..<h.count {
    let value = tanh(n[j] + r[j] * u[j])
    kept[j] = u[j]
    n[j] = value
    h[j] = (1 - z[j]) * value + z[j] * past[j]
  }
}
/// ∂h₋ += ∂h ∘ z, n becomes ∂n = ∂h ∘ (1 − z) ∘ (1 − n²), and both z and `uz` become ∂z = ∂h ∘ (h₋
/// − n) ∘ z ∘ (1 − z)
@inline(never) private func differentiateMix(
  _ dh: Row, _ past: Row, _ z: Row, _ n: Row, _ uz: Row, _ dPast: Row
) {
  for j in 0..<dh.count {
    let (gate, value) = (z[j], n[j])
    let open = dh[j] * (1 - gate)
    let dz = open * (past[j] - value) * gate
    dPast[j] += dh[j] * gate
    n[j] = open * (1 - value * value)
    z[j] = dz
    uz[j] = dz
  }
}
/// `kept`, which holds u, and `un` become ∂n ∘ r; r and `ur` become ∂r = ∂n ∘ u ∘ r ∘ (1 − r)
@inline(never) private func differentiateReset(
  _ dn: Row, _ r: Row, _ kept: Row, _ ur: Row, _ un: Row
) {
  for j in 0..<dn.count {
    let gate = r[j]
    let through = dn[j] * gate
    let dr = through * kept[j] * (1 - gate)
    kept[j] = through
    un[j] = through
    r[j] = dr
    ur[j] = dr
  }
}

extension GRU: PortableCell {
  public static var pytorchModule: String? { "nn.GRU" }
  public static var updateGate: Int? { 1 }
  public static var keepsCandidateBias: Bool { true }
}

extension GRU: ONNXCell {
  public static func onnxForm(_ options: Options) -> ONNXForm {
    // r, z, n here and z, r, n there; without the attribute r multiplies h(t−1) before the product.
    .recurrent(ONNXOperator("GRU", blocks: [1, 0, 2], attributes: ["linear_before_reset": 1]))
  }
}
