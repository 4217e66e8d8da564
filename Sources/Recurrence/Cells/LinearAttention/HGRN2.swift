public import LinearAlgebra

/// The second hierarchically gated recurrence, whose memory is a matrix for each head that forgets by a gate for
/// each number of a key, and learns as much as it forgets (Qin 2024, HGRN2):
///
///     [q, f, v] = x W,   q = SiLU(q),   f = β + (1 − β) ∘ σ(f)
///     S(t) = diag(f) S(t−1) + (1 − f) vᵀ
///     h(t) = norm(S(t)ᵀ q)
///
/// S has a row for each number of f of its head and a column for each of v. The norm is the RMSNorm of all heads
/// together, with ε = 10⁻⁵. The bound β, below which no gate of a layer falls, rises from layer to layer: in layer l
/// of L it is the sum of rows 1 to l of softmax(Γ), where the softmax is over the L rows of Γ, and 0 in layer 0. All
/// layers of a stack with the same L and the same width of f share Γ. No step reads the output of the one before.
///
/// First values: Γ = 0, so that β = l/L, and W as PyTorch's `Linear`.
///
/// - `hidden`: the numbers of v of all heads.
/// - `heads`: the number of memories; in the paper's models v has 128 numbers for each.
/// - `key_width`: the numbers of q, and of f, of all heads.
/// - `layer_index` of `layer_count`: l of L.
public struct HGRN2: MatrixStateCell {
  public struct Options: CellOptions {
    public var hidden: Int
    public var heads: Int
    /// The width of q and of f; nil for `hidden`.
    public var keyWidth: Int?
    /// l of L: the place among the layers of this cell.
    public var layerIndex, layerCount: Int

    public init(
      hidden: Int, heads: Int = 1, keyWidth: Int? = nil, layerIndex: Int = 0, layerCount: Int = 1
    ) {
      precondition((0..<layerCount).contains(layerIndex), "layer \(layerIndex) of \(layerCount)")
      self.hidden = hidden
      self.heads = heads
      self.keyWidth = keyWidth
      self.layerIndex = layerIndex
      self.layerCount = layerCount
      precondition(
        hidden.isMultiple(of: heads) && keys.isMultiple(of: heads),
        "\(heads) heads of \(hidden) and \(keys) units")
    }

    public var hasState: Bool { false }

    /// The width of q and of f.
    var keys: Int { keyWidth ?? hidden }

    private enum CodingKeys: String, CodingKey {
      case hidden, heads
      case keyWidth = "key_width"
      case layerIndex = "layer_index"
      case layerCount = "layer_count"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      heads = try keys.heads(.heads, dividing: hidden, "hidden")
      keyWidth = try keys.keyWidth(.keyWidth, of: heads)
      (layerIndex, layerCount) = try keys.layerPlace(.layerIndex, of: .layerCount)
    }
  }

  public static let equations = """
    [q,f,v] = x W; q = SiLU(q); f = β + (1−β)∘σ(f); S = diag(f) S₋ + (1−f) vᵀ; h = norm(Sᵀq); \
    in layer l of L, β is the sum of rows 1 to l of softmax(Γ), over the L rows of Γ, and 0 for l = 0
    """
  public static let citation = "Qin 2024 (HGRN2)"
  public static let gates = 1

  public static func biasedGates(_ options: Options) -> Int { 0 }

  public static func inputDistribution(
    _ options: Options, reading inputs: Int
  ) -> Distribution { .uniform(1 / Double(max(inputs, 1)).squareRoot()) }

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: hidden, keyWidth: 3),
      Options(hidden: 3 * hidden, heads: 3, keyWidth: 6, layerIndex: 2, layerCount: 4),
    ]
  }

  /// [q, f, v]; σ(f) takes the place of f.
  public let preactivation: Activation
  public let output: Activation
  /// S of each head.
  public let memory: Activation
  public let workspace: Scratch
  public let heads: Int
  /// [SiLU(q), f, 1 − f], which become their gradients; at last ∂β of each step takes the place of the third.
  private let parts: Activation
  /// Sᵀ q
  private let read: Activation
  private let bound: GateBound?
  private let norm: RowNormalization
  /// ∂v of a head.
  private let dValue: Scratch
  private let hidden, keyWidth: Int

  public init(_ options: Options, in plan: inout Plan) {
    (hidden, keyWidth, heads) = (options.hidden, options.keys, options.heads)
    let (key, value) = (keyWidth / heads, hidden / heads)
    preactivation = plan.activation(2 * keyWidth + hidden, derivative: .overwrites)
    memory = plan.chunkedState(heads * key * value, named: "S")
    workspace = plan.chunkScratch(key * value)
    // (1 − f) vᵀ and Sᵀ q
    plan.countProducts(2 * key * hidden)
    parts = plan.activation(3 * keyWidth, derivative: .overwrites)
    read = plan.activation(hidden)
    output = plan.activation(hidden)
    bound =
      options.layerIndex == 0
      ? nil
      : GateBound(
        width: keyWidth, layer: options.layerIndex, of: options.layerCount, in: &plan)
    norm = RowNormalization(
      NormOptions(.rmsnorm, eps: 1e-5), width: hidden, prefix: "norm_", in: &plan)
    dValue = plan.scratch(value)
  }

  public var gateBlocks: [GateBlock] { [GateBlock("f", parts, 1, of: 3)] }

  // MARK: Forward

  public func project(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let (a, parts) = (pass[preactivation].slice(rows: own), pass[parts].slice(rows: own))
    PointwiseFunction.silu.apply(queries(a), to: parts.part(0, of: 3))
    let least = bound?.values(pass)
    for i in 0..<a.rows {
      let (gate, f, k) = (forget(a)[i], parts[i].part(1, of: 3), parts[i].part(2, of: 3))
      if let least { setGates(gate, least, f, k) } else { setGates(gate, f, k) }
    }
  }

  public func advance(
    _ past: Row, to now: Row, head: Int, _ t: Int, _ s: Int, reading: Bool, _ pass: Pass
  ) {
    let a = Parts(t, s, head, self, pass)
    if past.elements.baseAddress != now.elements.baseAddress { now.copy(past) }
    if reading {
      DecayMemory.advance(
        matrix(now), a: a.f, k: a.k, a.v, reading: .after, a.q,
        into: pass[read, t][s].part(head, of: heads))
    } else {
      DecayMemory.advance(matrix(now), a: a.f, k: a.k, a.v)
    }
  }

  public func finish(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    norm.forward(
      pass[read].slice(rows: own), into: pass[output].slice(rows: own), from: own.lowerBound, pass)
  }

  // MARK: Backward

  public func beginBackward(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    norm.backward(
      pass.d[output].slice(rows: own), reading: pass[read].slice(rows: own),
      into: pass.d[read].slice(rows: own), from: own.lowerBound, pass)
  }

  public func retreat(
    _ gradient: Row, past: Row, now: Row, head: Int, _ t: Int, _ s: Int, _ pass: Pass
  ) {
    let a = Parts(t, s, head, self, pass)
    let dv = Row(pass.scratch(dValue).start, count: a.v.count)
    DecayMemory.retreat(
      matrix(gradient), past: matrix(past), now: matrix(now), a: a.f, k: a.k, a.v, reading: .after,
      a.q, pass.d[read, t][s].part(head, of: heads), dv)
    a.v.copy(dv)
  }

  public func projectBack(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    let (a, parts) = (pass[preactivation].slice(rows: own), pass[parts].slice(rows: own))
    PointwiseFunction.silu.differentiate(parts.part(0, of: 3), queries(a))
    let least = bound?.values(pass)
    for i in 0..<a.rows {
      let (gate, df, dk) = (forget(a)[i], parts[i].part(1, of: 3), parts[i].part(2, of: 3))
      if let least {
        differentiateGates(df, dk, least, gate)
      } else {
        differentiateGates(df, dk, gate)
      }
    }
  }

  public func accumulate(_ pass: Pass) { bound?.accumulate(pass[parts].part(2, of: 3), pass) }

  // MARK: Parts

  private func queries(_ a: Matrix) -> Matrix { a.slice(columns: 0..<keyWidth) }

  private func forget(_ a: Matrix) -> Matrix { a.slice(columns: keyWidth..<2 * keyWidth) }

  @inline(__always) private func matrix(_ row: Row) -> Matrix {
    let key = keyWidth / heads
    return Matrix(row.elements.baseAddress!, rows: key, columns: row.count / key)
  }

  /// The part of a head at a step of a stream.
  private struct Parts {
    let q, f, k, v: Row

    @inline(__always) init(_ t: Int, _ s: Int, _ head: Int, _ cell: HGRN2, _ pass: Pass) {
      let own = pass[cell.parts, t][s]
      q = own.part(0, of: 3).part(head, of: cell.heads)
      f = own.part(1, of: 3).part(head, of: cell.heads)
      k = own.part(2, of: 3).part(head, of: cell.heads)
      let a = pass[cell.preactivation, t][s]
      v = a[2 * cell.keyWidth..<a.count].part(head, of: cell.heads)
    }
  }
}

/// f̂ becomes σ(f̂), and f = σ(f̂), k = 1 − f.
@inline(never) private func setGates(_ gate: Row, _ f: Row, _ k: Row) {
  for j in 0..<gate.count {
    let (open, closed) = (sigmoid(gate[j]), sigmoid(-gate[j]))
    gate[j] = open
    f[j] = open
    k[j] = closed
  }
}
/// f̂ becomes σ(f̂), and f = β + (1 − β) ∘ σ(f̂), k = 1 − f.
@inline(never) private func setGates(_ gate: Row, _ least: Row, _ f: Row, _ k: Row) {
  for j in 0..<gate.count {
    let (open, closed) = (sigmoid(gate[j]), sigmoid(-gate[j]))
    gate[j] = open
    f[j] = least[j] + (1 - least[j]) * open
    k[j] = (1 - least[j]) * closed
  }
}
/// σ becomes ∂f̂ = (∂f − ∂k) ∘ σ ∘ (1 − σ).
@inline(never) private func differentiateGates(_ df: Row, _ dk: Row, _ gate: Row) {
  for j in 0..<gate.count { gate[j] = (df[j] - dk[j]) * (gate[j] * (1 - gate[j])) }
}
/// ∂k becomes ∂β = (∂f − ∂k) ∘ (1 − σ), and σ becomes ∂f̂ = ∂β ∘ (1 − β) ∘ σ.
@inline(never) private func differentiateGates(_ df: Row, _ dk: Row, _ least: Row, _ gate: Row) {
  for j in 0..<gate.count {
    let dBound = (df[j] - dk[j]) * (1 - gate[j])
    dk[j] = dBound
    gate[j] *= dBound * (1 - least[j])
  }
}
