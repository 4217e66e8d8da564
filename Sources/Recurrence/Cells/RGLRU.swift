internal import LinearAlgebra

/// The real-gated linear recurrent unit of Hawk and Griffin (De 2024):
///
///     u = x W + b
///     r = σ(u U_a + b_a),   i = σ(u U_x + b_x)        U block-diagonal, a block for each head
///     a = exp(−8 r ∘ softplus(Λ))
///     h(t) = a ∘ h(t−1) + √(1 − a²) ∘ (i ∘ u)
///
/// At the first step of a stream or document the factor √(1 − a²) is 1. The derivative of the root is at
/// most 1000, as in the reference. Λ starts so that a at r = 1 is ρ⁸, ρ² uniform in (0.9², 0.999²).
///
/// - `heads`: the number of blocks of U.
/// - `input_weights: false`: u = x. The layer below then makes u, such as the convolution of a block.
public struct RGLRU: RecurrentCell, WindowMixer {
  public struct Options: CellOptions {
    public var hidden: Int
    /// The number of diagonal blocks of the gates' matrices; a divisor of `hidden`.
    public var heads: Int
    /// False if u is x itself.
    public var inputWeights: Bool

    public init(hidden: Int, heads: Int = 1, inputWeights: Bool = true) {
      precondition(hidden.isMultiple(of: heads), "\(heads) heads of \(hidden) units")
      self.hidden = hidden
      self.heads = heads
      self.inputWeights = inputWeights
    }

    private enum CodingKeys: String, CodingKey {
      case hidden, heads
      case inputWeights = "input_weights"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      heads = try keys.heads(.heads, dividing: hidden, "hidden")
      inputWeights = try keys.decodeIfPresent(Bool.self, forKey: .inputWeights) ?? true
    }
  }

  public static let equations = """
    u = x W + b; r = σ(u U_a + b_a); i = σ(u U_x + b_x); a = exp(−8 r∘softplus Λ); \
    h = a∘h₋ + √(1−a²)∘i∘u, at a stream's first step h = a∘h₋ + i∘u; \
    U of heads diagonal blocks; input_weights: false: u = x
    """
  public static let citation = "De 2024 (Hawk, Griffin)"
  public static let gates = 1

  public static func variants(hidden: Int) -> [Options] {
    // The number of heads must divide the width, whatever it is in a test.
    [Options(hidden: hidden), Options(hidden: hidden, heads: hidden)]
  }

  public static func readsInputItself(_ options: Options) -> Bool { !options.inputWeights }

  /// u
  public let preactivation: Activation
  public let output: Activation
  /// [r, i]
  private let gates: Activation
  private let decay: Activation
  /// 1 after a stream's first step, 0 before.
  private let started: Activation
  /// U_a, U_x, `[hidden, hidden / heads]`: one head's block below the other's; their biases; and Λ.
  private let decayGate, inputGate: Parameter
  private let decayBias, inputBias: Parameter
  private let lambda: Parameter
  /// −8 softplus(Λ) and −8 σ(Λ).
  private let rates: Scratch
  private let heads: Int

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    heads = options.heads
    let block = n / heads
    let spread = Distribution.normal(1 / Double(block).squareRoot())
    preactivation = plan.activation(n)
    gates = plan.activation(2 * n, derivative: .overwrites)
    decay = plan.activation(n, derivative: .none)
    output = plan.state(n)
    started = plan.state(1, named: "started", derivative: .none)
    decayGate = plan.parameter(
      "weight_a_gate", from: block, to: n, gates: heads, pytorch: spread)
    inputGate = plan.parameter(
      "weight_input_gate", from: block, to: n, gates: heads, pytorch: spread)
    decayBias = plan.vector("bias_a_gate", count: n, pytorch: .zero)
    inputBias = plan.vector("bias_input_gate", count: n, pytorch: .zero)
    lambda = plan.vector(
      "a_param", count: n, pytorch: .zero,
      parts: [.init(0, of: 1, .ring(from: 0.9, to: 0.999))])
    rates = plan.scratch(2 * n)
  }

  public var gateBlocks: [GateBlock] {
    [GateBlock("r", gates, 0, of: 2), GateBlock("i", gates, 1, of: 2)]
  }

  // MARK: Forward

  public func beginWindow(_ pass: Pass) {
    prepareRates(pass)
    multiply(pass[preactivation], into: pass[gates], pass)
  }

  public func forward(_ t: Int, _ pass: Pass) {
    if t == 0 { prepareRates(pass) }
    multiply(pass[preactivation, t], into: pass[gates, t], pass)
    forward(t..<t + 1, pass)
  }

  public func forward(_ run: Range<Int>, _ pass: Pass) {
    let rates = Matrix(pass.scratch(rates), rows: 2, columns: pass[lambda].row.count)
    for t in run {
      let isFirst = t == run.lowerBound
      let past = isFirst ? pass.before(output, t) : pass[output, t - 1]
      let (u, g, a, h) = (pass[preactivation, t], pass[gates, t], pass[decay, t], pass[output, t])
      for s in 0..<pass.streams {
        let (r, i) = (g[s].part(0, of: 2), g[s].part(1, of: 2))
        if isFirst, pass.before(started, t)[s, 0] == 0 {
          begin(rates[0], u[s], r, i, a[s], h[s])
        } else {
          gate(rates[0], u[s], r, i, a[s], h[s])
        }
      }
      pass[started, t].fill(1)
      LinearScan.forward(a, past, h)
    }
  }

  /// g = [u U_a + b_a, u U_x + b_x]
  private func multiply(_ u: Matrix, into g: Matrix, _ pass: Pass) {
    multiply(u, decayGate, decayBias, into: g.part(0, of: 2), pass)
    multiply(u, inputGate, inputBias, into: g.part(1, of: 2), pass)
  }

  /// a = u U + b, head by head
  private func multiply(
    _ u: Matrix, _ weight: Parameter, _ bias: Parameter, into a: Matrix, _ pass: Pass
  ) {
    let w = pass[weight].matrix
    let block = w.columns
    for k in 0..<heads {
      a.part(k, of: heads).setProduct(
        u.part(k, of: heads), w.slice(rows: k * block..<(k + 1) * block).transposed,
        independentRows: pass.rowsAreIndependent)
    }
    a.addToEveryRow(pass[bias].row)
  }

  private func prepareRates(_ pass: Pass) {
    let row = pass[lambda].row
    let rates = Matrix(pass.scratch(rates), rows: 2, columns: row.count)
    setRates(row, rates[0], rates[1])
  }

  // MARK: Backward

  public func backward(_ t: Int, _ pass: Pass) {
    if t == pass.steps - 1 { prepareRates(pass) }
    backward(t..<t + 1, pass)
    multiplyBack(pass[gates, t], into: pass.d[preactivation, t], pass)
  }

  public func backward(_ run: Range<Int>, _ pass: Pass) {
    let dLambda = pass.d[lambda].row
    let rates = Matrix(pass.scratch(rates), rows: 2, columns: dLambda.count)
    for t in run.reversed() {
      let isFirst = t == run.lowerBound
      let past = isFirst ? pass.before(output, t) : pass[output, t - 1]
      let dPast = isFirst ? pass.d.before(output, t) : pass.d[output, t - 1]
      let (u, g, a) = (pass[preactivation, t], pass[gates, t], pass[decay, t])
      let (dh, du) = (pass.d[output, t], pass.d[preactivation, t])
      LinearScan.backward(a, dh, dPast)
      for s in 0..<pass.streams {
        let (r, i) = (g[s].part(0, of: 2), g[s].part(1, of: 2))
        if isFirst, pass.before(started, t)[s, 0] == 0 {
          differentiateFirst(dh[s], past[s], u[s], a[s], rates, r, i, du[s], dLambda)
        } else {
          differentiate(dh[s], past[s], u[s], a[s], rates, r, i, du[s], dLambda)
        }
      }
    }
  }

  public func beginBackward(_ pass: Pass) { prepareRates(pass) }

  public func endBackward(_ pass: Pass) {
    multiplyBack(pass[gates], into: pass.d[preactivation], pass)
  }

  /// ∂u += ∂a_a U_aᵀ + ∂a_x U_xᵀ
  private func multiplyBack(_ dg: Matrix, into du: Matrix, _ pass: Pass) {
    multiplyBack(dg.part(0, of: 2), decayGate, into: du, pass)
    multiplyBack(dg.part(1, of: 2), inputGate, into: du, pass)
  }

  private func multiplyBack(
    _ da: Matrix, _ weight: Parameter, into du: Matrix, _ pass: Pass
  ) {
    let w = pass[weight].matrix
    let block = w.columns
    for k in 0..<heads {
      du.part(k, of: heads).addProduct(
        da.part(k, of: heads), w.slice(rows: k * block..<(k + 1) * block))
    }
  }

  public func accumulate(_ pass: Pass) {
    let dg = pass[gates]
    accumulate(dg.part(0, of: 2), decayGate, decayBias, pass)
    accumulate(dg.part(1, of: 2), inputGate, inputBias, pass)
  }

  private func accumulate(
    _ da: Matrix, _ weight: Parameter, _ bias: Parameter, _ pass: Pass
  ) {
    let (u, dw) = (pass[preactivation], pass.d[weight])
    let block = dw.matrix.columns
    for k in 0..<heads {
      dw.slice(rows: k * block..<(k + 1) * block).addProduct(
        da.part(k, of: heads).transposed, u.part(k, of: heads))
    }
    pass.d[bias].addColumnSums(da)
  }
}

/// ρ = −8 softplus(Λ) and ρ′ = −8 σ(Λ)
@inline(never) private func setRates(_ lambda: Row, _ rate: Row, _ slope: Row) {
  for j in 0..<lambda.count {
    rate[j] = -8 * softplus(lambda[j])
    slope[j] = -8 * sigmoid(lambda[j])
  }
}
/// r, i = σ(r), σ(i), a = exp(ρ ∘ r), h = √(1 − a²) ∘ i ∘ u, with ρ = −8 softplus(Λ)
@inline(never) private func gate(
  _ rate: Row, _ u: Row, _ r: Row, _ i: Row, _ a: Row, _ h: Row
) {
  for j in 0..<h.count {
    let (recurrence, input) = (sigmoid(r[j]), sigmoid(i[j]))
    r[j] = recurrence
    i[j] = input
    let power = rate[j] * recurrence
    a[j] = exp(power)
    h[j] = (-exponentialMinusOne(2 * power)).squareRoot() * input * u[j]
  }
}
/// The same at a stream's first step, where h = i ∘ u
@inline(never) private func begin(
  _ rate: Row, _ u: Row, _ r: Row, _ i: Row, _ a: Row, _ h: Row
) {
  for j in 0..<h.count {
    let (recurrence, input) = (sigmoid(r[j]), sigmoid(i[j]))
    r[j] = recurrence
    i[j] = input
    a[j] = exp(rate[j] * recurrence)
    h[j] = input * u[j]
  }
}
/// With λ = ∂h, m = √(1 − a²) and p = ρ ∘ r: ∂p = λ ∘ h₋ ∘ a − 2 a² ∘ λ ∘ i ∘ u / max(2m, 10⁻³),
/// ∂u += λ ∘ m ∘ i; r becomes ∂p ∘ ρ ∘ r ∘ (1 − r), i becomes λ ∘ m ∘ u ∘ i ∘ (1 − i), and
/// ∂Λ += ∂p ∘ r ∘ ρ′
@inline(never) private func differentiate(
  _ dh: Row, _ past: Row, _ u: Row, _ a: Row, _ rates: Matrix, _ r: Row, _ i: Row, _ du: Row,
  _ dLambda: Row
) {
  let (rate, slope) = (rates[0], rates[1])
  for j in 0..<dh.count {
    let (recurrence, input, decay) = (r[j], i[j], a[j])
    let root = (-exponentialMinusOne(2 * rate[j] * recurrence)).squareRoot()
    let twice = 2 * root
    let bounded = twice > 1e-3 ? twice : 1e-3
    let dPower =
      dh[j] * decay * (past[j] - 2 * decay * (input * u[j]) / bounded)
    du[j] += dh[j] * root * input
    i[j] = dh[j] * root * u[j] * (input * (1 - input))
    r[j] = dPower * rate[j] * (recurrence * (1 - recurrence))
    dLambda[j] += dPower * recurrence * slope[j]
  }
}
/// The same at a stream's first step, where m = 1
@inline(never) private func differentiateFirst(
  _ dh: Row, _ past: Row, _ u: Row, _ a: Row, _ rates: Matrix, _ r: Row, _ i: Row, _ du: Row,
  _ dLambda: Row
) {
  let (rate, slope) = (rates[0], rates[1])
  for j in 0..<dh.count {
    let (recurrence, input) = (r[j], i[j])
    let dPower = dh[j] * a[j] * past[j]
    du[j] += dh[j] * input
    i[j] = dh[j] * u[j] * (input * (1 - input))
    r[j] = dPower * rate[j] * (recurrence * (1 - recurrence))
    dLambda[j] += dPower * recurrence * slope[j]
  }
}
