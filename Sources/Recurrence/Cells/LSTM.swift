internal import LinearAlgebra

/// Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers 2000):
///
///     i, f, o = σ(x W + b + h(t−1) U + b′)      g = tanh(x W + b + h(t−1) U + b′)
///     c(t) = f ∘ c(t−1) + i ∘ g                  h(t) = o ∘ tanh c(t)
///
/// Gates lie in the order i, f, g, o. PyTorch's `nn.LSTM`.
///
/// - `forget_bias`: what f's part of the input bias starts from.
/// - `peephole`: diagonal weights from the memory to the gates. `gers`: i and f see c(t−1), o sees c(t)
///   (Gers & Schmidhuber 2000); `previous`: all three gates see c(t−1).
/// - `projection`: h(t) = (o ∘ tanh c(t)) P of that many units (Sak 2014); PyTorch's `proj_size`.
public struct LSTM: RecurrentCell {
  public enum Peephole: String, Codable, CaseIterable, Sendable {
    case none, gers, previous
  }

  public struct Options: CellOptions {
    public var hidden: Int
    public var forgetBias: Double?
    public var peephole: Peephole
    public var projection: Int?
    /// 2 as in PyTorch, or 1: b alone.
    public var biases: Int

    public var output: Int { projection ?? hidden }

    public init(
      hidden: Int, forgetBias: Double? = nil, peephole: Peephole = .none, projection: Int? = nil,
      biases: Int = 2
    ) {
      self.hidden = hidden
      self.forgetBias = forgetBias
      self.peephole = peephole
      self.projection = projection
      self.biases = biases
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      forgetBias = try keys.decodeIfPresent(Double.self, forKey: .forgetBias)
      peephole = try keys.decodeIfPresent(Peephole.self, forKey: .peephole) ?? .none
      projection = try keys.decodeIfPresent(Int.self, forKey: .projection)
      biases = try keys.numberOfBiases(.biases)
      if let projection, projection < 1 || projection >= hidden {
        throw DecodingError.dataCorruptedError(
          forKey: .projection, in: keys,
          debugDescription: "a projection is narrower than hidden (\(hidden)) and at least 1")
      }
    }

    enum CodingKeys: String, CodingKey {
      case hidden, peephole, projection, biases
      case forgetBias = "forget_bias"
    }
  }

  public static let equations = """
    i,f,o = σ(x W + b + h₋ U + b′); g = tanh(…); c = f∘c₋ + i∘g; h = o∘tanh c; \
    peephole: gers: i,f see c₋ and o sees c, previous: all see c₋; projection: h = (o∘tanh c) P
    """
  public static let source = "Hochreiter & Schmidhuber 1997, Gers 2000, Sak 2014"
  public static let gates = 4

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: hidden), Options(hidden: hidden, biases: 1),
      Options(hidden: hidden, forgetBias: 1),
      Options(hidden: hidden, peephole: .gers), Options(hidden: hidden, peephole: .previous),
      Options(hidden: hidden, projection: hidden - 2),
      Options(hidden: hidden, peephole: .gers, projection: hidden - 2),
    ]
  }

  public static func inputBias(_ options: Options) -> [InitialValue.Part] {
    options.forgetBias.map { [InitialValue.Part(1, of: 4, $0)] } ?? []
  }

  public let preactivation, output: Activation
  public let recurrentBias: Parameter?
  let recurrent: Parameter
  let memory: Activation
  let peephole: Peephole
  /// Diagonals from c to i, f and o.
  let peepholes: Parameter?
  /// P
  let projection: Parameter?
  /// o ∘ tanh c: what P projects, or the output itself.
  let unprojected: Activation
  /// Its derivative, of one step where there is a projection.
  let dUnprojected: Activation?

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    let width = options.projection ?? n
    let spread = Distribution.uniform(1 / Double(n).squareRoot())
    preactivation = plan.activation(4 * n, derivative: .overwrites)
    memory = plan.state(n, named: "c", derivative: .rolling)
    recurrent = plan.parameter("weight_hh", from: width, to: 4 * n, gates: 4, pytorch: spread)
    recurrentBias =
      options.biases == 2 ? plan.vector("bias_hh", count: 4 * n, pytorch: spread) : nil
    peephole = options.peephole
    peepholes =
      peephole == .none ? nil : plan.vector("weight_peephole", count: 3 * n, pytorch: spread)
    output = plan.state(width)
    if options.projection == nil {
      projection = nil
      unprojected = output
      dUnprojected = nil
    } else {
      projection = plan.parameter("weight_hr", from: n, to: width, pytorch: spread)
      unprojected = plan.activation(n, derivative: .none)
      dUnprojected = plan.momentary(n)
    }
  }

  public func forward(_ t: Int, _ pass: Pass) {
    let a = pass[preactivation, t]
    let past = pass.before(memory, t)
    let c = pass[memory, t]
    let h = pass[unprojected, t]
    a.addProduct(pass.read(output, t), pass[recurrent])
    for s in 0..<pass.streams {
      let (i, f, g, o) = parts(a[s])
      if let peepholes {
        let p = pass[peepholes].row
        look(at: past[s], p.part(0, of: 3), i)
        look(at: past[s], p.part(1, of: 3), f)
        if peephole == .previous { look(at: past[s], p.part(2, of: 3), o) }
      }
      remember(i, f, g, past[s], c[s])
      if let peepholes, peephole == .gers { look(at: c[s], pass[peepholes].row.part(2, of: 3), o) }
      respond(o, c[s], h[s])
    }
    guard let projection else { return }
    pass[output, t].setProduct(h, pass[projection])
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let a = pass[preactivation, t]
    let past = pass.before(memory, t)
    let c = pass[memory, t]
    let dc = pass.d[memory, t]
    let dPast = pass.d.before(memory, t)
    var dh = pass.d[output, t]
    if let projection, let dUnprojected {
      dh = pass[dUnprojected, t]
      dh.setProduct(pass.d[output, t], pass[projection].transposed)
    }
    for s in 0..<pass.streams {
      let (i, f, g, o) = parts(a[s])
      differentiateOutput(dh[s], c[s], o, dc[s])
      if let peepholes, peephole == .gers { look(at: o, pass[peepholes].row.part(2, of: 3), dc[s]) }
      differentiateMemory(dc[s], past[s], i, f, g, dPast[s])
      if let peepholes {
        let p = pass[peepholes].row
        look(at: i, p.part(0, of: 3), dPast[s])
        look(at: f, p.part(1, of: 3), dPast[s])
        if peephole == .previous { look(at: o, p.part(2, of: 3), dPast[s]) }
      }
    }
    pass.d.read(output, t).addProduct(a, pass[recurrent].transposed)
  }

  public func accumulate(_ pass: Pass) {
    let da = pass.d[preactivation]
    pass.d[recurrent].addProduct(da.transposed, pass.read(output, lag: 1))
    if let projection {
      pass.d[projection].addProduct(pass.d[output].transposed, pass[unprojected])
    }
    if let peepholes {
      let dp = pass.d[peepholes].row
      let past = pass.before(memory, lag: 1)
      let seenByOutput = peephole == .gers ? pass[memory] : past
      for row in 0..<da.rows {
        let (di, df, _, dO) = parts(da[row])
        look(at: past[row], di, dp.part(0, of: 3))
        look(at: past[row], df, dp.part(1, of: 3))
        look(at: seenByOutput[row], dO, dp.part(2, of: 3))
      }
    }
  }
}

@inline(__always) private func parts(_ a: Row) -> (i: Row, f: Row, g: Row, o: Row) {
  (a.part(0, of: 4), a.part(1, of: 4), a.part(2, of: 4), a.part(3, of: 4))
}
/// a += p ∘ c
@inline(never) private func look(at c: Row, _ p: Row, _ a: Row) {
  for j in 0..<a.count { a[j] += p[j] * c[j] }
}
/// i, f = σ(i, f), g = tanh(g), c = f ∘ c₋ + i ∘ g
@inline(never) private func remember(_ i: Row, _ f: Row, _ g: Row, _ past: Row, _ c: Row) {
  for j in 0..<c.count {
    let (input, forget, candidate) = (sigmoid(i[j]), sigmoid(f[j]), tanh(g[j]))
    i[j] = input
    f[j] = forget
    g[j] = candidate
    c[j] = forget * past[j] + input * candidate
  }
}
/// o = σ(o), h = o ∘ tanh c
@inline(never) private func respond(_ o: Row, _ c: Row, _ h: Row) {
  for j in 0..<h.count {
    let gate = sigmoid(o[j])
    o[j] = gate
    h[j] = gate * tanh(c[j])
  }
}
/// ∂c += ∂h ∘ o ∘ (1 − tanh² c), and o becomes ∂o = ∂h ∘ tanh c ∘ o ∘ (1 − o)
@inline(never) private func differentiateOutput(_ dh: Row, _ c: Row, _ o: Row, _ dc: Row) {
  for j in 0..<dh.count {
    let (squashed, gate) = (tanh(c[j]), o[j])
    let through = dh[j] * gate
    dc[j] += through * (1 - squashed * squashed)
    o[j] = through * squashed * (1 - gate)
  }
}
/// ∂c₋ = ∂c ∘ f, and the gates become ∂i = ∂c ∘ g ∘ i ∘ (1 − i), ∂f = ∂c ∘ c₋ ∘ f ∘ (1 − f) and
/// ∂g = ∂c ∘ i ∘ (1 − g²)
@inline(never) private func differentiateMemory(
  _ dc: Row, _ past: Row, _ i: Row, _ f: Row, _ g: Row, _ dPast: Row
) {
  for j in 0..<dc.count {
    let (input, forget, candidate) = (i[j], f[j], g[j])
    dPast[j] = dc[j] * forget
    i[j] = dc[j] * candidate * (input * (1 - input))
    f[j] = dc[j] * past[j] * (forget * (1 - forget))
    g[j] = dc[j] * input * (1 - candidate * candidate)
  }
}
