public import LinearAlgebra

/// The M²RNN, a recurrent network whose state is a matrix for each head and whose step is not linear in it
/// (Mishra 2026):
///
///     [q, k, v, f, g] = x W
///     f′ = exp(−exp(A) softplus(f + b))
///     Z(t) = tanh(H(t−1) U + k vᵀ),   H(t) = f′ H(t−1) + (1 − f′) Z(t)
///     y(t) = H(t)ᵀ q + D ∘ v
///     h(t) = norm(y(t) ∘ g σ(g))
///
/// f is one number for each head. H has a row for each of the K numbers of a head's q and k and a column
/// for each of its V numbers of v; U is V × V for each head, and multiplies all rows of H in one product.
/// The norm is `rmsnorm` over the whole width with ε = 10⁻⁵. No step reads the output of the one before.
/// With a `kernel`, [q, k, v] = SiLU(conv([q, k, v])) of a causal depthwise convolution without bias.
///
/// U starts as the identity, except with the initializer `uniform`, D at 1, exp(A) from U(0, 16), and b such
/// that softplus(b) = exp U(ln 0.001, ln 0.1). With `lecun`, the convolution starts from N(0, 1/kernel).
///
/// - `heads`: the number of memories.
/// - `key_width`: the numbers of q, and of k, of all heads; `hidden` unless it says otherwise.
/// - `clip_state_gradient`: c; the gradient with respect to each number of H(t) is cut to [−c, c] at every
///   step before it is carried on, as in the reference.
/// - `kernel`: the steps that an output of the convolution reads; without it there is none.
public struct M2RNN: MatrixStateCell {
  public struct Options: CellOptions {
    public var hidden: Int
    public var heads: Int
    /// The width of q and of k; nil for `hidden`.
    public var keyWidth: Int?
    /// c; nil for gradients that are not clipped.
    public var clipStateGradient: Double?
    /// The steps that the convolution reads; nil for none.
    public var kernel: Int?

    public init(
      hidden: Int, heads: Int = 1, keyWidth: Int? = nil, clipStateGradient: Double? = nil,
      kernel: Int? = nil
    ) {
      precondition(
        hidden.isMultiple(of: heads) && (keyWidth ?? hidden).isMultiple(of: heads),
        "\(heads) heads of \(hidden) and \(keyWidth ?? hidden) units")
      self.hidden = hidden
      self.heads = heads
      self.keyWidth = keyWidth
      self.clipStateGradient = clipStateGradient
      self.kernel = kernel
    }

    public var hasState: Bool { false }

    private enum CodingKeys: String, CodingKey {
      case hidden, heads, kernel
      case keyWidth = "key_width"
      case clipStateGradient = "clip_state_gradient"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      heads = try keys.heads(.heads, dividing: hidden, "hidden")
      keyWidth = try keys.keyWidth(.keyWidth, of: heads)
      clipStateGradient = try keys.decodeIfPresent(Double.self, forKey: .clipStateGradient)
      guard clipStateGradient ?? 1 > 0 else {
        throw DecodingError.dataCorruptedError(
          forKey: .clipStateGradient, in: keys,
          debugDescription: "clip_state_gradient must be above 0")
      }
      kernel = try keys.kernel(.kernel)
    }
  }

  public static let equations = """
    [q,k,v,f,g] = x W; f′ = exp(−exp(A) softplus(f + b)); Z = tanh(H₋U + k vᵀ); \
    H = f′H₋ + (1−f′)Z; h = norm((Hᵀq + D∘v)∘g σ(g)); U of each head starts as the identity; \
    kernel: [q,k,v] = SiLU(conv([q,k,v]))
    """
  public static let citation = "Mishra 2026 (M²RNN)"
  public static let gates = 1

  public static func biasedGates(_ options: Options) -> Int { 0 }

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: hidden, keyWidth: 3),
      Options(
        hidden: hidden, heads: hidden, keyWidth: 2 * hidden, clipStateGradient: 1e3, kernel: 4),
    ]
  }

  /// [q, k, v, f, g]
  public let preactivation: Activation
  private let convolution: InnerConvolution?
  /// [q, k, v] of a step and perhaps more, which become their gradients.
  private let mixed: Activation
  public let output: Activation
  /// H of each head.
  public let memory: Activation
  public let workspace: Scratch
  public let heads: Int
  /// f′ of each head; its gradient is that of ln f′.
  private let decay: Activation
  /// y, which becomes its gradient, and y ∘ g σ(g).
  private let read, gated: Activation
  /// U, `[hidden, hidden / heads]`: one head's block below the other's.
  private let recurrent: Parameter
  /// A, b and D.
  private let rate, decayBias, skip: Parameter
  private let norm: RowNormalization
  /// Z of the steps of a chunk, or of one step; in the backward pass the gradient of H₋ U + k vᵀ.
  private let candidates: Scratch
  /// The number of steps of which Z is kept.
  private let keptSteps: Int
  /// H₋ − Z of a head, then ∂v.
  private let room: Scratch
  private let keyWidth, hidden: Int
  private let clip: Real?

  public init(_ options: Options, in plan: inout Plan) {
    heads = options.heads
    (keyWidth, hidden) = (options.keyWidth ?? options.hidden, options.hidden)
    clip = options.clipStateGradient.map { Real($0) }
    let values = hidden / heads
    let stateWidth = keyWidth / heads * values
    preactivation = plan.activation(
      2 * keyWidth + 2 * hidden + heads, derivative: .overwrites)
    if let kernel = options.kernel {
      let initializer = plan.scope.initializer
      // An output reads K numbers, whatever the width.
      if case .lecun = initializer {
        plan.scope.initializer = .normal(1 / Double(kernel).squareRoot())
      }
      convolution = InnerConvolution(
        ConvolutionOptions(kernel: kernel, bias: false, activation: .silu),
        of: 0..<2 * keyWidth + hidden, in: preactivation, in: &plan)
      plan.scope.initializer = initializer
    } else {
      convolution = nil
    }
    mixed = convolution?.output ?? preactivation
    decay = plan.activation(heads, derivative: .overwrites)
    memory = plan.chunkedState(heads * stateWidth, named: "H")
    workspace = plan.chunkScratch(stateWidth)
    // k vᵀ and Hᵀ q
    plan.countProducts(2 * heads * stateWidth)
    keptSteps = plan.scope.keepsChunks ? StateShape.chunkSteps : 1
    candidates = plan.scratch(stateWidth, rows: .fixed(keptSteps))
    room = plan.scratch(stateWidth)
    read = plan.activation(hidden, derivative: .overwrites)
    gated = plan.activation(hidden)
    output = plan.activation(hidden)
    recurrent = plan.parameter(
      "weight_state", from: values, to: hidden, gates: heads, pytorch: .identity, kind: .recurrent)
    // Every row of a head's state is multiplied.
    let rows = Double(keyWidth / heads)
    plan.note(ProductShare(training: rows, evaluation: rows), of: recurrent)
    rate = plan.vector(
      "A_log", count: heads, pytorch: .zero,
      parts: [.init(0, of: 1, .logarithm(from: 0, to: 16))])
    decayBias = plan.vector(
      "dt_bias", count: heads, pytorch: .zero,
      parts: [.init(0, of: 1, .timeSteps(from: 1e-3, to: 0.1, least: 1e-4))])
    skip = plan.vector("skip", count: hidden, pytorch: .zero, parts: [.init(0, of: 1, 1)])
    norm = RowNormalization(
      NormOptions(.rmsnorm, eps: 1e-5), width: hidden, prefix: "norm_", in: &plan)
  }

  public var gateBlocks: [GateBlock] { [GateBlock("f", decay, 0, of: 1)] }

  // MARK: Steps

  public func mixInput(_ t: Int, _ pass: Pass) { convolution?.forward(t, pass) }

  public func project(_ steps: Range<Int>, _ pass: Pass) {
    let (rates, biases) = (pass[rate].row, pass[decayBias].row)
    for i in pass.rows(of: steps) {
      setDecay(forget(pass[preactivation][i]), rates, biases, pass[decay][i])
    }
  }

  public func advance(
    _ past: Row, to now: Row, head: Int, _ t: Int, _ s: Int, reading: Bool, _ pass: Pass
  ) {
    let a = Parts(pass[mixed, t][s], head, self)
    let z = candidate(of: past, a, head, t, pass)
    // A row that is read and written under two names would be computed number by number.
    if now.elements.baseAddress != past.elements.baseAddress { now.copy(past) }
    mix(now, z.flattened, pass[decay, t][s, head])
    guard reading else { return }
    let y = pass[read, t][s].part(head, of: heads)
    multiply(state(now), a.q, into: y)
    addProduct(pass[skip].row.part(head, of: heads), a.v, to: y)
  }

  /// Computes Z = tanh(H₋ U + k vᵀ).
  private func candidate(
    of past: Row, _ a: Parts, _ head: Int, _ t: Int, _ pass: Pass
  ) -> Matrix {
    let z = kept(t, pass)
    z.setProduct(state(past), weight(head, pass).transposed)
    respond(z, a.k, a.v)
    return z
  }

  public func finish(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let result = pass[gated].slice(rows: own)
    PointwiseFunction.silu.gate(
      gate(pass[preactivation].slice(rows: own)), pass[read].slice(rows: own), into: result)
    norm.forward(result, into: pass[output].slice(rows: own), from: own.lowerBound, pass)
  }

  // MARK: Backward

  public func beginBackward(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let dGated = pass.d[gated].slice(rows: own)
    norm.backward(
      pass.d[output].slice(rows: own), reading: pass[gated].slice(rows: own), into: dGated,
      from: own.lowerBound, pass)
    PointwiseFunction.silu.differentiateGate(
      dGated, gate(pass[preactivation].slice(rows: own)),
      overwriting: pass[read].slice(rows: own))
    let dSkip = pass.d[skip].row
    for i in own { addProduct(pass.d[read][i], values(pass[mixed][i]), to: dSkip) }
  }

  public func retreat(
    _ gradient: Row, past: Row, now: Row, head: Int, _ t: Int, _ s: Int, _ pass: Pass
  ) {
    let a = Parts(pass[mixed, t][s], head, self)
    // Windows that keep every step have not just computed Z again.
    let z =
      pass.chunk(of: memory) > 1 ? kept(t, pass) : candidate(of: past, a, head, t, pass)
    let (dH, dy) = (state(gradient), pass.d[read, t][s].part(head, of: heads))

    // y = Hᵀ q + D ∘ v
    addProduct(a.q, dy, to: dH)
    if let clip { limit(gradient, clip) }
    // q is not read again and takes its gradient, then k and v.
    multiplyTransposed(state(now), dy, into: a.q)

    // H = f′ H₋ + (1 − f′) Z
    let decay = pass[decay, t][s].part(head, of: heads)
    let kept = decay[0]
    let change = Row(pass.scratch(room).start, count: past.count)
    subtract(z.flattened, from: past, into: change)
    decay[0] = kept * gradient.dot(change)
    differentiate(gradient, z.flattened, 1 - kept)
    gradient.scale(by: kept)

    // Z = tanh(H₋ U + k vᵀ), whose gradient before tanh is now z
    let dv = Row(pass.scratch(room).start, count: dy.count)
    multiply(z, a.k, into: dv)
    addProduct(pass[skip].row.part(head, of: heads), dy, to: dv)
    multiplyTransposed(z, a.v, into: a.k)
    a.v.copy(dv)
    block(pass.d[recurrent].matrix, head).addProduct(z.transposed, state(past))
    dH.addProduct(z, weight(head, pass))
  }

  public func projectBack(_ steps: Range<Int>, _ pass: Pass) {
    let (rates, biases) = (pass[rate].row, pass[decayBias].row)
    let (dRates, dBiases) = (pass.d[rate].row, pass.d[decayBias].row)
    for i in pass.rows(of: steps) {
      differentiateDecay(
        pass.d[decay][i], rates, biases, forget(pass[preactivation][i]), dRates, dBiases)
    }
  }

  public func mixInputBack(_ t: Int, _ pass: Pass) { convolution?.backward(t, pass) }

  public func accumulate(_ pass: Pass) {}

  // MARK: Parts

  private func values(_ a: Row) -> Row { a[2 * keyWidth..<2 * keyWidth + hidden] }

  private func forget(_ a: Row) -> Row {
    a[2 * keyWidth + hidden..<2 * keyWidth + hidden + heads]
  }

  private func gate(_ a: Matrix) -> Matrix {
    a.slice(columns: a.columns - hidden..<a.columns)
  }

  /// The block of a head of a matrix in the shape of U.
  @inline(__always) private func block(_ matrix: Matrix, _ head: Int) -> Matrix {
    let rows = hidden / heads
    return matrix.slice(rows: head * rows..<(head + 1) * rows)
  }

  @inline(__always) private func weight(_ head: Int, _ pass: Pass) -> Matrix {
    block(pass[recurrent].matrix, head)
  }

  @inline(__always) private func state(_ row: Row) -> Matrix {
    Matrix(row.elements.baseAddress!, rows: keyWidth / heads, columns: hidden / heads)
  }

  @inline(__always) private func kept(_ t: Int, _ pass: Pass) -> Matrix {
    let size = keyWidth / heads * (hidden / heads)
    return Matrix(
      pass.scratch(candidates), offset: t % keptSteps * size, rows: keyWidth / heads,
      columns: hidden / heads)
  }

  /// The part of a head in a row of [q, k, v].
  private struct Parts {
    let q, k, v: Row

    @inline(__always) init(_ a: Row, _ head: Int, _ cell: M2RNN) {
      let keys = cell.keyWidth
      q = a[0..<keys].part(head, of: cell.heads)
      k = a[keys..<2 * keys].part(head, of: cell.heads)
      v = cell.values(a).part(head, of: cell.heads)
    }
  }
}

/// f′ = exp(−exp(A) softplus(f + b))
@inline(never) private func setDecay(_ f: Row, _ rate: Row, _ bias: Row, _ decay: Row) {
  for j in 0..<f.count { decay[j] = exp(-exp(rate[j]) * softplus(f[j] + bias[j])) }
}
/// With p = ln f′ = −exp(A) softplus(f + b): ∂A += ∂p p, f becomes ∂f = −∂p exp(A) σ(f + b), and ∂b += ∂f
@inline(never) private func differentiateDecay(
  _ dPower: Row, _ rate: Row, _ bias: Row, _ f: Row, _ dRate: Row, _ dBias: Row
) {
  for j in 0..<f.count {
    let (factor, value) = (exp(rate[j]), f[j] + bias[j])
    dRate[j] -= dPower[j] * factor * softplus(value)
    let df = -dPower[j] * factor * sigmoid(value)
    f[j] = df
    dBias[j] += df
  }
}
/// Z = tanh(Z + k vᵀ)
@inline(never) private func respond(_ z: Matrix, _ k: Row, _ v: Row) {
  for r in 0..<z.rows {
    let (row, factor) = (z[r], k[r])
    for j in 0..<v.count { row[j] = tanh(row[j] + factor * v[j]) }
  }
}
/// H = f H + (1 − f) Z
@inline(never) private func mix(_ h: Row, _ z: Row, _ f: Real) {
  let open = 1 - f
  for j in 0..<h.count { h[j] = f * h[j] + open * z[j] }
}
/// y = x − z
@inline(never) private func subtract(_ z: Row, from x: Row, into y: Row) {
  for j in 0..<y.count { y[j] = x[j] - z[j] }
}
/// Z becomes (1 − f) ∂H ∘ (1 − Z²)
@inline(never) private func differentiate(_ dh: Row, _ z: Row, _ open: Real) {
  for j in 0..<z.count { z[j] = open * dh[j] * (1 - z[j] * z[j]) }
}
/// x is cut to [−c, c]; NaN stays.
@inline(never) private func limit(_ x: Row, _ c: Real) {
  for j in 0..<x.count { x[j] = x[j] > c ? c : (x[j] < -c ? -c : x[j]) }
}
/// y += a ∘ x
@inline(never) private func addProduct(_ a: Row, _ x: Row, to y: Row) {
  for j in 0..<y.count { y[j] += a[j] * x[j] }
}
