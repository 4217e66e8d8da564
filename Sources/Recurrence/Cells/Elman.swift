internal import LinearAlgebra

/// The simple recurrent network: `h(t) = f(x(t) W + b + h(t−1) U + b′)`, f = tanh, relu, sigmoid or
/// the identity (Elman 1990). PyTorch's `nn.RNN`.
public struct Elman: RecurrentCell {
  public typealias Nonlinearity = Recurrence.Nonlinearity

  public struct Options: CellOptions {
    public var hidden: Int
    /// The nonlinearity f.
    public var nonlinearity: Nonlinearity
    /// The number of biases: 2 as in PyTorch, or 1 for b alone.
    public var biases: Int

    public init(hidden: Int, nonlinearity: Nonlinearity = .tanh, biases: Int = 2) {
      self.hidden = hidden
      self.nonlinearity = nonlinearity
      self.biases = biases
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      nonlinearity = try keys.decodeIfPresent(Nonlinearity.self, forKey: .nonlinearity) ?? .tanh
      biases = try keys.numberOfBiases(.biases)
    }
  }

  public static let equations = "h = f(x W + b + h₋ U + b′), f = tanh, relu, sigmoid or identity"
  public static let citation = "Elman 1990"
  public static let gates = 1

  public static func variants(hidden: Int) -> [Options] {
    Nonlinearity.allCases.map { Options(hidden: hidden, nonlinearity: $0) }
      + [Options(hidden: hidden, biases: 1)]
  }

  public let preactivation, output: Activation
  public let recurrentBias: Parameter?
  let recurrent: Parameter
  let nonlinearity: Nonlinearity

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    let spread = Distribution.uniform(1 / Double(n).squareRoot())
    nonlinearity = options.nonlinearity
    preactivation = plan.activation(n, derivative: .overwrites)
    output = plan.state(n)
    recurrent = plan.parameter("weight_hh", from: n, to: n, pytorch: spread)
    recurrentBias = options.biases == 2 ? plan.vector("bias_hh", count: n, pytorch: spread) : nil
  }

  public var recurrentWeights: [Parameter] { [recurrent] }

  public var transitions: [Transition] { [Transition(WeightBlock(recurrent))] }

  public func forward(_ t: Int, _ pass: Pass) {
    let a = pass[preactivation, t]
    a.addProduct(pass.read(output, t), pass[recurrent])
    nonlinearity.respond(a, pass[output, t])
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let da = pass.d[preactivation, t]
    nonlinearity.differentiate(pass[output, t], pass.d[output, t], da)
    pass.d.read(output, t).addProduct(da, pass[recurrent].transposed)
  }

  public func accumulate(_ pass: Pass) {
    pass.d[recurrent].addProduct(
      pass.d[preactivation].transposed, pass.read(output, lag: 1))
  }
}

extension Elman: PortableCell {
  public static var pytorchModule: String? { "nn.RNN" }

  public static func moduleObstacle(_ options: Options) -> String? {
    if options.nonlinearity == .tanh || options.nonlinearity == .relu { return nil }
    return
      "has the nonlinearity \(options.nonlinearity.rawValue), and nn.RNN has tanh and relu only"
  }
}

extension Elman: ONNXCell {
  public static func onnxForm(_ options: Options) -> ONNXForm {
    .recurrent(ONNXOperator("RNN", blocks: [0], activation: options.nonlinearity))
  }
}
