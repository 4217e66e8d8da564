public import LinearAlgebra

/// The multi-scale retention of RetNet, whose memory is a matrix for each head that forgets at a rate of the head
/// (Sun 2023):
///
///     [q, k, v, g] = x W,   q = R(t) q / √d,   k = R(t) k
///     S(t) = γ S(t−1) + k vᵀ,   γ = 1 − 2^(−5−i) of head i, counted from 0
///     h(t) = norm(S(t)ᵀ q) ∘ SiLU(g)
///
/// q and k have d numbers for each head, an even number. R(t) turns number j of the first half and number j of the
/// second half of a head, as the two coordinates of a point, by the angle t 10000^(−2j/d), where t counts the steps of a
/// stream from its start: what a step reads of an earlier one depends on their distance. The norm is the RMSNorm of each
/// head by itself, with one gain for all heads and ε = 10⁻⁵. The paper's GroupNorm takes out every factor of a read, so
/// that its other normalisations change nothing but ε. No step reads the output of the one before.
///
/// First values: W from U(±2^(−5/2) √(6/(inputs + n))), which is Xavier's of v and g with the paper's gain, with n numbers
/// each; the norm takes out the size of q, k and v.
///
/// - `hidden`: the numbers of v, and of g, of all heads; in the paper twice the width of the block.
/// - `heads`: the number of memories.
/// - `key_width`: the numbers of q, and of k, of all heads.
public struct Retention: MatrixStateCell {
  public struct Options: CellOptions {
    public var hidden: Int
    public var heads: Int
    /// The width of q and of k; nil for half of `hidden`.
    public var keyWidth: Int?

    public init(hidden: Int, heads: Int = 1, keyWidth: Int? = nil) {
      self.hidden = hidden
      self.heads = heads
      self.keyWidth = keyWidth
      precondition(
        hidden.isMultiple(of: heads) && keys.isMultiple(of: 2 * heads),
        "\(heads) heads of \(hidden) and \(keys) units")
    }

    public var hasState: Bool { false }

    /// The width of q and of k: half of `hidden`, rounded up to an even number for each head, unless given.
    var keys: Int { keyWidth ?? (hidden + 4 * heads - 1) / (4 * heads) * (2 * heads) }

    private enum CodingKeys: String, CodingKey {
      case hidden, heads
      case keyWidth = "key_width"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      heads = try keys.heads(.heads, dividing: hidden, "hidden")
      keyWidth = try keys.keyWidth(.keyWidth, of: heads)
      if let keyWidth, !keyWidth.isMultiple(of: 2 * heads) {
        throw DecodingError.dataCorruptedError(
          forKey: .keyWidth, in: keys,
          debugDescription:
            "key_width must be an even number for each head, a multiple of \(2 * heads)")
      }
    }
  }

  public static let equations = """
    [q,k,v,g] = x W; q = R(t) q/√d; k = R(t) k; S = γS₋ + k vᵀ; h = norm(Sᵀq)∘SiLU(g); \
    γ = 1 − 2^(−5−i) of head i, from 0; \
    R(t) turns numbers j of both halves of a head by the angle t·10000^(−2j/d)
    """
  public static let citation = "Sun 2023 (RetNet)"
  public static let gates = 1

  public static func biasedGates(_ options: Options) -> Int { 0 }

  public static func inputDistribution(
    _ options: Options, reading inputs: Int
  ) -> Distribution {
    .uniform((6 / Double(32 * (inputs + options.hidden))).squareRoot())
  }

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: hidden, keyWidth: 8),
      Options(hidden: 3 * hidden, heads: 3, keyWidth: 12),
    ]
  }

  /// [q, k, v, g] before q and k are turned.
  public let preactivation: Activation
  public let output: Activation
  /// S of each head, a row for each number of k.
  public let memory: Activation
  public let workspace: Scratch
  public let heads: Int
  private let clock: StepClock
  /// [q, k], turned.
  private let turned: Activation
  /// Sᵀ q, and its norm, which becomes its gradient.
  private let read, normed: Activation
  private let norm: RowNormalization
  private let rotation: Rotation
  /// γ of each head.
  private let decays: [Real]
  /// The memory as products of matrices.
  private let products: DecayChunk
  /// ∂v of a head.
  private let room: Scratch
  private let hidden, keyWidth: Int

  public init(_ options: Options, in plan: inout Plan) {
    (hidden, keyWidth, heads) = (options.hidden, options.keys, options.heads)
    let (key, value) = (keyWidth / heads, hidden / heads)
    preactivation = plan.activation(2 * keyWidth + 2 * hidden, derivative: .overwrites)
    clock = StepClock(in: &plan)
    memory = plan.chunkedState(heads * key * value, named: "S", every: DecayChunk.steps)
    workspace = plan.chunkScratch(key * value, steps: DecayChunk.fewest)
    products = DecayChunk(keys: key, values: value, in: &plan)
    // k vᵀ and Sᵀ q
    plan.countProducts(2 * key * hidden)
    turned = plan.activation(2 * keyWidth)
    read = plan.activation(hidden)
    normed = plan.activation(hidden, derivative: .overwrites)
    output = plan.activation(hidden)
    rotation = Rotation(of: key, in: &plan)
    decays = (0..<heads).map { 1 - Real(sign: .plus, exponent: -5 - $0, significand: 1) }
    room = plan.scratch(value)
    norm = RowNormalization(
      NormOptions(.rmsnorm, eps: 1e-5), width: hidden, heads: heads, sharesGain: true,
      prefix: "norm_", in: &plan)
  }

  // MARK: Forward

  public func mixInput(_ t: Int, _ pass: Pass) { clock.advance(t, pass) }

  public func project(_ steps: Range<Int>, _ pass: Pass) {
    for t in steps {
      for s in 0..<pass.streams {
        let (a, y) = (pass[preactivation, t][s], pass[turned, t][s])
        rotation.set(clock.steps(t, s, pass), pass)
        for part in 0..<2 * heads {
          rotation.turn(
            a[0..<2 * keyWidth].part(part, of: 2 * heads), part < heads ? queryScale : 1,
            into: y.part(part, of: 2 * heads), pass)
        }
      }
    }
  }

  public func advance(
    _ past: Row, to now: Row, head: Int, _ t: Int, _ s: Int, reading: Bool, _ pass: Pass
  ) {
    let a = Parts(t, s, head, self, pass)
    let (before, after, kept) = (matrix(past), matrix(now), decays[head])
    if reading {
      rememberAndRead(
        before, after, kept, 1, a.k, a.v, a.q, pass[read, t][s].part(head, of: heads))
    } else {
      remember(before, after, kept, 1, a.k, a.v)
    }
  }

  public func advanceThroughWindow(_ pass: Pass) {
    guard takesChunks(of: DecayChunk.fewest, pass) else { return advanceStepByStep(pass) }
    forEachChunk(pass, backward: false) { index, steps, s in
      for head in 0..<heads {
        let (q, k) = (queries(head, s, steps, pass), keys(head, s, steps, pass))
        products.multiply(q, k, pass)
        products.forward(
          q, k, values(head, s, steps, pass),
          into: stream(s, pass[read], steps, pass).part(head, of: heads),
          matrix(pass[memory, index - 1][s].part(head, of: heads)),
          to: matrix(pass[memory, index][s].part(head, of: heads)),
          decay: { pass.begins(steps.lowerBound + $0, s) ? 0 : decays[head] }, scale: { _ in 1 },
          pass)
      }
    }
  }

  public func finish(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let normed = pass[normed].slice(rows: own)
    norm.forward(pass[read].slice(rows: own), into: normed, from: own.lowerBound, pass)
    PointwiseFunction.silu.gate(gate(own, pass), normed, into: pass[output].slice(rows: own))
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

  public func retreatThroughWindow(_ pass: Pass) {
    guard takesChunks(of: DecayChunk.fewest, pass) else { return retreatStepByStep(pass) }
    forEachChunk(pass, backward: true) { index, steps, s in
      for head in 0..<heads {
        let (q, k) = (queries(head, s, steps, pass), keys(head, s, steps, pass))
        let gradients = stream(s, pass.d[turned], steps, pass)
        let dq = gradients.part(head, of: 2 * heads)
        let dk = gradients.part(heads + head, of: 2 * heads)
        let v = values(head, s, steps, pass)
        products.multiplyBack(q, k, pass)
        products.backward(
          q, k, v, stream(s, pass.d[read], steps, pass).part(head, of: heads), dq, dk,
          past: matrix(pass[memory, index - 1][s].part(head, of: heads)),
          dNow: matrix(pass.d[memory, index][s].part(head, of: heads)),
          dPast: matrix(pass.d[memory, index - 1][s].part(head, of: heads)),
          decay: { pass.begins(steps.lowerBound + $0, s) ? 0 : decays[head] }, scale: { _ in 1 },
          pass
        ) { t, gradient in v[t].copy(gradient.value) }
        products.endBack(q, k, dq, dk, pass)
      }
    }
  }

  public func retreat(
    _ gradient: Row, past: Row, now: Row, head: Int, _ t: Int, _ s: Int, _ pass: Pass
  ) {
    let (a, d) = (Parts(t, s, head, self, pass), pass.d[turned, t][s])
    let dv = Row(pass.scratch(room).start, count: a.v.count)
    differentiate(
      matrix(gradient), matrix(now), decays[head], pass.d[read, t][s].part(head, of: heads), a.q,
      a.k, a.v, d.part(head, of: 2 * heads), d.part(heads + head, of: 2 * heads), dv)
    a.v.copy(dv)
  }

  public func projectBack(_ steps: Range<Int>, _ pass: Pass) {
    for t in steps {
      for s in 0..<pass.streams {
        let (a, dy) = (pass[preactivation, t][s], pass.d[turned, t][s])
        rotation.set(-clock.steps(t, s, pass), pass)
        for part in 0..<2 * heads {
          rotation.turn(
            dy.part(part, of: 2 * heads), part < heads ? queryScale : 1,
            into: a[0..<2 * keyWidth].part(part, of: 2 * heads), pass)
        }
      }
    }
  }

  public func accumulate(_ pass: Pass) {}

  // MARK: Parts

  /// 1/√d
  private var queryScale: Real { 1 / Real(keyWidth / heads).squareRoot() }

  private func queries(_ head: Int, _ s: Int, _ steps: Range<Int>, _ pass: Pass) -> Matrix {
    stream(s, pass[turned], steps, pass).part(head, of: 2 * heads)
  }

  private func keys(_ head: Int, _ s: Int, _ steps: Range<Int>, _ pass: Pass) -> Matrix {
    stream(s, pass[turned], steps, pass).part(heads + head, of: 2 * heads)
  }

  private func values(_ head: Int, _ s: Int, _ steps: Range<Int>, _ pass: Pass) -> Matrix {
    stream(s, pass[preactivation], steps, pass)
      .slice(columns: 2 * keyWidth..<2 * keyWidth + hidden).part(head, of: heads)
  }

  private func gate(_ rows: Range<Int>, _ pass: Pass) -> Matrix {
    let first = 2 * keyWidth + hidden
    return pass[preactivation].slice(rows: rows).slice(columns: first..<first + hidden)
  }

  @inline(__always) private func matrix(_ row: Row) -> Matrix {
    let key = keyWidth / heads
    return Matrix(row.elements.baseAddress!, rows: key, columns: row.count / key)
  }

  /// The part of a head at a step of a stream.
  private struct Parts {
    let q, k, v: Row

    @inline(__always) init(_ t: Int, _ s: Int, _ head: Int, _ cell: Retention, _ pass: Pass) {
      let own = pass[cell.turned, t][s]
      q = own.part(head, of: 2 * cell.heads)
      k = own.part(cell.heads + head, of: 2 * cell.heads)
      let first = 2 * cell.keyWidth
      v = pass[cell.preactivation, t][s][first..<first + cell.hidden].part(head, of: cell.heads)
    }
  }
}

/// With ∂S += q ∂oᵀ: ∂q += S ∂o, ∂k += ∂S v, and ∂v = ∂Sᵀ k; then ∂S becomes ∂S₋ = γ ∂S.
@inline(never) private func differentiate(
  _ dS: Matrix, _ now: Matrix, _ kept: Real, _ dRead: Row, _ q: Row, _ k: Row, _ v: Row, _ dq: Row,
  _ dk: Row, _ dv: Row
) {
  dv.fill(0)
  for r in 0..<dS.rows {
    let row = dS[r]
    dq[r] += now[r].dot(dRead)
    add(q[r], times: dRead, to: row)
    dk[r] += row.dot(v)
    add(k[r], times: row, to: dv)
    row.scale(by: kept)
  }
}
