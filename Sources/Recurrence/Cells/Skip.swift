internal import LinearAlgebra

/// The simple recurrent network with connections that skip steps:
///
///     h(t) = f(x(t) W + b + h(t−1) U + Σ_k h(t−k) U_k + b′)
///
/// A gradient that travels k steps back through U_k is multiplied once, not k times (El Hihi &
/// Bengio 1995, Lin 1996). A delay can be longer than a window.
public struct Skip: RecurrentCell {
  public struct Options: CellOptions {
    public var hidden: Int
    /// The delays k in rising order; each is at least 2.
    public var delays: [Int]
    /// The nonlinearity f.
    public var nonlinearity: Nonlinearity
    /// The number of biases: 2, or 1 for b alone.
    public var biases: Int

    public init(
      hidden: Int, delays: [Int] = [2], nonlinearity: Nonlinearity = .tanh, biases: Int = 2
    ) {
      self.hidden = hidden
      self.delays = delays
      self.nonlinearity = nonlinearity
      self.biases = biases
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      delays = try keys.decodeIfPresent([Int].self, forKey: .delays) ?? [2]
      nonlinearity =
        try keys.decodeIfPresent(Nonlinearity.self, forKey: .nonlinearity) ?? .tanh
      biases = try keys.numberOfBiases(.biases)
      let isRising = zip(delays, delays.dropFirst()).allSatisfy { $0 < $1 }
      guard let first = delays.first, first >= 2, isRising, delays.last! <= 1 << 16 else {
        throw DecodingError.dataCorruptedError(
          forKey: .delays, in: keys,
          debugDescription: "delays are rising numbers of steps from 2 to 65536, such as [2, 4]")
      }
    }
  }

  public static let equations = """
    h = f(x W + b + h₋ U + Σ h(t−k) U_k + b′), one U_k for each k of delays; \
    f = tanh, relu, sigmoid or identity
    """
  public static let citation = "El Hihi & Bengio 1995, Lin 1996"
  public static let gates = 1

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: hidden), Options(hidden: hidden, delays: [2, 5]),
      Options(hidden: hidden, delays: [3], nonlinearity: .relu),
      Options(hidden: hidden, biases: 1),
    ]
  }

  public let preactivation, output: Activation
  public let recurrentBias: Parameter?
  let recurrent: Parameter
  /// U_k
  let skips: [(delay: Int, weight: Parameter)]
  let nonlinearity: Nonlinearity

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    let spread = Distribution.uniform(1 / Double(n).squareRoot())
    nonlinearity = options.nonlinearity
    preactivation = plan.activation(n, derivative: .overwrites)
    output = plan.state(n, lags: [1] + options.delays)
    recurrent = plan.parameter("weight_hh", from: n, to: n, pytorch: spread)
    skips = options.delays.map { delay in
      (delay, plan.parameter("weight_hh_\(delay)", from: n, to: n, pytorch: spread))
    }
    recurrentBias = options.biases == 2 ? plan.vector("bias_hh", count: n, pytorch: spread) : nil
  }

  public var recurrentWeights: [Parameter] { [recurrent] + skips.map(\.weight) }

  public var transitions: [Transition] { [Transition(WeightBlock(recurrent))] }

  public func forward(_ t: Int, _ pass: Pass) {
    let a = pass[preactivation, t]
    a.addProduct(pass.read(output, t), pass[recurrent])
    for (delay, weight) in skips {
      a.addProduct(pass.read(output, t, lag: delay), pass[weight])
    }
    nonlinearity.respond(a, pass[output, t])
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let da = pass.d[preactivation, t]
    nonlinearity.differentiate(pass[output, t], pass.d[output, t], da)
    pass.d.read(output, t).addProduct(da, pass[recurrent].transposed)
    for (delay, weight) in skips {
      pass.d.read(output, t, lag: delay).addProduct(da, pass[weight].transposed)
    }
  }

  public func accumulate(_ pass: Pass) {
    let da = pass.d[preactivation]
    pass.d[recurrent].addProduct(da.transposed, pass.read(output, lag: 1))
    for (delay, weight) in skips {
      pass.d[weight].addProduct(da.transposed, pass.read(output, lag: delay))
    }
  }
}
