internal import LinearAlgebra

/// The leaky integrator, which keeps a part of its state: `h(t) = α ∘ h(t−1) + (1 − α) ∘ f(x(t) W +
/// h(t−1) U + b)` (Mozer 1992; Jaeger 2007).
///
/// - `alpha`: α, as one number for all units, as `[low, high]` spread evenly over the units, or as
///   `learnt`: one number per unit, trained through a sigmoid.
/// - `recurrent`: false leaves out h(t−1) U.
/// - `input_delay`: 1 reads x(t−1) in place of x(t); the last input is then part of the carried
///   state. A running average μ = α μ₋ + (1 − α) x₋ takes `input_delay: 1`, `recurrent: false` and
///   f = identity.
public struct Leaky: RecurrentCell {
  public struct Options: CellOptions {
    public var hidden: Int
    public var alpha: LeakyRetention
    /// The nonlinearity f.
    public var nonlinearity: Nonlinearity
    public var recurrent: Bool
    public var inputDelay: Int

    public init(
      hidden: Int, alpha: LeakyRetention, nonlinearity: Nonlinearity = .tanh,
      recurrent: Bool = true, inputDelay: Int = 0
    ) {
      self.hidden = hidden
      self.alpha = alpha
      self.nonlinearity = nonlinearity
      self.recurrent = recurrent
      self.inputDelay = inputDelay
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      alpha = try keys.decodeIfPresent(LeakyRetention.self, forKey: .alpha) ?? .learnt
      nonlinearity = try keys.decodeIfPresent(Nonlinearity.self, forKey: .nonlinearity) ?? .tanh
      recurrent = try keys.decodeIfPresent(Bool.self, forKey: .recurrent) ?? true
      inputDelay = try keys.decodeIfPresent(Int.self, forKey: .inputDelay) ?? 0
      guard inputDelay == 0 || inputDelay == 1 else {
        throw DecodingError.dataCorruptedError(
          forKey: .inputDelay, in: keys, debugDescription: "input_delay must be 0 or 1")
      }
    }

    enum CodingKeys: String, CodingKey {
      case hidden, alpha, nonlinearity, recurrent
      case inputDelay = "input_delay"
    }
  }

  public static let equations = """
    h = α∘h₋ + (1−α)∘f(x W + h₋ U + b), f = tanh, relu, sigmoid or identity; \
    alpha: learnt: α = σ(p), or a number, or [low, high] spread over the units; \
    recurrent: false: without h₋ U; input_delay: 1: x₋ instead of x
    """
  public static let citation = "Mozer 1992, Jaeger 2007"
  public static let gates = 1

  public static func variants(hidden: Int) -> [Options] {
    Nonlinearity.allCases.map { Options(hidden: hidden, alpha: .learnt, nonlinearity: $0) } + [
      Options(hidden: hidden, alpha: .fixed(0.9)),
      Options(hidden: hidden, alpha: .spread(0.1, 0.8)),
      Options(hidden: hidden, alpha: .learnt, recurrent: false),
      Options(hidden: hidden, alpha: .learnt, inputDelay: 1),
      Options(
        hidden: hidden, alpha: .fixed(0.9), nonlinearity: .identity, recurrent: false,
        inputDelay: 1),
    ]
  }

  public static func inputDelays(_ options: Options) -> [Int] { [options.inputDelay] }

  public let preactivation, output: Activation
  let nonlinearity: Nonlinearity
  /// U
  let recurrent: Parameter?
  let retention: LeakyRetention
  /// The logit p of a learnt α.
  let logit: Parameter?
  /// α, computed again from p in each forward and backward pass over a window.
  let alpha: Scratch
  /// f(x W + h(t−1) U + b)
  let candidate: Activation
  /// Its gradient, kept for one step only.
  let dCandidate: Activation

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    let spread = Distribution.uniform(1 / Double(n).squareRoot())
    preactivation = plan.activation(n, derivative: .overwrites)
    output = plan.state(n)
    recurrent =
      options.recurrent ? plan.parameter("weight_hh", from: n, to: n, pytorch: spread) : nil
    logit =
      options.alpha == .learnt ? plan.vector("logit_alpha", count: n, pytorch: spread) : nil
    retention = options.alpha
    alpha = plan.scratch(n)
    candidate = plan.activation(n, derivative: .none)
    dCandidate = plan.stepTemporary(n)
    nonlinearity = options.nonlinearity
  }

  public var recurrentWeights: [Parameter] { [recurrent].compactMap(\.self) }

  public var transitions: [Transition] {
    recurrent.map { [Transition(WeightBlock($0))] } ?? []
  }

  public func forward(_ t: Int, _ pass: Pass) {
    let (a, past, h) = (pass[preactivation, t], pass.before(output, t), pass[output, t])
    let (value, alpha) = (pass[candidate, t], kept(pass, isFirst: t == 0))
    if let recurrent { a.addProduct(pass.read(output, t), pass[recurrent]) }
    for s in 0..<pass.streams {
      nonlinearity.respond(a[s], value[s])
      mix(alpha, value[s], past[s], h[s])
    }
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let (da, past, value) = (pass.d[preactivation, t], pass.before(output, t), pass[candidate, t])
    let (dh, dPast) = (pass.d[output, t], pass.d.before(output, t))
    let (dValue, alpha) = (pass[dCandidate, t], kept(pass, isFirst: t == pass.steps - 1))
    for s in 0..<pass.streams {
      differentiate(dh[s], alpha, dValue[s], dPast[s])
      nonlinearity.differentiate(value[s], dValue[s], da[s])
      if let logit { learn(dh[s], alpha, value[s], past[s], pass.d[logit].row) }
    }
    if let recurrent { pass.d.read(output, t).addProduct(da, pass[recurrent].transposed) }
  }

  public func accumulate(_ pass: Pass) {
    if let recurrent {
      pass.d[recurrent].addProduct(
        pass.d[preactivation].transposed, pass.read(output, lag: 1))
    }
  }

  /// Returns α of every unit, after computing it at the first step of a pass.
  private func kept(_ pass: Pass, isFirst: Bool) -> Row {
    let memory = pass.scratch(alpha)
    let row = Matrix(memory, rows: 1, columns: memory.count)[0]
    guard isFirst else { return row }
    if let logit {
      Nonlinearity.sigmoid.respond(pass[logit].row, row)
    } else {
      retention.fill(row)
    }
    return row
  }
}

/// h = α ∘ h₋ + (1 − α) ∘ v
@inline(never) private func mix(_ alpha: Row, _ v: Row, _ past: Row, _ h: Row) {
  for j in 0..<h.count { h[j] = alpha[j] * past[j] + (1 - alpha[j]) * v[j] }
}
/// ∂v = ∂h ∘ (1 − α), ∂h₋ += ∂h ∘ α
@inline(never) private func differentiate(_ dh: Row, _ alpha: Row, _ dv: Row, _ dPast: Row) {
  for j in 0..<dh.count {
    dv[j] = dh[j] * (1 - alpha[j])
    dPast[j] += dh[j] * alpha[j]
  }
}
/// ∂p += ∂h ∘ (h₋ − v) ∘ α ∘ (1 − α)
@inline(never) private func learn(_ dh: Row, _ alpha: Row, _ v: Row, _ past: Row, _ dp: Row) {
  for j in 0..<dh.count {
    dp[j] += dh[j] * (past[j] - v[j]) * (alpha[j] * (1 - alpha[j]))
  }
}

extension Leaky: PortableCell {
  public static func joiningObstacle(_ options: Options) -> String? {
    options.recurrent ? nil : "is a leaky without U, and so has no two matrices"
  }
}
