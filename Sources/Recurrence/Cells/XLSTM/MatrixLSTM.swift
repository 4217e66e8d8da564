public import LinearAlgebra

/// The mLSTM of xLSTM, whose memory is a matrix for each head (Beck 2024), in the form of the model xLSTM 7B
/// (Beck 2025):
///
///     [q, k, v, o, i, f] = x W,   i = cap(i + b_i),   f = cap(f + b_f),   cap(a) = c tanh(a / c)
///     m(t) = max(i, m(t−1) + ln σ(f))
///     i′ = exp(i − m(t)),   f′ = exp(m(t−1) + ln σ(f) − m(t))
///     C(t) = f′ C(t−1) + i′ k vᵀ / √d,   n(t) = f′ n(t−1) + i′ k / √d
///     r(t) = C(t)ᵀ q / (max(|n(t)ᵀ q|, exp(−m(t))) + 10⁻⁶)
///     h(t) = σ(o) ∘ norm(r(t))
///
/// i and f are one number for each head, q and k have d numbers for each head, and the norm is that of each
/// head by itself. No step reads the output of the one before. The biases start at b_i = −10 and b_f rising
/// evenly from 3 to 6 over the heads.
///
/// - `heads`: the number of memories.
/// - `key_width`: the numbers of q, and of k, of all heads.
/// - `gate_cap`: c; 0 for none.
/// - `zero_gates: true`: the columns of W for i and f start at zero, so that the biases alone decide at first.
public struct MatrixLSTM: MatrixStateCell {
  public struct Options: CellOptions {
    public var hidden: Int
    public var heads: Int
    /// The width of q, and of k; nil for `hidden`.
    public var keyWidth: Int?
    /// c; 0 for none.
    public var gateCap: Double
    public var zeroGates: Bool

    public init(
      hidden: Int, heads: Int = 1, keyWidth: Int? = nil, gateCap: Double = 15,
      zeroGates: Bool = false
    ) {
      precondition(
        hidden.isMultiple(of: heads) && (keyWidth ?? hidden).isMultiple(of: heads),
        "\(heads) heads of \(hidden) and \(keyWidth ?? hidden) units")
      self.hidden = hidden
      self.heads = heads
      self.keyWidth = keyWidth
      self.gateCap = gateCap
      self.zeroGates = zeroGates
    }

    public var hasState: Bool { false }

    private enum CodingKeys: String, CodingKey {
      case hidden, heads
      case keyWidth = "key_width"
      case gateCap = "gate_cap"
      case zeroGates = "zero_gates"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      heads = try keys.heads(.heads, dividing: hidden, "hidden")
      keyWidth = try keys.keyWidth(.keyWidth, of: heads)
      gateCap = try keys.decodeIfPresent(Double.self, forKey: .gateCap) ?? 15
      guard gateCap >= 0 else {
        throw DecodingError.dataCorruptedError(
          forKey: .gateCap, in: keys, debugDescription: "gate_cap must not be negative")
      }
      zeroGates = try keys.decodeIfPresent(Bool.self, forKey: .zeroGates) ?? false
    }
  }

  public static let equations = """
    [q,k,v,o,i,f] = x W; i,f = c tanh((i,f + b)/c); m = max(i, m₋+ln σ(f)); i′ = exp(i−m); \
    f′ = exp(m₋+ln σ(f)−m); C = f′C₋ + i′ k vᵀ/√d; n = f′n₋ + i′ k/√d; \
    h = σ(o)∘norm(Cᵀq/(max(|nᵀq|, exp(−m)) + 10⁻⁶))
    """
  public static let citation = "Beck 2024, 2025 (xLSTM)"
  public static let gates = 1

  public static func biasedGates(_ options: Options) -> Int { 0 }

  public static func rowsFromZero(_ options: Options) -> Int {
    options.zeroGates ? 2 * options.heads : 0
  }

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: hidden, keyWidth: 3),
      Options(hidden: 3 * hidden, heads: 3, keyWidth: 6, gateCap: 0),
    ]
  }

  /// [q, k, v, o, i, f]
  public let preactivation: Activation
  public let output: Activation
  public let heads: Int
  private let recurrence: MatrixLSTMMemory
  /// norm(r), which becomes its gradient.
  private let normed: Activation
  /// [b_i, b_f]
  private let bias: Parameter
  private let norm: RowNormalization
  private let keyWidth, hidden: Int
  private let cap: Real

  public init(_ options: Options, in plan: inout Plan) {
    heads = options.heads
    (keyWidth, hidden) = (options.keyWidth ?? options.hidden, options.hidden)
    cap = Real(options.gateCap)
    preactivation = plan.activation(
      2 * keyWidth + 2 * hidden + 2 * heads, derivative: .overwrites)
    recurrence = MatrixLSTMMemory(keyWidth: keyWidth, hidden: hidden, heads: heads, in: &plan)
    normed = plan.activation(hidden, derivative: .overwrites)
    output = plan.activation(hidden)
    bias = plan.vector(
      "bias_gates", count: 2 * heads, pytorch: .zero,
      parts: [.init(0, of: 2, -10), .init(1, of: 2, .power(from: 3, by: 3, exponent: 1))])
    norm = RowNormalization(
      NormOptions(.layernorm, eps: 1e-6, bias: false), width: hidden, heads: heads,
      prefix: "norm_", in: &plan)
  }

  public var memory: Activation { recurrence.state }
  public var workspace: Scratch { recurrence.workspace }

  // MARK: Steps

  public func project(_ steps: Range<Int>, _ pass: Pass) {
    let bias = pass[bias].row
    for i in pass.rows(of: steps) { limit(gates(pass[preactivation][i]), bias, cap) }
  }

  public func advance(
    _ past: Row, to now: Row, head: Int, _ t: Int, _ s: Int, reading: Bool, _ pass: Pass
  ) {
    let a = Parts(pass[preactivation, t][s], head, self)
    recurrence.advance(past, to: now, a.input, head: head, t, s, reading: reading, pass)
  }

  public func finish(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    norm.forward(
      pass[recurrence.read].slice(rows: own), into: pass[normed].slice(rows: own),
      from: own.lowerBound, pass)
    for i in own {
      gate(outputGate(pass[preactivation][i]), pass[normed][i], pass[output][i])
    }
  }

  // MARK: Backward

  public func beginBackward(_ steps: Range<Int>, _ pass: Pass) {
    let own = pass.rows(of: steps)
    for i in own {
      differentiateGate(pass.d[output][i], outputGate(pass[preactivation][i]), pass[normed][i])
    }
    norm.backward(
      pass[normed].slice(rows: own), reading: pass[recurrence.read].slice(rows: own),
      into: pass.d[recurrence.read].slice(rows: own), from: own.lowerBound, pass)
  }

  public func retreat(
    _ gradient: Row, past: Row, now: Row, head: Int, _ t: Int, _ s: Int, _ pass: Pass
  ) {
    let a = Parts(pass[preactivation, t][s], head, self)
    let input = a.input
    let (di, df) = recurrence.retreat(
      gradient, past: past, now: now, input, (input.q, input.k, input.v), head: head, t, s, pass)
    a.setGates(i: di * slope(input.i), f: df * slope(input.f))
  }

  public func accumulate(_ pass: Pass) {
    let da = pass[preactivation]
    pass.d[bias].addColumnSums(da.slice(columns: da.columns - 2 * heads..<da.columns))
  }

  // MARK: Parts

  private func gates(_ a: Row) -> Row { a[a.count - 2 * heads..<a.count] }

  private func outputGate(_ a: Row) -> Row {
    a[2 * keyWidth + hidden..<2 * keyWidth + 2 * hidden]
  }

  /// The slope of the cap at a capped value.
  @inline(__always) private func slope(_ value: Real) -> Real {
    cap == 0 ? 1 : 1 - value / cap * (value / cap)
  }

  /// The part of a head in a row of preactivations.
  private struct Parts {
    /// q, k, v, i and f.
    let input: MatrixLSTMMemory.Input
    private let gates: Row
    private let head, heads: Int

    @inline(__always) init(_ a: Row, _ head: Int, _ cell: MatrixLSTM) {
      let (keys, hidden) = (cell.keyWidth, cell.hidden)
      gates = cell.gates(a)
      (self.head, heads) = (head, cell.heads)
      input = MatrixLSTMMemory.Input(
        q: a[0..<keys].part(head, of: cell.heads),
        k: a[keys..<2 * keys].part(head, of: cell.heads),
        v: a[2 * keys..<2 * keys + hidden].part(head, of: cell.heads), i: gates[head],
        f: gates[heads + head])
    }

    @inline(__always) func setGates(i: Real, f: Real) {
      gates[head] = i
      gates[heads + head] = f
    }
  }
}

/// a = c tanh((a + b) / c), or a + b for c = 0
@inline(never) private func limit(_ a: Row, _ bias: Row, _ cap: Real) {
  for j in 0..<a.count {
    let value = a[j] + bias[j]
    a[j] = cap == 0 ? value : cap * tanh(value / cap)
  }
}
/// o = σ(o), h = o ∘ y
@inline(never) private func gate(_ o: Row, _ y: Row, _ h: Row) {
  for j in 0..<h.count {
    let open = sigmoid(o[j])
    o[j] = open
    h[j] = open * y[j]
  }
}
/// o becomes ∂h ∘ y ∘ o ∘ (1 − o), and y becomes ∂h ∘ o
@inline(never) private func differentiateGate(_ dh: Row, _ o: Row, _ y: Row) {
  for j in 0..<dh.count {
    let open = o[j]
    o[j] = dh[j] * y[j] * (open * (1 - open))
    y[j] = dh[j] * open
  }
}
