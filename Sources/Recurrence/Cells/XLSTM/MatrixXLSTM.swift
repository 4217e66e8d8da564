public import LinearAlgebra

/// The layer around the mLSTM in the blocks of xLSTM (Beck 2024): a memory that is a matrix for each head, between
/// the projections of its block:
///
///     [u, z] = x W,   c = SiLU(conv(u))
///     q = c W_q,   k = c W_k,   v = u W_v           W_q, W_k, W_v of diagonal blocks of 4 × 4 numbers
///     [i, f] = [q, k, v] W_if + [b_i, b_f]
///     r(t) = the read of `matrix-lstm`
///     h(t) = (norm(r(t)) + s ∘ c) ∘ SiLU(z)
///
/// i and f are one number for each head, without a cap. The norm is the LayerNorm of each head by itself, with a
/// gain for each unit, without a shift, ε = 10⁻⁵. The convolution is causal and depthwise, with a bias. No step
/// reads the output of the one before.
///
/// b_f rises evenly from 3 to 6 over the heads, b_i starts from N(0, 0.1²), s at 1, and W_if at zero except with the
/// initializer `uniform`.
///
/// - `hidden`: the units of u, a multiple of 4: in the paper twice the width of the block.
/// - `heads`: the number of memories.
/// - `kernel`: the steps that an output of the convolution reads.
public struct MatrixXLSTM: MatrixStateCell {
  public struct Options: CellOptions {
    public var hidden: Int
    public var heads: Int
    /// The steps that the convolution reads.
    public var kernel: Int

    public init(hidden: Int, heads: Int = 1, kernel: Int = 4) {
      precondition(
        hidden.isMultiple(of: heads) && hidden.isMultiple(of: DiagonalBlocks.size),
        "\(heads) heads of \(hidden) units")
      self.hidden = hidden
      self.heads = heads
      self.kernel = kernel
    }

    public var hasState: Bool { false }

    private enum CodingKeys: String, CodingKey { case hidden, heads, kernel }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      guard hidden.isMultiple(of: DiagonalBlocks.size) else {
        throw DecodingError.dataCorruptedError(
          forKey: .hidden, in: keys,
          debugDescription: "hidden must be a multiple of 4, the size of the blocks of its weights")
      }
      heads = try keys.heads(.heads, dividing: hidden, "hidden")
      kernel = try keys.kernel(.kernel) ?? 4
    }
  }

  public static let equations = """
    [u,z] = x W; c = SiLU(conv(u)); q,k = c W_q, c W_k; v = u W_v, each W of 4 × 4 diagonal blocks; \
    [i,f] = [q,k,v] W_if + b; r = the read of matrix-lstm without a cap; h = (norm(r) + s∘c)∘SiLU(z)
    """
  public static let citation = "Beck 2024 (xLSTM)"
  public static let gates = 2

  public static func biasedGates(_ options: Options) -> Int { 0 }

  public static func inputDistribution(
    _ options: Options, reading inputs: Int
  ) -> Distribution { .normal((2 / (5 * Double(max(inputs, 1)))).squareRoot()) }

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: 4 * hidden),
      Options(hidden: 4 * hidden, heads: 2, kernel: 2),
    ]
  }

  /// [u, z], which become their gradients.
  public let preactivation: Activation
  public let output: Activation
  public let heads: Int
  /// c of u.
  private let convolution: InnerConvolution
  /// [q, k, v]
  private let mixed: Activation
  private let queries, keys, values: DiagonalBlocks
  /// [i, f], which become their gradients.
  private let gates: Activation
  private let gateWeight, gateBias: Parameter
  private let recurrence: MatrixLSTMMemory
  /// norm(r) + s ∘ c, which becomes its gradient.
  private let summed: Activation
  private let skip: Parameter
  private let norm: RowNormalization
  private let hidden: Int

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    (hidden, heads) = (n, options.heads)
    preactivation = plan.activation(2 * n, derivative: .overwrites)
    convolution = .ofXLSTM(kernel: options.kernel, of: 0..<n, in: preactivation, in: &plan)
    mixed = plan.activation(3 * n)
    queries = DiagonalBlocks("weight_q", width: n, in: &plan)
    keys = DiagonalBlocks("weight_k", width: n, in: &plan)
    values = DiagonalBlocks("weight_v", width: n, in: &plan)
    gates = plan.activation(2 * heads, derivative: .overwrites)
    gateWeight = plan.parameter(
      "weight_gates", from: 3 * n, to: 2 * heads, gates: 2, pytorch: .zero,
      zeroRows: plan.scope.initializer.isUniform ? 0 : 2 * heads)
    gateBias = plan.vector(
      "bias_gates", count: 2 * heads, pytorch: .zero,
      parts: [
        .init(0, of: 2, .normal(0.1)), .init(1, of: 2, .power(from: 3, by: 3, exponent: 1)),
      ])
    recurrence = MatrixLSTMMemory(keyWidth: n, hidden: n, heads: heads, in: &plan)
    summed = plan.activation(n, derivative: .overwrites)
    output = plan.activation(n)
    skip = plan.vector("skip", count: n, pytorch: .zero, parts: [.init(0, of: 1, 1)])
    norm = RowNormalization(
      NormOptions(.layernorm, eps: 1e-5, bias: false), width: n, heads: heads, prefix: "norm_",
      in: &plan)
  }

  public var memory: Activation { recurrence.state }
  public var workspace: Scratch { recurrence.workspace }

  // MARK: Forward

  public func mixInput(_ t: Int, _ pass: Pass) { convolution.forward(t, pass) }

  public func project(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let mixed = pass[mixed].slice(rows: own)
    let c = pass[convolution.output].slice(rows: own)
    queries.multiply(c, into: mixed.part(0, of: 3), pass)
    keys.multiply(c, into: mixed.part(1, of: 3), pass)
    values.multiply(
      pass[convolution.input].slice(rows: own), into: mixed.part(2, of: 3), pass)
    let gates = pass[gates].slice(rows: own)
    gates.fillEveryRow(pass[gateBias].row)
    gates.addProduct(mixed, pass[gateWeight])
  }

  public func advance(
    _ past: Row, to now: Row, head: Int, _ t: Int, _ s: Int, reading: Bool, _ pass: Pass
  ) {
    recurrence.advance(
      past, to: now, input(head, t, s, pass), head: head, t, s, reading: reading, pass)
  }

  public func finish(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let summed = pass[summed].slice(rows: own)
    norm.forward(
      pass[recurrence.read].slice(rows: own), into: summed, from: own.lowerBound, pass)
    let (c, s) = (pass[convolution.output].slice(rows: own), pass[skip].row)
    for i in 0..<summed.rows { addProduct(s, c[i], to: summed[i]) }
    PointwiseFunction.silu.gate(gate(own, pass), summed, into: pass[output].slice(rows: own))
  }

  // MARK: Backward

  public func beginBackward(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let dSummed = pass[summed].slice(rows: own)
    PointwiseFunction.silu.differentiateGate(
      pass.d[output].slice(rows: own), gate(own, pass), overwriting: dSummed)
    let (c, s, ds) = (convolution.output, pass[skip].row, pass.d[skip].row)
    for i in own {
      let dy = pass[summed][i]
      addProduct(dy, pass[c][i], to: ds)
      addProduct(dy, s, to: pass.d[c][i])
    }
    norm.backward(
      dSummed, reading: pass[recurrence.read].slice(rows: own),
      into: pass.d[recurrence.read].slice(rows: own), from: own.lowerBound, pass)
  }

  public func retreat(
    _ gradient: Row, past: Row, now: Row, head: Int, _ t: Int, _ s: Int, _ pass: Pass
  ) {
    let d = parts(pass.d[mixed, t][s], head)
    let (di, df) = recurrence.retreat(
      gradient, past: past, now: now, input(head, t, s, pass), d, head: head, t, s, pass)
    let gates = pass[gates, t][s]
    (gates[head], gates[heads + head]) = (di, df)
  }

  public func projectBack(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let dMixed = pass.d[mixed].slice(rows: own)
    dMixed.addProduct(pass[gates].slice(rows: own), pass[gateWeight].transposed)
    let dc = pass.d[convolution.output].slice(rows: own)
    queries.addGradient(dMixed.part(0, of: 3), to: dc, pass)
    keys.addGradient(dMixed.part(1, of: 3), to: dc, pass)
    values.addGradient(
      dMixed.part(2, of: 3), to: pass.d[convolution.input].slice(rows: own), pass)
  }

  public func mixInputBack(_ t: Int, _ pass: Pass) { convolution.backward(t, pass) }

  public func accumulate(_ pass: Pass) {
    let (dGates, dMixed) = (pass[gates], pass.d[mixed])
    pass.d[gateWeight].addProduct(dGates.transposed, pass[mixed])
    pass.d[gateBias].addColumnSums(dGates)
    queries.accumulate(dMixed.part(0, of: 3), reading: pass[convolution.output], pass)
    keys.accumulate(dMixed.part(1, of: 3), reading: pass[convolution.output], pass)
    values.accumulate(dMixed.part(2, of: 3), reading: pass[convolution.input], pass)
  }

  // MARK: Parts

  /// z
  private func gate(_ rows: Range<Int>, _ pass: Pass) -> Matrix {
    pass[preactivation].slice(rows: rows).part(1, of: 2)
  }

  /// Splits a row in the shape of [q, k, v].
  @inline(__always) private func parts(_ row: Row, _ head: Int) -> (q: Row, k: Row, v: Row) {
    (
      row.part(head, of: 3 * heads), row.part(heads + head, of: 3 * heads),
      row.part(2 * heads + head, of: 3 * heads)
    )
  }

  @inline(__always) private func input(
    _ head: Int, _ t: Int, _ s: Int, _ pass: Pass
  ) -> MatrixLSTMMemory.Input {
    let (own, gates) = (parts(pass[mixed, t][s], head), pass[gates, t][s])
    return MatrixLSTMMemory.Input(
      q: own.q, k: own.k, v: own.v, i: gates[head], f: gates[heads + head])
  }
}

/// y += a ∘ x
@inline(never) private func addProduct(_ a: Row, _ x: Row, to y: Row) {
  for j in 0..<y.count { y[j] += a[j] * x[j] }
}
