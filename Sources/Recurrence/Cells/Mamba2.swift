public import LinearAlgebra

/// The selective state space of Mamba-2, whose memory is a matrix for each head (Dao & Gu 2024):
///
///     [z, u, Δ] = x W,   [v, B, C] = SiLU(conv(u)),   Δ = softplus(Δ + b_Δ),   a = exp(−Δ exp(A))
///     S(t) = a S(t−1) + Δ B vᵀ
///     y(t) = S(t)ᵀ C + D v
///     h(t) = norm(y ∘ SiLU(z))
///
/// Δ, a, A and D are one number for each head, v and y have hidden / heads numbers for each head. B and C have
/// `state` numbers; the heads of a group share them, and the norm is the RMSNorm of each group by itself, with
/// ε = 10⁻⁵. The convolution has a bias and is causal and depthwise. No step reads the output of the one before.
///
/// First values: exp(A) from U(1, 16), D = 1, softplus(b_Δ) = max(exp U(ln 10⁻³, ln 10⁻¹), 10⁻⁴), W and the
/// convolution as PyTorch's `Linear` and `Conv1d`.
///
/// - `hidden`: the width of v, y and z; in the paper's models twice that of the block.
/// - `heads`: the number of memories; unless it is given, as many as make v of a head at most 64 wide.
/// - `state`: the numbers of B, and of C, of a group.
/// - `groups`: the number of groups of heads.
/// - `kernel`: the steps that an output of the convolution reads.
public struct Mamba2: MatrixStateCell {
  public struct Options: CellOptions {
    public var hidden: Int
    /// The number of memories; nil for the least with at most 64 units each.
    public var heads: Int?
    /// The width of B and of C of a group.
    public var state: Int
    public var groups: Int
    /// The steps that the convolution reads.
    public var kernel: Int

    public init(
      hidden: Int, heads: Int? = nil, state: Int = 128, groups: Int = 1, kernel: Int = 4
    ) {
      self.hidden = hidden
      self.heads = heads
      self.state = state
      self.groups = groups
      self.kernel = kernel
      precondition(
        hidden.isMultiple(of: memories) && memories.isMultiple(of: groups),
        "\(memories) heads in \(groups) groups of \(hidden) units")
    }

    public var hasState: Bool { false }

    /// The width of B and C of all groups.
    var inputs: Int { 2 * groups * state }

    /// The number of memories: `heads`, or the least with at most 64 units each.
    package var memories: Int {
      heads
        ?? (1...hidden).first {
          hidden.isMultiple(of: $0) && $0.isMultiple(of: groups) && hidden / $0 <= 64
        } ?? hidden
    }

    private enum CodingKeys: String, CodingKey { case hidden, heads, state, groups, kernel }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      groups = try keys.heads(.groups, dividing: hidden, "hidden")
      let isGiven = try keys.decodeIfPresent(Int.self, forKey: .heads) != nil
      heads = isGiven ? try keys.heads(.heads, dividing: hidden, "hidden") : nil
      state = try keys.checkedWidth(
        try keys.decodeIfPresent(Int.self, forKey: .state) ?? 128, .state, largest: 1 << 16)
      kernel = try keys.kernel(.kernel) ?? 4
      guard memories.isMultiple(of: groups) else {
        throw DecodingError.dataCorruptedError(
          forKey: .groups, in: keys,
          debugDescription: "groups must be a divisor of heads (\(memories)), and \(groups) is none"
        )
      }
    }
  }

  public static let equations = """
    [z,u,Δ] = x W; [v,B,C] = SiLU(conv(u)); Δ = softplus(Δ + b); a = exp(−Δ exp(A)); \
    S = a S₋ + Δ B vᵀ; h = norm((SᵀC + D v)∘SiLU(z))
    """
  public static let citation = "Dao & Gu 2024 (Mamba-2)"
  public static let gates = 1

  public static func biasedGates(_ options: Options) -> Int { 0 }

  public static func inputDistribution(
    _ options: Options, reading inputs: Int
  ) -> Distribution { .uniform(1 / Double(max(inputs, 1)).squareRoot()) }

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: hidden, state: 12),
      Options(hidden: hidden, heads: hidden, state: 24, kernel: 3),
    ]
  }

  /// [z, u, Δ]
  public let preactivation: Activation
  public let output: Activation
  /// S of each head, a row for each number of B.
  public let memory: Activation
  public let workspace: Scratch
  public let heads: Int
  /// [v, B, C]
  private let convolution: InnerConvolution
  /// [Δ, a]; in the backward pass ∂ ln a takes the place of a.
  private let rates: Activation
  /// y, which becomes its gradient.
  private let read: Activation
  /// y ∘ SiLU(z)
  private let gated: Activation
  private let timeBias, decay, skip: Parameter
  private let norm: RowNormalization
  /// exp(A)
  private let speeds: Scratch
  /// ∂v / Δ of a head.
  private let dValue: Scratch
  /// The memory as products of matrices.
  private let products: DecayChunk
  private let hidden, state, groups: Int

  public init(_ options: Options, in plan: inout Plan) {
    (hidden, heads, state) = (options.hidden, options.memories, options.state)
    groups = options.groups
    let stateWidth = state * (hidden / heads)
    preactivation = plan.activation(
      2 * hidden + options.inputs + heads, derivative: .overwrites)
    convolution = InnerConvolution(
      ConvolutionOptions(kernel: options.kernel, activation: .silu),
      of: hidden..<2 * hidden + options.inputs, in: preactivation, derivative: .added, in: &plan)
    memory = plan.chunkedState(heads * stateWidth, named: "S", every: DecayChunk.steps)
    workspace = plan.chunkScratch(stateWidth, steps: DecayChunk.fewest)
    products = DecayChunk(keys: state, values: hidden / heads, in: &plan)
    // Δ B vᵀ and Sᵀ C
    plan.countProducts(2 * heads * stateWidth)
    rates = plan.activation(2 * heads, derivative: .none)
    read = plan.activation(hidden, derivative: .overwrites)
    gated = plan.activation(hidden)
    output = plan.activation(hidden)
    speeds = plan.scratch(heads)
    dValue = plan.scratch(hidden / heads)
    timeBias = plan.vector(
      "dt_bias", count: heads, pytorch: .zero,
      parts: [.init(0, of: 1, .timeSteps(from: 1e-3, to: 1e-1, least: 1e-4))])
    decay = plan.vector(
      "A_log", count: heads, pytorch: .zero,
      parts: [.init(0, of: 1, .logarithm(from: 1, to: 16))])
    skip = plan.vector("D", count: heads, pytorch: .zero, parts: [.init(0, of: 1, 1)])
    norm = RowNormalization(
      NormOptions(.rmsnorm, eps: 1e-5), width: hidden, heads: groups, prefix: "norm_", in: &plan)
  }

  // MARK: Forward

  public func mixInput(_ t: Int, _ pass: Pass) { convolution.forward(t, pass) }

  public func project(_ steps: Range<Int>, _ pass: Pass) {
    let (bias, speeds) = (pass[timeBias].row, speeds(pass))
    for i in pass.rows(of: steps) {
      let own = pass[rates][i]
      setRates(
        times(pass[preactivation][i]), bias, speeds, own.part(0, of: 2), own.part(1, of: 2))
    }
  }

  public func advance(
    _ past: Row, to now: Row, head: Int, _ t: Int, _ s: Int, reading: Bool, _ pass: Pass
  ) {
    let u = Parts(pass[convolution.output, t][s], head, self)
    let own = pass[rates, t][s]
    let (before, after) = (matrix(past), matrix(now))
    let (step, kept) = (own[head], own[heads + head])
    if reading {
      rememberAndRead(
        before, after, kept, step, u.B, u.v, u.C, pass[read, t][s].part(head, of: heads))
    } else {
      remember(before, after, kept, step, u.B, u.v)
    }
  }

  public func finish(_ steps: Range<Int>, _ pass: Pass) {
    let (own, skip) = (pass.rows(of: steps), pass[skip].row)
    let (y, gated) = (pass[read].slice(rows: own), pass[gated].slice(rows: own))
    for (k, i) in own.enumerated() {
      let v = pass[convolution.output][i][0..<hidden]
      for head in 0..<heads {
        add(skip[head], times: v.part(head, of: heads), to: y[k].part(head, of: heads))
      }
    }
    PointwiseFunction.silu.gate(gate(own, pass), y, into: gated)
    norm.forward(gated, into: pass[output].slice(rows: own), from: own.lowerBound, pass)
  }

  public func advanceThroughWindow(_ pass: Pass) {
    guard takesChunks(of: DecayChunk.fewest, pass) else { return advanceStepByStep(pass) }
    forEachChunk(pass, backward: false) { index, steps, s in
      let rates = stream(s, pass[rates], steps, pass)
      for group in 0..<groups {
        let (q, k) = (queries(group, s, steps, pass), keys(group, s, steps, pass))
        products.multiply(q, k, pass)
        for head in heads(of: group) {
          products.forward(
            q, k, values(head, s, steps, pass),
            into: stream(s, pass[read], steps, pass).part(head, of: heads),
            matrix(pass[memory, index - 1][s].part(head, of: heads)),
            to: matrix(pass[memory, index][s].part(head, of: heads)),
            decay: { pass.begins(steps.lowerBound + $0, s) ? 0 : rates[$0, heads + head] },
            scale: { rates[$0, head] }, pass)
        }
      }
    }
  }

  // MARK: Backward

  public func retreatThroughWindow(_ pass: Pass) {
    guard takesChunks(of: DecayChunk.fewest, pass) else { return retreatStepByStep(pass) }
    forEachChunk(pass, backward: true) { index, steps, s in
      for group in 0..<groups {
        let (q, k) = (queries(group, s, steps, pass), keys(group, s, steps, pass))
        let (dq, dk) = (dQueries(group, s, steps, pass), dKeys(group, s, steps, pass))
        products.multiplyBack(q, k, pass)
        for head in heads(of: group) {
          retreat(head, index, steps, s, q, k, dq, dk, pass)
        }
        products.endBack(q, k, dq, dk, pass)
      }
    }
  }

  /// Computes the gradients of a head in a chunk.
  private func retreat(
    _ head: Int, _ index: Int, _ steps: Range<Int>, _ s: Int, _ q: Matrix, _ k: Matrix,
    _ dq: Matrix, _ dk: Matrix, _ pass: Pass
  ) {
    let rates = stream(s, pass[rates], steps, pass)
    let times = stream(s, pass[preactivation], steps, pass)
    let own = times.columns - heads + head
    let v = values(head, s, steps, pass)
    let dv = stream(s, pass.d[convolution.output], steps, pass)
      .slice(columns: 0..<hidden).part(head, of: heads)
    products.backward(
      q, k, v, stream(s, pass[read], steps, pass).part(head, of: heads), dq, dk,
      past: matrix(pass[memory, index - 1][s].part(head, of: heads)),
      dNow: matrix(pass.d[memory, index][s].part(head, of: heads)),
      dPast: matrix(pass.d[memory, index - 1][s].part(head, of: heads)),
      decay: { pass.begins(steps.lowerBound + $0, s) ? 0 : rates[$0, heads + head] },
      scale: { rates[$0, head] }, pass
    ) { t, gradient in
      times[t, own] = gradient.value.dot(v[t])
      add(rates[t, head], times: gradient.value, to: dv[t])
      rates[t, heads + head] = gradient.decay
    }
  }

  public func beginBackward(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let dGated = pass.d[gated].slice(rows: own)
    norm.backward(
      pass.d[output].slice(rows: own), reading: pass[gated].slice(rows: own), into: dGated,
      from: own.lowerBound, pass)
    PointwiseFunction.silu.differentiateGate(
      dGated, gate(own, pass), overwriting: pass[read].slice(rows: own))
  }

  public func retreat(
    _ gradient: Row, past: Row, now: Row, head: Int, _ t: Int, _ s: Int, _ pass: Pass
  ) {
    let u = Parts(pass[convolution.output, t][s], head, self)
    let d = Parts(pass.d[convolution.output, t][s], head, self)
    let own = pass[rates, t][s]
    let dValue = Row(pass.scratch(dValue).start, count: u.v.count)
    let (dDecay, dStep) = differentiate(
      matrix(gradient), matrix(past), matrix(now), own[heads + head], own[head],
      pass[read, t][s].part(head, of: heads), u, d, dValue)
    add(own[head], times: dValue, to: d.v)
    own[heads + head] = dDecay
    times(pass[preactivation, t][s])[head] = dStep
  }

  public func projectBack(_ steps: Range<Int>, _ pass: Pass) {
    let (skip, dSkip) = (pass[skip].row, pass.d[skip].row)
    let (speeds, dLog) = (speeds(pass), pass.d[decay].row)
    for i in pass.rows(of: steps) {
      let (v, dv) = (pass[convolution.output][i], pass.d[convolution.output][i])
      for head in 0..<heads {
        let (own, dOwn) = (
          v[0..<hidden].part(head, of: heads), dv[0..<hidden].part(head, of: heads)
        )
        let dy = pass[read][i].part(head, of: heads)
        dSkip[head] += dy.dot(own)
        add(skip[head], times: dy, to: dOwn)
      }
      let own = pass[rates][i]
      differentiateRates(
        times(pass[preactivation][i]), speeds, own.part(0, of: 2), own.part(1, of: 2), dLog)
    }
  }

  public func mixInputBack(_ t: Int, _ pass: Pass) { convolution.backward(t, pass) }

  public func accumulate(_ pass: Pass) {
    let da = pass[preactivation]
    pass.d[timeBias].addColumnSums(da.slice(columns: da.columns - heads..<da.columns))
  }

  // MARK: Parts

  private func heads(of group: Int) -> Range<Int> {
    let count = heads / groups
    return group * count..<(group + 1) * count
  }

  private func keys(_ group: Int, _ s: Int, _ steps: Range<Int>, _ pass: Pass) -> Matrix {
    stream(s, pass[convolution.output], steps, pass).slice(columns: columns(group))
  }

  private func queries(_ group: Int, _ s: Int, _ steps: Range<Int>, _ pass: Pass) -> Matrix {
    stream(s, pass[convolution.output], steps, pass).slice(columns: columns(groups + group))
  }

  private func dKeys(_ group: Int, _ s: Int, _ steps: Range<Int>, _ pass: Pass) -> Matrix {
    stream(s, pass.d[convolution.output], steps, pass).slice(columns: columns(group))
  }

  private func dQueries(_ group: Int, _ s: Int, _ steps: Range<Int>, _ pass: Pass) -> Matrix {
    stream(s, pass.d[convolution.output], steps, pass).slice(columns: columns(groups + group))
  }

  private func values(_ head: Int, _ s: Int, _ steps: Range<Int>, _ pass: Pass) -> Matrix {
    stream(s, pass[convolution.output], steps, pass)
      .slice(columns: 0..<hidden).part(head, of: heads)
  }

  /// The columns of B of a group in [v, B, C]; those of C follow as groups of their own.
  private func columns(_ group: Int) -> Range<Int> {
    hidden + group * state..<hidden + (group + 1) * state
  }

  /// exp(A)
  private func speeds(_ pass: Pass) -> Row {
    let row = Row(pass.scratch(speeds).start, count: heads)
    setExponentials(pass[decay].row, row)
    return row
  }

  private func gate(_ rows: Range<Int>, _ pass: Pass) -> Matrix {
    pass[preactivation].slice(rows: rows).slice(columns: 0..<hidden)
  }

  /// Δ of all heads
  @inline(__always) private func times(_ a: Row) -> Row { a[a.count - heads..<a.count] }

  @inline(__always) private func matrix(_ row: Row) -> Matrix {
    Matrix(row.elements.baseAddress!, rows: state, columns: row.count / state)
  }

  /// The part of a head in a row of [v, B, C].
  fileprivate struct Parts {
    let v, B, C: Row

    @inline(__always) init(_ u: Row, _ head: Int, _ cell: Mamba2) {
      let (hidden, state) = (cell.hidden, cell.state)
      let first = hidden + head * cell.groups / cell.heads * state
      let second = first + cell.groups * state
      v = u[0..<hidden].part(head, of: cell.heads)
      B = u[first..<first + state]
      C = u[second..<second + state]
    }
  }
}

/// Δ = softplus(Δ + b), a = exp(−Δ exp(A))
@inline(never) private func setRates(
  _ time: Row, _ bias: Row, _ speed: Row, _ step: Row, _ kept: Row
) {
  for j in 0..<step.count {
    let length = softplus(time[j] + bias[j])
    step[j] = length
    kept[j] = exp(-length * speed[j])
  }
}
/// With g = ∂ ln a, ∂Δ becomes (∂Δ − exp(A) g) (1 − exp(−Δ)), the gradient before the softplus, and
/// ∂A −= Δ exp(A) g
@inline(never) private func differentiateRates(
  _ dTime: Row, _ speed: Row, _ step: Row, _ dDecay: Row, _ dLog: Row
) {
  for j in 0..<step.count {
    let term = speed[j] * dDecay[j]
    dTime[j] = (dTime[j] - term) * -exponentialMinusOne(-step[j])
    dLog[j] -= step[j] * term
  }
}
/// With ∂S += C ∂yᵀ: ∂C += S ∂y, ∂B += Δ ∂S v, and w = ∂Sᵀ B; then ∂S becomes ∂S₋ = a ∂S.
/// - Returns: ∂ ln a = a ⟨∂S, S₋⟩, and the part ⟨w, v⟩ of ∂Δ.
@inline(never) private func differentiate(
  _ dS: Matrix, _ past: Matrix, _ now: Matrix, _ kept: Real, _ step: Real, _ dy: Row,
  _ u: Mamba2.Parts, _ d: Mamba2.Parts, _ w: Row
) -> (decay: Real, step: Real) {
  var (dDecay, dStep): (Real, Real) = (0, 0)
  w.fill(0)
  for r in 0..<dS.rows {
    let row = dS[r]
    add(u.C[r], times: dy, to: row)
    d.C[r] += now[r].dot(dy)
    let product = row.dot(u.v)
    d.B[r] += step * product
    dStep += u.B[r] * product
    dDecay += row.dot(past[r])
    add(u.B[r], times: row, to: w)
    row.scale(by: kept)
  }
  return (kept * dDecay, dStep)
}
