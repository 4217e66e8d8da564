public import LinearAlgebra

/// Gated DeltaNet, whose memory is a matrix for each head that forgets, and that replaces what it holds for a key
/// (Yang 2025):
///
///     [u, g, β, α] = x W,   [q, k, v] = SiLU(conv(u)),   q = q / (|q| √d),   k = k / |k|
///     β = σ(β),   α = exp(−exp(A) softplus(α + b_α))
///     S(t) = α S(t−1) + k (β (v − α S(t−1)ᵀ k))ᵀ
///     h(t) = norm(S(t)ᵀ q) ∘ SiLU(g)
///
/// β, α and A are one number for each head, q and k have d numbers for each head. |q| is √(Σ q² + 10⁻⁶). The norm
/// is the RMSNorm of each head by itself, with one gain for all heads and ε = 10⁻⁵. The convolution has no bias
/// and is causal and depthwise. No step reads the output of the one before.
///
/// First values: exp(A) from U(0.01, 16), softplus(b_α) = max(exp U(ln 10⁻³, ln 10⁻¹), 10⁻⁴), W and the convolution
/// as PyTorch's `Linear` and `Conv1d`.
///
/// - `hidden`: the numbers of v, and of g, of all heads.
/// - `heads`: the number of memories.
/// - `key_width`: the numbers of q, and of k, of all heads.
/// - `negative_eigenvalues`: β = 2 σ(β), so that a step can change the sign of what it holds (Grazzi 2025).
/// - `kernel`: the steps that an output of the convolution reads.
public struct GatedDeltaNet: MatrixStateCell {
  public struct Options: CellOptions {
    public var hidden: Int
    public var heads: Int
    /// The width of q and of k; nil for half of `hidden`.
    public var keyWidth: Int?
    /// True for β between 0 and 2.
    public var negativeEigenvalues: Bool
    /// The steps that the convolution reads.
    public var kernel: Int

    public init(
      hidden: Int, heads: Int = 1, keyWidth: Int? = nil, negativeEigenvalues: Bool = false,
      kernel: Int = 4
    ) {
      self.hidden = hidden
      self.heads = heads
      self.keyWidth = keyWidth
      self.negativeEigenvalues = negativeEigenvalues
      self.kernel = kernel
      precondition(
        hidden.isMultiple(of: heads) && keys.isMultiple(of: heads),
        "\(heads) heads of \(hidden) and \(keys) units")
    }

    public var hasState: Bool { false }

    /// The width of q and of k: half of `hidden`, rounded up to a multiple of the heads, unless given.
    var keys: Int { keyWidth ?? max((hidden / 2 + heads - 1) / heads * heads, heads) }

    private enum CodingKeys: String, CodingKey {
      case hidden, heads, kernel
      case keyWidth = "key_width"
      case negativeEigenvalues = "negative_eigenvalues"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      heads = try keys.heads(.heads, dividing: hidden, "hidden")
      keyWidth = try keys.keyWidth(.keyWidth, of: heads)
      negativeEigenvalues =
        try keys.decodeIfPresent(Bool.self, forKey: .negativeEigenvalues) ?? false
      kernel = try keys.kernel(.kernel) ?? 4
    }
  }

  public static let equations = """
    [u,g,β,α] = x W; [q,k,v] = SiLU(conv(u)), q = q/(|q|√d), k = k/|k|; β = σ(β); \
    α = exp(−exp(A) softplus(α + b)); S = αS₋ + k(β(v − αS₋ᵀk))ᵀ; h = norm(Sᵀq)∘SiLU(g); \
    negative_eigenvalues: true: β = 2σ(β)
    """
  public static let citation = "Yang 2025 (Gated DeltaNet)"
  public static let gates = 1

  public static func biasedGates(_ options: Options) -> Int { 0 }

  public static func inputDistribution(
    _ options: Options, reading inputs: Int
  ) -> Distribution { .uniform(1 / Double(max(inputs, 1)).squareRoot()) }

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: hidden, keyWidth: 3),
      Options(
        hidden: hidden, heads: hidden, keyWidth: 6 * hidden, negativeEigenvalues: true, kernel: 2),
    ]
  }

  /// [u, g, β, α]; a step's softplus(α + b_α) takes the place of α.
  public let preactivation: Activation
  public let output: Activation
  /// S of each head, a row for each number of k.
  public let memory: Activation
  public let workspace: Scratch
  public let heads: Int
  /// [q, k, v], which become their gradients.
  private let convolution: InnerConvolution
  /// 1/|q| and 1/|k|.
  private let scales: Activation
  /// α; in the backward pass ∂ ln α.
  private let kept: Activation
  /// Sᵀ q, and its norm, which becomes its gradient.
  private let read, normed: Activation
  private let timeBias, decay: Parameter
  private let norm: RowNormalization
  /// exp(A)
  private let speeds: Scratch
  /// Vectors of the width of a head's v, and of its k.
  private let values, keys: Scratch
  private let hidden, keyWidth: Int
  /// The largest β.
  private let strongest: Real

  public init(_ options: Options, in plan: inout Plan) {
    (hidden, keyWidth, heads) = (options.hidden, options.keys, options.heads)
    strongest = options.negativeEigenvalues ? 2 : 1
    let (key, value) = (keyWidth / heads, hidden / heads)
    preactivation = plan.activation(
      2 * keyWidth + 2 * hidden + 2 * heads, derivative: .overwrites)
    convolution = InnerConvolution(
      ConvolutionOptions(kernel: options.kernel, bias: false, activation: .silu),
      of: 0..<2 * keyWidth + hidden, in: preactivation, in: &plan)
    memory = plan.chunkedState(heads * key * value, named: "S")
    workspace = plan.chunkScratch(key * value)
    // Sᵀ k, k with what replaces it, and Sᵀ q
    plan.countProducts(3 * key * hidden)
    scales = plan.activation(2 * heads, derivative: .none)
    kept = plan.activation(heads, derivative: .none)
    read = plan.activation(hidden)
    normed = plan.activation(hidden, derivative: .overwrites)
    output = plan.activation(hidden)
    speeds = plan.scratch(heads)
    values = plan.scratch(2 * value)
    keys = plan.scratch(2 * key)
    timeBias = plan.vector(
      "dt_bias", count: heads, pytorch: .zero,
      parts: [.init(0, of: 1, .timeSteps(from: 1e-3, to: 1e-1, least: 1e-4))])
    decay = plan.vector(
      "A_log", count: heads, pytorch: .zero,
      parts: [.init(0, of: 1, .logarithm(from: 0.01, to: 16))])
    norm = RowNormalization(
      NormOptions(.rmsnorm, eps: 1e-5), width: hidden, heads: heads, sharesGain: true,
      prefix: "norm_", in: &plan)
  }

  // MARK: Forward

  public func mixInput(_ t: Int, _ pass: Pass) { convolution.forward(t, pass) }

  public func project(_ steps: Range<Int>, _ pass: Pass) {
    let (bias, speeds) = (pass[timeBias].row, speeds(pass))
    for i in pass.rows(of: steps) {
      let scales = pass[scales][i]
      for head in 0..<heads {
        let u = Parts(pass[convolution.output][i], head, self)
        scales[head] = normalize(u.q, queryScale)
        scales[heads + head] = normalize(u.k, 1)
      }
      let a = pass[preactivation][i]
      setGates(strengths(a), strongest, times(a), bias, speeds, pass[kept][i])
    }
  }

  public func advance(
    _ past: Row, to now: Row, head: Int, _ t: Int, _ s: Int, reading: Bool, _ pass: Pass
  ) {
    let u = Parts(pass[convolution.output, t][s], head, self)
    let error = values(pass)[0]
    let (before, after, kept) = (matrix(past), matrix(now), pass[kept, t][s][head])
    findError(before, kept, u.k, u.v, error)
    error.scale(by: strengths(pass[preactivation, t][s])[head])
    if reading {
      rememberAndRead(
        before, after, kept, 1, u.k, error, u.q, pass[read, t][s].part(head, of: heads))
    } else {
      remember(before, after, kept, 1, u.k, error)
    }
  }

  public func finish(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let normed = pass[normed].slice(rows: own)
    norm.forward(pass[read].slice(rows: own), into: normed, from: own.lowerBound, pass)
    PointwiseFunction.silu.gate(
      gate(own, pass), normed, into: pass[output].slice(rows: own))
  }

  // MARK: Backward

  public func beginBackward(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let normed = pass[normed].slice(rows: own)
    PointwiseFunction.silu.differentiateGate(
      pass.d[output].slice(rows: own), gate(own, pass), overwriting: normed)
    norm.backward(
      normed, reading: pass[read].slice(rows: own), into: pass.d[read].slice(rows: own),
      from: own.lowerBound, pass)
  }

  public func retreat(
    _ gradient: Row, past: Row, now: Row, head: Int, _ t: Int, _ s: Int, _ pass: Pass
  ) {
    let u = Parts(pass[convolution.output, t][s], head, self)
    let (strengths, scales) = (strengths(pass[preactivation, t][s]), pass[scales, t][s])
    let (dS, before) = (matrix(gradient), matrix(past))
    let (strength, kept) = (strengths[head], pass[kept, t][s][head])
    let (values, keys) = (values(pass), keys(pass))
    let (error, dWritten, dq, dk) = (values[0], values[1], keys[0], keys[1])

    findError(before, kept, u.k, u.v, error)
    differentiateRead(
      dS, matrix(now), pass.d[read, t][s].part(head, of: heads), u.q, u.k, error, dq, dk, dWritten)
    dk.scale(by: strength)
    // The strength is that of σ: ∂β of 2 σ(β) is 2 σ (1 − σ) = β (1 − β/2).
    strengths[head] = dWritten.dot(error) * strength * (1 - strength / strongest)
    dWritten.scale(by: strength)
    u.v.copy(dWritten)
    pass[self.kept, t][s][head] = differentiateError(dS, before, kept, u.k, u.v, dk)
    differentiateNorm(u.q, dq, scales[head], queryScale)
    differentiateNorm(u.k, dk, scales[heads + head], 1)
  }

  public func projectBack(_ steps: Range<Int>, _ pass: Pass) {
    let (speeds, dLog) = (speeds(pass), pass.d[decay].row)
    for i in pass.rows(of: steps) {
      differentiateGates(times(pass[preactivation][i]), speeds, pass[kept][i], dLog)
    }
  }

  public func mixInputBack(_ t: Int, _ pass: Pass) { convolution.backward(t, pass) }

  public func accumulate(_ pass: Pass) {
    let da = pass[preactivation]
    pass.d[timeBias].addColumnSums(da.slice(columns: da.columns - heads..<da.columns))
  }

  // MARK: Parts

  /// 1/√d
  private var queryScale: Real { 1 / Real(keyWidth / heads).squareRoot() }

  /// exp(A)
  private func speeds(_ pass: Pass) -> Row {
    let row = Row(pass.scratch(speeds).start, count: heads)
    setExponentials(pass[decay].row, row)
    return row
  }

  private func values(_ pass: Pass) -> Matrix {
    Matrix(pass.scratch(values), rows: 2, columns: hidden / heads)
  }

  private func keys(_ pass: Pass) -> Matrix {
    Matrix(pass.scratch(keys), rows: 2, columns: keyWidth / heads)
  }

  private func gate(_ rows: Range<Int>, _ pass: Pass) -> Matrix {
    let first = 2 * keyWidth + hidden
    return pass[preactivation].slice(rows: rows).slice(columns: first..<first + hidden)
  }

  /// β of all heads
  @inline(__always) private func strengths(_ a: Row) -> Row {
    a[a.count - 2 * heads..<a.count - heads]
  }

  /// softplus(α + b_α) of all heads
  @inline(__always) private func times(_ a: Row) -> Row { a[a.count - heads..<a.count] }

  @inline(__always) private func matrix(_ row: Row) -> Matrix {
    let key = keyWidth / heads
    return Matrix(row.elements.baseAddress!, rows: key, columns: row.count / key)
  }

  /// The part of a head in a row of [q, k, v].
  private struct Parts {
    let q, k, v: Row

    @inline(__always) init(_ u: Row, _ head: Int, _ cell: GatedDeltaNet) {
      let keys = cell.keyWidth
      q = u[0..<keys].part(head, of: cell.heads)
      k = u[keys..<2 * keys].part(head, of: cell.heads)
      v = u[2 * keys..<u.count].part(head, of: cell.heads)
    }
  }
}

/// x becomes c x / |x|, with |x| = √(Σ x² + 10⁻⁶).
/// - Returns: 1/|x|.
@inline(never) private func normalize(_ x: Row, _ c: Real) -> Real {
  let scale = 1 / (x.dot(x) + 1e-6).squareRoot()
  x.scale(by: c * scale)
  return scale
}
/// y = c x / |x| becomes ∂x = c/|x| (∂y − y (y · ∂y) / c²).
@inline(never) private func differentiateNorm(_ y: Row, _ dy: Row, _ scale: Real, _ c: Real) {
  let along = y.dot(dy) / (c * c)
  for j in 0..<y.count { y[j] = c * scale * (dy[j] - y[j] * along) }
}
/// β = s σ(β), τ = softplus(α + b), and α = exp(−exp(A) τ)
@inline(never) private func setGates(
  _ strength: Row, _ strongest: Real, _ time: Row, _ bias: Row, _ speed: Row, _ kept: Row
) {
  for j in 0..<kept.count {
    let length = softplus(time[j] + bias[j])
    strength[j] = strongest * sigmoid(strength[j])
    time[j] = length
    kept[j] = exp(-length * speed[j])
  }
}
/// With g = ∂ ln α, τ becomes −exp(A) g (1 − exp(−τ)), the gradient before the softplus, and
/// ∂A −= τ exp(A) g
@inline(never) private func differentiateGates(
  _ time: Row, _ speed: Row, _ dKept: Row, _ dLog: Row
) {
  for j in 0..<time.count {
    let (length, term) = (time[j], speed[j] * dKept[j])
    time[j] = term * exponentialMinusOne(-length)
    dLog[j] -= length * term
  }
}
/// e = v − α S₋ᵀ k
@inline(never) private func findError(_ past: Matrix, _ kept: Real, _ k: Row, _ v: Row, _ e: Row) {
  e.copy(v)
  for r in 0..<past.rows { add(-kept * k[r], times: past[r], to: e) }
}
/// ∂S += q ∂oᵀ, ∂q = S ∂o, ∂k = ∂S e and ∂w = ∂Sᵀ k
@inline(never) private func differentiateRead(
  _ dS: Matrix, _ now: Matrix, _ dRead: Row, _ q: Row, _ k: Row, _ e: Row, _ dq: Row, _ dk: Row,
  _ dw: Row
) {
  dw.fill(0)
  for r in 0..<dS.rows {
    let row = dS[r]
    add(q[r], times: dRead, to: row)
    dq[r] = now[r].dot(dRead)
    dk[r] = row.dot(e)
    add(k[r], times: row, to: dw)
  }
}
/// ∂k −= α S₋ ∂e, and ∂S becomes ∂S₋ = α (∂S − k ∂eᵀ).
/// - Returns: ∂ ln α = α ⟨∂S − k ∂eᵀ, S₋⟩.
@inline(never) private func differentiateError(
  _ dS: Matrix, _ past: Matrix, _ kept: Real, _ k: Row, _ de: Row, _ dk: Row
) -> Real {
  var dKept: Real = 0
  for r in 0..<dS.rows {
    let (row, old) = (dS[r], past[r])
    dk[r] -= kept * old.dot(de)
    add(-k[r], times: de, to: row)
    dKept += row.dot(old)
    row.scale(by: kept)
  }
  return kept * dKept
}
