internal import LinearAlgebra

/// The gated recurrent unit as published, with the reset gate before the product (Cho 2014, third
/// version):
///
///     r, z = σ(x W + b + h(t−1) U + b′)
///     n = tanh(x Wₙ + bₙ + (r ∘ h(t−1)) Uₙ + b′ₙ)
///     h(t) = (1 − z) ∘ n + z ∘ h(t−1)
///
/// Gates lie in the order r, z, n. `weight_hh` holds the weights of r and z, `weight_hn` those of
/// n. The options are those of `gru`.
public struct GRUResetBefore: RecurrentCell {
  public typealias Options = GRU.Options

  public static let equations = """
    r,z = σ(x W + b + h₋ U + b′); n = tanh(x W + b + (r∘h₋) U + b′); h = (1−z)∘n + z∘h₋; \
    chrono: T: z's b starts from ln U(1, T−1)
    """
  public static let citation = "Cho 2014, third version; chrono: Tallec & Ollivier 2018"
  public static let gates = 3

  public static func variants(hidden: Int) -> [Options] { GRU.variants(hidden: hidden) }

  public static func inputBias(_ options: Options) -> [InitialValue.Part] {
    GRU.inputBias(options)
  }

  public let preactivation, output: Activation
  public let recurrentBias: Parameter?
  let gates, candidate: Parameter
  /// r ∘ h(t−1), and its gradient, which is kept for one step only.
  let kept, dKept: Activation

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    let spread = Distribution.uniform(1 / Double(n).squareRoot())
    preactivation = plan.activation(3 * n, derivative: .overwrites)
    kept = plan.activation(n, derivative: .none)
    dKept = plan.stepTemporary(n)
    output = plan.state(n)
    gates = plan.parameter("weight_hh", from: n, to: 2 * n, gates: 2, pytorch: spread)
    candidate = plan.parameter("weight_hn", from: n, to: n, pytorch: spread)
    recurrentBias =
      options.biases == 2 ? plan.vector("bias_hh", count: 3 * n, pytorch: spread) : nil
  }

  public var gateBlocks: [GateBlock] {
    [GateBlock("r", preactivation, 0, of: 3), GateBlock("z", preactivation, 1, of: 3)]
  }

  public var recurrentWeights: [Parameter] { [gates, candidate] }

  public var transitions: [Transition] { [Transition(WeightBlock(candidate))] }

  public func forward(_ t: Int, _ pass: Pass) {
    let past = pass.before(output, t)
    let a = pass[preactivation, t]
    let kept = pass[kept, t]
    let h = pass[output, t]
    let n = a.columns / 3
    let read = pass.read(output, t)
    a.slice(columns: 0..<2 * n).addProduct(read, pass[gates])
    for s in 0..<pass.streams {
      openGates(a[s].part(0, of: 3), a[s].part(1, of: 3), read[s], kept[s])
    }
    a.part(2, of: 3).addProduct(kept, pass[candidate])
    for s in 0..<pass.streams {
      mix(a[s].part(1, of: 3), a[s].part(2, of: 3), past[s], h[s])
    }
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let past = pass.before(output, t)
    let a = pass[preactivation, t]
    let dh = pass.d[output, t]
    let dKept = pass[dKept, t]
    let dPast = pass.d.before(output, t)
    let n = a.columns / 3
    for s in 0..<pass.streams {
      differentiate(dh[s], past[s], a[s].part(1, of: 3), a[s].part(2, of: 3), dPast[s])
    }
    dKept.setProduct(a.part(2, of: 3), pass[candidate].transposed)
    let (read, dRead) = (pass.read(output, t), pass.d.read(output, t))
    for s in 0..<pass.streams { reset(dKept[s], read[s], a[s].part(0, of: 3), dRead[s]) }
    dRead.addProduct(a.slice(columns: 0..<2 * n), pass[gates].transposed)
  }

  public func accumulate(_ pass: Pass) {
    let da = pass.d[preactivation]
    let n = da.columns / 3
    pass.d[gates].addProduct(
      da.slice(columns: 0..<2 * n).transposed, pass.read(output, lag: 1))
    pass.d[candidate].addProduct(da.part(2, of: 3).transposed, pass[kept])
  }
}

/// r, z = σ(r, z), kept = r ∘ h₋
@inline(never) private func openGates(_ r: Row, _ z: Row, _ past: Row, _ kept: Row) {
  for j in 0..<kept.count {
    let reset = sigmoid(r[j])
    r[j] = reset
    z[j] = sigmoid(z[j])
    kept[j] = reset * past[j]
  }
}
/// n = tanh(n), h = (1 − z) ∘ n + z ∘ h₋
@inline(never) private func mix(_ z: Row, _ n: Row, _ past: Row, _ h: Row) {
  for j in 0..<h.count {
    let value = tanh(n[j])
    n[j] = value
    h[j] = (1 - z[j]) * value + z[j] * past[j]
  }
}
/// ∂h₋ += ∂h ∘ z, z becomes ∂z = ∂h ∘ (h₋ − n) ∘ z ∘ (1 − z), and n becomes
/// ∂n = ∂h ∘ (1 − z) ∘ (1 − n²)
@inline(never) private func differentiate(
  _ dh: Row, _ past: Row, _ z: Row, _ n: Row, _ dPast: Row
) {
  for j in 0..<dh.count {
    let (gate, value) = (z[j], n[j])
    let open = dh[j] * (1 - gate)
    dPast[j] += dh[j] * gate
    z[j] = open * (past[j] - value) * gate
    n[j] = open * (1 - value * value)
  }
}
/// ∂h₋ += ∂(r∘h₋) ∘ r, and r becomes ∂r = ∂(r∘h₋) ∘ h₋ ∘ r ∘ (1 − r)
@inline(never) private func reset(_ dKept: Row, _ past: Row, _ r: Row, _ dPast: Row) {
  for j in 0..<r.count {
    let gate = r[j]
    dPast[j] += dKept[j] * gate
    r[j] = dKept[j] * past[j] * (gate * (1 - gate))
  }
}

extension GRUResetBefore: PortableCell {
  public static var updateGate: Int? { 1 }
}

extension GRUResetBefore: ONNXCell {
  public static func onnxForm(_ options: Options) -> ONNXForm {
    .recurrent(ONNXOperator("GRU", blocks: [1, 0, 2], attributes: ["linear_before_reset": 0]))
  }
}
