internal import LinearAlgebra

/// The clockwork recurrent network: modules of units, each with its own period (Koutník 2014).
///
///     h_i(t) = f(x(t) W_i + b_i + Σ_{j ≥ i} h_j(t−1) U_ji + b′_i)   where t mod T_i = 0
///     h_i(t) = h_i(t−1)                                              elsewhere
///
/// Periods rise from module to module. A module reads itself and the slower modules, so in h(t−1) U
/// the matrix U is block-lower-triangular. Only the blocks that exist are stored, one matrix per
/// module, so the blocks above the diagonal cost no products, take no random numbers and count in
/// no norm and no weight decay. t counts from the start of the stream, where all modules are
/// computed. A module that no stream computes at a step costs nothing there.
public struct Clockwork: RecurrentCell {
  public struct Options: CellOptions {
    public var hidden: Int
    /// T, one period per module.
    public var periods: [Int]
    /// The nonlinearity f.
    public var nonlinearity: Nonlinearity
    /// The number of biases: 2, or 1 for b alone.
    public var biases: Int

    public init(
      hidden: Int, periods: [Int] = [1, 2, 4, 8], nonlinearity: Nonlinearity = .tanh,
      biases: Int = 2
    ) {
      self.hidden = hidden
      self.periods = periods
      self.nonlinearity = nonlinearity
      self.biases = biases
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      periods = try keys.decodeIfPresent([Int].self, forKey: .periods) ?? [1, 2, 4, 8]
      nonlinearity =
        try keys.decodeIfPresent(Nonlinearity.self, forKey: .nonlinearity) ?? .tanh
      biases = try keys.numberOfBiases(.biases)
      let isRising = zip(periods, periods.dropFirst()).allSatisfy { $0 < $1 }
      guard let first = periods.first, first >= 1, isRising else {
        throw DecodingError.dataCorruptedError(
          forKey: .periods, in: keys,
          debugDescription: "periods are rising numbers of steps, such as [1, 2, 4]")
      }
      guard hidden.isMultiple(of: periods.count) else {
        throw DecodingError.dataCorruptedError(
          forKey: .hidden, in: keys,
          debugDescription: "hidden (\(hidden)) must be a multiple of the number of periods "
            + "(\(periods.count))")
      }
      guard Clockwork.round(of: periods) != nil else {
        throw DecodingError.dataCorruptedError(
          forKey: .periods, in: keys,
          debugDescription: "the least common multiple of the periods must be at most "
            + "\(Clockwork.longestRound)")
      }
    }
  }

  public static let equations = """
    hᵢ = f(x Wᵢ + bᵢ + Σ hⱼ₋ Uⱼᵢ + b′ᵢ), j ≥ i, where t mod Tᵢ = 0, else hᵢ = hᵢ₋; \
    f = tanh, relu, sigmoid or identity
    """
  public static let citation = "Koutník 2014"
  public static let gates = 1

  public static func variants(hidden: Int) -> [Options] {
    // Rounds up to a multiple of the number of modules.
    func units(_ modules: Int) -> Int { (hidden + modules - 1) / modules * modules }
    return [
      Options(hidden: units(2), periods: [1, 2]), Options(hidden: units(3), periods: [1, 2, 3]),
      Options(hidden: units(2), periods: [2, 3], nonlinearity: .sigmoid),
      Options(hidden: units(3), periods: [1, 2, 3], biases: 1),
    ]
  }

  /// The longest round. Integers up to this one are exact in both precisions.
  static let longestRound = 1 << 24

  /// Returns the number of steps after which all modules are computed together again, or nil if it
  /// exceeds `longestRound`.
  static func round(of periods: [Int]) -> Int? {
    var result = 1
    for period in periods {
      var (a, b) = (result, period)
      while b != 0 { (a, b) = (b, a % b) }
      let (product, isTooLong) = (result / a).multipliedReportingOverflow(by: period)
      guard !isTooLong, product <= longestRound else { return nil }
      result = product
    }
    return result
  }

  /// A group of units with one period.
  struct Module: Sendable {
    let period: Int
    let units: Range<Int>
    /// The units of this module and of the slower modules.
    let read: Range<Int>
    /// The columns of U from `read` to `units`.
    let recurrent: Parameter
  }

  public let preactivation, output: Activation
  public let recurrentBias: Parameter?
  let modules: [Module]
  let nonlinearity: Nonlinearity
  /// t + 1 after step t; it restarts from 0 after each round.
  let clock: Activation
  let round: Int

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    let width = n / options.periods.count
    guard let round = Self.round(of: options.periods), n.isMultiple(of: options.periods.count)
    else { preconditionFailure("\(n) units with the periods \(options.periods)") }
    let spread = Distribution.uniform(1 / Double(n).squareRoot())
    self.round = round
    nonlinearity = options.nonlinearity
    preactivation = plan.activation(n, derivative: .overwrites)
    clock = plan.state(1, named: "clock", derivative: .none)
    output = plan.state(n)
    modules = options.periods.enumerated().map { index, period in
      let first = index * width
      return Module(
        period: period, units: first..<first + width, read: first..<n,
        recurrent: plan.parameter(
          "weight_hh_\(index)", from: n - first, to: width, pytorch: spread))
    }
    recurrentBias = options.biases == 2 ? plan.vector("bias_hh", count: n, pytorch: spread) : nil
  }

  public var recurrentWeights: [Parameter] { modules.map(\.recurrent) }

  public var transitions: [Transition] {
    modules.map { Transition(WeightBlock(leftSquareOf: $0.recurrent)) }
  }

  public func forward(_ t: Int, _ pass: Pass) {
    let (past, read) = (pass.before(output, t), pass.read(output, t))
    let (a, h) = (pass[preactivation, t], pass[output, t])
    let (earlier, now) = (pass.before(clock, t), pass[clock, t])
    for s in 0..<pass.streams {
      let next = Int(earlier[s, 0]) + 1
      now[s, 0] = next == round ? 0 : Real(next)
    }
    for module in modules {
      if isComputed(module, t, pass) {
        a.slice(columns: module.units)
          .addProduct(read.slice(columns: module.read), pass[module.recurrent])
      }
      for s in 0..<pass.streams {
        if isComputed(module, t, s, pass) {
          nonlinearity.respond(a[s][module.units], h[s][module.units])
        } else {
          h[s][module.units].copy(past[s][module.units])
        }
      }
    }
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let (h, dh) = (pass[output, t], pass.d[output, t])
    let (da, dPast) = (pass.d[preactivation, t], pass.d.before(output, t))
    for module in modules {
      for s in 0..<pass.streams {
        let (derivative, own) = (da[s][module.units], dh[s][module.units])
        if isComputed(module, t, s, pass) {
          nonlinearity.differentiate(h[s][module.units], own, derivative)
        } else {
          derivative.fill(0)
          dPast[s][module.units].add(own)
        }
      }
      guard isComputed(module, t, pass) else { continue }
      pass.d.read(output, t).slice(columns: module.read)
        .addProduct(da.slice(columns: module.units), pass[module.recurrent].transposed)
    }
  }

  public func accumulate(_ pass: Pass) {
    let (da, past) = (pass.d[preactivation], pass.read(output, lag: 1))
    for module in modules {
      pass.d[module.recurrent].addProduct(
        da.slice(columns: module.units).transposed, past.slice(columns: module.read))
    }
  }

  private func isComputed(_ module: Module, _ t: Int, _ s: Int, _ pass: Pass) -> Bool {
    Int(pass.before(clock, t)[s, 0]).isMultiple(of: module.period)
  }

  /// True if any stream computes the module at step t.
  private func isComputed(_ module: Module, _ t: Int, _ pass: Pass) -> Bool {
    for s in 0..<pass.streams where isComputed(module, t, s, pass) { return true }
    return false
  }
}
