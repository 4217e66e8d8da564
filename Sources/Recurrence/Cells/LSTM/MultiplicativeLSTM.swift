internal import LinearAlgebra

/// The multiplicative LSTM: a long short-term memory whose gates read m in place of h(t−1) (Krause
/// 2016):
///
///     m = (x W_m) ∘ (h(t−1) U_m)      i, f, o = σ(x W + m U + b)      g = tanh(x W + m U + b)
///     c(t) = f ∘ c(t−1) + i ∘ g        h(t) = o ∘ tanh c(t)
///
/// The blocks of the input product lie in the order m, i, f, g, o. b is the bias of the last four.
///
/// - `form`: `radford`, as above (Radford 2017), or `krause`: g = x W + m U + b and h = tanh(c ∘ o)
///   (Krause 2016).
public struct MultiplicativeLSTM: RecurrentCell {
  public enum Form: String, Codable, CaseIterable, Sendable {
    case radford, krause
  }

  public struct Options: CellOptions {
    public var hidden: Int
    public var form: Form
    /// The initial value of f's part of the bias.
    public var forgetBias: Double?

    public init(hidden: Int, form: Form = .radford, forgetBias: Double? = nil) {
      self.hidden = hidden
      self.form = form
      self.forgetBias = forgetBias
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      form = try keys.decodeIfPresent(Form.self, forKey: .form) ?? .radford
      forgetBias = try keys.decodeIfPresent(Double.self, forKey: .forgetBias)
    }

    enum CodingKeys: String, CodingKey {
      case hidden, form
      case forgetBias = "forget_bias"
    }
  }

  public static let equations = """
    m = (x W_m)∘(h₋ U_m); i,f,o = σ(x W + m U + b); g = tanh(x W + m U + b); c = f∘c₋ + i∘g; \
    h = o∘tanh c; form: krause: g = x W + m U + b and h = tanh(c∘o)
    """
  public static let citation = "Krause 2016, Radford 2017"
  public static let gates = 5

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: hidden), Options(hidden: hidden, form: .krause),
      Options(hidden: hidden, forgetBias: 1),
    ]
  }

  public static func biasedGates(_ options: Options) -> Int { 4 }

  public static func inputBias(_ options: Options) -> [InitialValue.Part] {
    options.forgetBias.map { [InitialValue.Part(1, of: 4, $0)] } ?? []
  }

  public let preactivation, output: Activation
  let memory: Activation
  let intermediate: IntermediateState
  let form: Form

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    preactivation = plan.activation(5 * n, derivative: .overwrites)
    memory = plan.state(n, named: "c", derivative: .rolling)
    output = plan.state(n)
    intermediate = IntermediateState(n, gates: 4, names: ("weight_hm", "weight_mh"), in: &plan)
    form = options.form
  }

  public var gateBlocks: [GateBlock] {
    [
      GateBlock("i", preactivation, 1, of: 5), GateBlock("f", preactivation, 2, of: 5),
      GateBlock("o", preactivation, 4, of: 5),
    ]
  }

  public var recurrentWeights: [Parameter] { [intermediate.fromState, intermediate.toGates] }

  public var transitions: [Transition] {
    [
      Transition([
        WeightBlock(intermediate.fromState), WeightBlock(intermediate.toGates, 2, of: 4),
      ])
    ]
  }

  public func forward(_ t: Int, _ pass: Pass) {
    let a = pass[preactivation, t]
    let (past, c, h) = (pass.before(memory, t), pass[memory, t], pass[output, t])
    intermediate.forward(a.part(0, of: 5), pass.read(output, t), into: gates(a), t, pass)
    for s in 0..<pass.streams {
      let (i, f, g, o) = parts(a[s])
      switch form {
      case .radford:
        MemoryKernels.remember(i, f, g, past[s], c[s])
        MemoryKernels.respond(o, c[s], h[s])
      case .krause:
        MemoryKernels.rememberLinear(i, f, g, past[s], c[s])
        MemoryKernels.respondInside(o, c[s], h[s])
      }
    }
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let (a, h, dh) = (pass[preactivation, t], pass[output, t], pass.d[output, t])
    let (past, c, dc) = (pass.before(memory, t), pass[memory, t], pass.d[memory, t])
    let dPast = pass.d.before(memory, t)
    for s in 0..<pass.streams {
      let (i, f, g, o) = parts(a[s])
      switch form {
      case .radford:
        MemoryKernels.differentiateOutput(dh[s], c[s], o, dc[s])
        MemoryKernels.differentiateMemory(dc[s], past[s], i, f, g, dPast[s])
      case .krause:
        MemoryKernels.differentiateInside(dh[s], h[s], c[s], o, dc[s])
        MemoryKernels.differentiateLinear(dc[s], past[s], i, f, g, dPast[s])
      }
    }
    intermediate.backward(a.part(0, of: 5), gates(a), pass.d.read(output, t), t, pass)
  }

  public func accumulate(_ pass: Pass) {
    intermediate.accumulate(gates(pass.d[preactivation]), pass.read(output, lag: 1), pass)
  }

  /// Returns the last four blocks, the gates.
  private func gates(_ a: Matrix) -> Matrix { a.slice(columns: a.columns / 5..<a.columns) }
}

@inline(__always) private func parts(_ a: Row) -> (i: Row, f: Row, g: Row, o: Row) {
  (a.part(1, of: 5), a.part(2, of: 5), a.part(3, of: 5), a.part(4, of: 5))
}
