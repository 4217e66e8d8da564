internal import LinearAlgebra

/// The gated recurrent unit with an update gate only, the simplified form found in courses and
/// textbooks:
///
///     Γ = σ(x W + b + c(t−1) U + b′)      c̃ = tanh(x W + b + c(t−1) U + b′)
///     c(t) = Γ ∘ c̃ + (1 − Γ) ∘ c(t−1)
///
/// Gate and candidate lie in the order Γ, c̃.
///
/// - `gate_candidate`: c̃ = tanh(x W + b + (Γ ∘ c(t−1)) U + b′), the minimal gated unit (Zhou 2016).
public struct UpdateGRU: RecurrentCell {
  public struct Options: CellOptions {
    public var hidden: Int
    /// True if the gate is inside the candidate too.
    public var gateCandidate: Bool
    /// The number of biases: 2, or 1 for b alone.
    public var biases: Int

    public init(hidden: Int, gateCandidate: Bool = false, biases: Int = 2) {
      self.hidden = hidden
      self.gateCandidate = gateCandidate
      self.biases = biases
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      gateCandidate = try keys.decodeIfPresent(Bool.self, forKey: .gateCandidate) ?? false
      biases = try keys.numberOfBiases(.biases)
    }

    enum CodingKeys: String, CodingKey {
      case hidden, biases
      case gateCandidate = "gate_candidate"
    }
  }

  public static let equations = """
    Γ = σ(x W + b + c₋ U + b′); c̃ = tanh(x W + b + c₋ U + b′); c = Γ∘c̃ + (1−Γ)∘c₋; \
    gate_candidate: c̃ = tanh(x W + b + (Γ∘c₋) U + b′)
    """
  public static let citation = "Cho 2014 without the reset gate; gate_candidate: Zhou 2016"
  public static let gates = 2

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: hidden), Options(hidden: hidden, biases: 1),
      Options(hidden: hidden, gateCandidate: true),
    ]
  }

  public let preactivation, output: Activation
  public let recurrentBias: Parameter?
  /// U of gate and candidate; of the gate alone if `gate_candidate` is true.
  let recurrent: Parameter
  let gated: Gated?

  /// The weights and activations that `gate_candidate` adds.
  struct Gated: Sendable {
    /// U of the candidate.
    let recurrent: Parameter
    /// Γ ∘ c(t−1)
    let kept: Activation
    /// Its gradient, kept for one step only.
    let dKept: Activation
    /// The gradient that reaches Γ through c(t), without the candidate's. Kept for one step only.
    let dGate: Activation
  }

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    let spread = Distribution.uniform(1 / Double(n).squareRoot())
    preactivation = plan.activation(2 * n, derivative: .overwrites)
    output = plan.state(n)
    if options.gateCandidate {
      recurrent = plan.parameter("weight_hh", from: n, to: n, pytorch: spread)
      gated = Gated(
        recurrent: plan.parameter("weight_hn", from: n, to: n, pytorch: spread),
        kept: plan.activation(n, derivative: .none), dKept: plan.stepTemporary(n),
        dGate: plan.stepTemporary(n))
    } else {
      recurrent = plan.parameter("weight_hh", from: n, to: 2 * n, gates: 2, pytorch: spread)
      gated = nil
    }
    recurrentBias =
      options.biases == 2 ? plan.vector("bias_hh", count: 2 * n, pytorch: spread) : nil
  }

  public var gateBlocks: [GateBlock] { [GateBlock("Γ", preactivation, 0, of: 2)] }

  public var recurrentWeights: [Parameter] { [recurrent] + [gated?.recurrent].compactMap(\.self) }

  public var transitions: [Transition] {
    [Transition(gated.map { WeightBlock($0.recurrent) } ?? WeightBlock(recurrent, 1, of: 2))]
  }

  public func forward(_ t: Int, _ pass: Pass) {
    let (a, past, c) = (pass[preactivation, t], pass.before(output, t), pass[output, t])
    guard let gated else {
      a.addProduct(pass.read(output, t), pass[recurrent])
      for s in 0..<pass.streams {
        mix(a[s].part(0, of: 2), a[s].part(1, of: 2), past[s], c[s])
      }
      return
    }
    let (kept, read) = (pass[gated.kept, t], pass.read(output, t))
    a.part(0, of: 2).addProduct(read, pass[recurrent])
    for s in 0..<pass.streams { openGate(a[s].part(0, of: 2), read[s], kept[s]) }
    a.part(1, of: 2).addProduct(kept, pass[gated.recurrent])
    for s in 0..<pass.streams {
      mixOpened(a[s].part(0, of: 2), a[s].part(1, of: 2), past[s], c[s])
    }
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let (a, past) = (pass[preactivation, t], pass.before(output, t))
    let (dc, dPast) = (pass.d[output, t], pass.d.before(output, t))
    let (read, dRead) = (pass.read(output, t), pass.d.read(output, t))
    guard let gated else {
      for s in 0..<pass.streams {
        differentiate(dc[s], past[s], a[s].part(0, of: 2), a[s].part(1, of: 2), dPast[s])
      }
      return dRead.addProduct(a, pass[recurrent].transposed)
    }
    let (dKept, dGate) = (pass[gated.dKept, t], pass[gated.dGate, t])
    for s in 0..<pass.streams {
      let (gate, candidate) = (a[s].part(0, of: 2), a[s].part(1, of: 2))
      differentiateMix(dc[s], past[s], gate, candidate, dGate[s], dPast[s])
    }
    dKept.setProduct(a.part(1, of: 2), pass[gated.recurrent].transposed)
    for s in 0..<pass.streams {
      differentiateGate(dGate[s], dKept[s], read[s], a[s].part(0, of: 2), dRead[s])
    }
    dRead.addProduct(a.part(0, of: 2), pass[recurrent].transposed)
  }

  public func accumulate(_ pass: Pass) {
    let (da, read) = (pass.d[preactivation], pass.read(output, lag: 1))
    guard let gated else { return pass.d[recurrent].addProduct(da.transposed, read) }
    pass.d[recurrent].addProduct(da.part(0, of: 2).transposed, read)
    pass.d[gated.recurrent].addProduct(da.part(1, of: 2).transposed, pass[gated.kept])
  }
}

/// Γ = σ(Γ), c̃ = tanh(c̃), c = Γ ∘ c̃ + (1 − Γ) ∘ c₋
@inline(never) private func mix(_ gate: Row, _ candidate: Row, _ past: Row, _ c: Row) {
  for j in 0..<c.count {
    let (open, value) = (sigmoid(gate[j]), tanh(candidate[j]))
    gate[j] = open
    candidate[j] = value
    c[j] = open * value + (1 - open) * past[j]
  }
}
/// ∂c₋ += ∂c ∘ (1 − Γ), Γ becomes ∂Γ = ∂c ∘ (c̃ − c₋) ∘ Γ ∘ (1 − Γ), and c̃ becomes
/// ∂c̃ = ∂c ∘ Γ ∘ (1 − c̃²)
@inline(never) private func differentiate(
  _ dc: Row, _ past: Row, _ gate: Row, _ candidate: Row, _ dPast: Row
) {
  for j in 0..<dc.count {
    let (open, value) = (gate[j], candidate[j])
    dPast[j] += dc[j] * (1 - open)
    gate[j] = dc[j] * (value - past[j]) * (open * (1 - open))
    candidate[j] = dc[j] * open * (1 - value * value)
  }
}
/// Γ = σ(Γ), kept = Γ ∘ c₋
@inline(never) private func openGate(_ gate: Row, _ past: Row, _ kept: Row) {
  for j in 0..<kept.count {
    let open = sigmoid(gate[j])
    gate[j] = open
    kept[j] = open * past[j]
  }
}
/// c̃ = tanh(c̃), c = Γ ∘ c̃ + (1 − Γ) ∘ c₋
@inline(never) private func mixOpened(_ gate: Row, _ candidate: Row, _ past: Row, _ c: Row) {
  for j in 0..<c.count {
    let value = tanh(candidate[j])
    candidate[j] = value
    c[j] = gate[j] * value + (1 - gate[j]) * past[j]
  }
}
/// ∂c₋ += ∂c ∘ (1 − Γ), ∂Γ = ∂c ∘ (c̃ − c₋), and c̃ becomes ∂c̃ = ∂c ∘ Γ ∘ (1 − c̃²)
@inline(never) private func differentiateMix(
  _ dc: Row, _ past: Row, _ gate: Row, _ candidate: Row, _ dGate: Row, _ dPast: Row
) {
  for j in 0..<dc.count {
    let (open, value) = (gate[j], candidate[j])
    dPast[j] += dc[j] * (1 - open)
    dGate[j] = dc[j] * (value - past[j])
    candidate[j] = dc[j] * open * (1 - value * value)
  }
}
/// ∂c₋ += ∂kept ∘ Γ, and Γ becomes (∂Γ + ∂kept ∘ c₋) ∘ Γ ∘ (1 − Γ)
@inline(never) private func differentiateGate(
  _ dGate: Row, _ dKept: Row, _ past: Row, _ gate: Row, _ dPast: Row
) {
  for j in 0..<gate.count {
    let open = gate[j]
    dPast[j] += dKept[j] * open
    gate[j] = (dGate[j] + dKept[j] * past[j]) * (open * (1 - open))
  }
}

extension UpdateGRU: PortableCell {}
