internal import LinearAlgebra

/// Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers 2000):
///
///     i, f, o = σ(x W + b + h(t−1) U + b′)      g = tanh(x W + b + h(t−1) U + b′)
///     c(t) = f ∘ c(t−1) + i ∘ g                  h(t) = o ∘ tanh c(t)
///
/// Gates lie in the order i, f, g, o. PyTorch's `nn.LSTM`.
///
/// - `forget_bias`: the initial value of f's part of the input bias.
/// - `peephole`: diagonal weights from the memory to the gates. `gers`: i and f read c(t−1), o
///   reads c(t) (Gers & Schmidhuber 2000). `previous`: all three gates read c(t−1).
/// - `projection`: h(t) = (o ∘ tanh c(t)) P of that many units (Sak 2014); PyTorch's `proj_size`.
/// - `coupled`: f = 1 − i, without weights of its own; gates are i, g, o (Greff 2015).
/// - `layer_norm`: LN(x W) + LN(h(t−1) U) + b + b′ in place of the sum, and h(t) = o ∘ tanh LN(c(t))
///   (Ba 2016).
/// - `chrono`: f's part of the input bias is initialised with ln U(1, T − 1), and i's part with its
///   negative, for memories of up to T steps (Tallec & Ollivier 2018).
public struct LSTM: RecurrentCell {
  public static let equations = """
    i,f,o = σ(x W + b + h₋ U + b′); g = tanh(…); c = f∘c₋ + i∘g; h = o∘tanh c; \
    peephole: gers: i,f read c₋ and o reads c, previous: all read c₋; projection: h = (o∘tanh c) \
    P; \
    coupled: f = 1−i; layer_norm: … = LN(x W) + LN(h₋ U) + b + b′, h = o∘tanh LN(c); \
    chrono: T: f's b starts from ln U(1, T−1), i's from its negative
    """
  public static let citation = """
    Hochreiter & Schmidhuber 1997, Gers 2000, Sak 2014; coupled: Greff 2015; layer_norm: Ba 2016; \
    chrono: Tallec & Ollivier 2018
    """
  public static let gates = 4

  public let preactivation, output: Activation
  public let recurrentBias: Parameter?
  let recurrent: Parameter
  let memory: Activation
  let peephole: Peephole
  /// Diagonal weights from c to i, f and o; to i and o if the gates are coupled.
  let peepholes: Parameter?
  let isCoupled: Bool
  let normalization: Normalization?
  /// The gates. They share the memory of the preactivation unless it is normalised.
  let gates: Activation
  /// P
  let projection: Parameter?
  /// o ∘ tanh c: the input of P, or the output itself without a projection.
  let unprojected: Activation
  /// Its gradient, kept for one step only; nil without a projection.
  let dUnprojected: Activation?

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    let count = Self.gates(options)
    let width = options.projection ?? n
    let spread = Distribution.uniform(1 / Double(n).squareRoot())
    isCoupled = options.coupled
    preactivation = plan.activation(count * n, derivative: .overwrites)
    memory = plan.state(n, named: "c", derivative: .rolling)
    recurrent = plan.parameter(
      "weight_hh", from: width, to: count * n, gates: count, pytorch: spread)
    if options.layerNorm {
      normalization = Normalization(options, fromInput: preactivation, in: &plan)
      gates = plan.activation(count * n, derivative: .overwrites)
      recurrentBias = nil
    } else {
      normalization = nil
      gates = preactivation
      recurrentBias =
        options.biases == 2 ? plan.vector("bias_hh", count: count * n, pytorch: spread) : nil
    }
    peephole = options.peephole
    peepholes =
      peephole == .none
      ? nil : plan.vector("weight_peephole", count: (count - 1) * n, pytorch: spread)
    output = plan.state(width)
    if options.projection == nil {
      projection = nil
      unprojected = output
      dUnprojected = nil
    } else {
      projection = plan.parameter("weight_hr", from: n, to: width, pytorch: spread)
      unprojected = plan.activation(n, derivative: .none)
      dUnprojected = plan.stepTemporary(n)
    }
  }

  public var gateBlocks: [GateBlock] {
    isCoupled
      ? [GateBlock("i", gates, 0, of: 3), GateBlock("o", gates, 2, of: 3)]
      : [
        GateBlock("i", gates, 0, of: 4), GateBlock("f", gates, 1, of: 4),
        GateBlock("o", gates, 3, of: 4),
      ]
  }

  public var recurrentWeights: [Parameter] { [recurrent] }

  public var transitions: [Transition] {
    let candidate = isCoupled ? WeightBlock(recurrent, 1, of: 3) : WeightBlock(recurrent, 2, of: 4)
    return [Transition([candidate] + (projection.map { [WeightBlock($0)] } ?? []))]
  }

  public func forward(_ t: Int, _ pass: Pass) {
    let a = pass[gates, t]
    let past = pass.before(memory, t)
    let c = pass[memory, t]
    let h = pass[unprojected, t]
    if let normalization {
      normalization.preactivate(a, pass.read(output, t), recurrent, t, pass)
    } else {
      a.addProduct(pass.read(output, t), pass[recurrent])
    }
    for s in 0..<pass.streams {
      let (i, f, g, o) = parts(a[s])
      if let peepholes {
        let p = diagonals(pass[peepholes].row)
        MemoryKernels.look(at: past[s], p.i, i)
        if !isCoupled { MemoryKernels.look(at: past[s], p.f, f) }
        if peephole == .previous { MemoryKernels.look(at: past[s], p.o, o) }
      }
      if isCoupled {
        MemoryKernels.rememberCoupled(i, g, past[s], c[s])
      } else {
        MemoryKernels.remember(i, f, g, past[s], c[s])
      }
      if let peepholes, peephole == .gers {
        MemoryKernels.look(at: c[s], diagonals(pass[peepholes].row).o, o)
      }
      if let normalization {
        MemoryKernels.respond(o, normalization.see(c[s], s, t, pass), h[s])
      } else {
        MemoryKernels.respond(o, c[s], h[s])
      }
    }
    guard let projection else { return }
    pass[output, t].setProduct(h, pass[projection])
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let a = pass[gates, t]
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
      if let normalization {
        normalization.differentiateOutput(dh[s], o, dc[s], s, t, pass)
      } else {
        MemoryKernels.differentiateOutput(dh[s], c[s], o, dc[s])
      }
      if let peepholes, peephole == .gers {
        MemoryKernels.look(at: o, diagonals(pass[peepholes].row).o, dc[s])
      }
      if isCoupled {
        MemoryKernels.differentiateCoupled(dc[s], past[s], i, g, dPast[s])
      } else {
        MemoryKernels.differentiateMemory(dc[s], past[s], i, f, g, dPast[s])
      }
      if let peepholes {
        let p = diagonals(pass[peepholes].row)
        MemoryKernels.look(at: i, p.i, dPast[s])
        if !isCoupled { MemoryKernels.look(at: f, p.f, dPast[s]) }
        if peephole == .previous { MemoryKernels.look(at: o, p.o, dPast[s]) }
      }
    }
    normalization?.differentiate(a, t, pass)
    pass.d.read(output, t).addProduct(
      pass[normalization?.fromState ?? gates, t], pass[recurrent].transposed)
  }

  public func accumulate(_ pass: Pass) {
    let da = pass.d[gates]
    pass.d[recurrent].addProduct(
      pass.d[normalization?.fromState ?? gates].transposed, pass.read(output, lag: 1))
    normalization?.accumulate(da, pass)
    if let projection {
      pass.d[projection].addProduct(pass.d[output].transposed, pass[unprojected])
    }
    if let peepholes {
      let dp = diagonals(pass.d[peepholes].row)
      let past = pass.before(memory, lag: 1)
      let seenByOutput = peephole == .gers ? pass[memory] : past
      for row in 0..<da.rows {
        let (di, df, _, dO) = parts(da[row])
        MemoryKernels.look(at: past[row], di, dp.i)
        if !isCoupled { MemoryKernels.look(at: past[row], df, dp.f) }
        MemoryKernels.look(at: seenByOutput[row], dO, dp.o)
      }
    }
  }

  /// Splits a row into its gates. With coupled gates f stands for i and is not used.
  @inline(__always) private func parts(_ a: Row) -> (i: Row, f: Row, g: Row, o: Row) {
    isCoupled
      ? (a.part(0, of: 3), a.part(0, of: 3), a.part(1, of: 3), a.part(2, of: 3))
      : (a.part(0, of: 4), a.part(1, of: 4), a.part(2, of: 4), a.part(3, of: 4))
  }

  /// Splits a row of peephole weights into the diagonals of the gates, in the same way.
  @inline(__always) private func diagonals(_ p: Row) -> (i: Row, f: Row, o: Row) {
    isCoupled
      ? (p.part(0, of: 2), p.part(0, of: 2), p.part(1, of: 2))
      : (p.part(0, of: 3), p.part(1, of: 3), p.part(2, of: 3))
  }
}

extension LSTM: PortableCell {
  public static var pytorchModule: String? { "nn.LSTM" }

  public static func moduleObstacle(_ options: Options) -> String? {
    if options.peephole != .none { return "has peepholes, which nn.LSTM lacks" }
    if options.coupled { return "has coupled gates, which nn.LSTM lacks" }
    return options.layerNorm ? "has layer normalisation, which nn.LSTM lacks" : nil
  }

  public static func joiningObstacle(_ options: Options) -> String? {
    options.layerNorm
      ? "has layer normalisation, which takes each of the two products by itself" : nil
  }
}

extension LSTM: ONNXCell {
  public static func onnxForm(_ options: Options) -> ONNXForm {
    if options.layerNorm { return .unsupported("has layer normalisation, which ONNX's LSTM lacks") }
    if options.projection != nil {
      return .unsupported("has a projection, which ONNX's LSTM lacks")
    }
    if options.peephole == .previous {
      return .unsupported("has previous peepholes, and those of ONNX's LSTM are gers")
    }
    // i, f, g, o here, or i, g, o, and i, o, f, g there; those of peepholes are i, f, o, or i, o, and i, o, f.
    let hasPeepholes = options.peephole == .gers
    if options.coupled {
      return .recurrent(
        ONNXOperator(
          "LSTM", blocks: [0, 2, nil, 1], peepholes: hasPeepholes ? [0, 1, nil] : [],
          attributes: ["input_forget": 1], states: ["h", "c"]))
    }
    return .recurrent(
      ONNXOperator(
        "LSTM", blocks: [0, 3, 1, 2], peepholes: hasPeepholes ? [0, 2, 1] : [],
        states: ["h", "c"]))
  }
}
