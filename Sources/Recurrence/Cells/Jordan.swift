internal import LinearAlgebra

/// The network whose recurrence goes through its output only (Jordan 1986):
///
///     h(t) = f(x(t) W + b + y(t−1) R)      y(t) = g(h(t) V + c)
///
/// The output of the cell is y. With `teacher_forcing` the target of the step before replaces
/// y(t−1): R then reads a symbol, numbers or labels, training has no recurrence in time, and the
/// first step of a stream has no feedback. In sampling and prediction the model reads its own last
/// output instead.
public struct Jordan: RecurrentCell {
  public struct Options: CellOptions {
    public var hidden: Int
    /// The width of y; `hidden` if nil.
    public var outputs: Int?
    /// The nonlinearity f.
    public var nonlinearity: Nonlinearity
    /// The nonlinearity g.
    public var outputNonlinearity: Nonlinearity
    public var teacherForcing: Bool

    public var output: Int { outputs ?? hidden }
    public var hasState: Bool { !teacherForcing }
    public var feedsTargets: Bool { teacherForcing }

    public init(
      hidden: Int, outputs: Int? = nil, nonlinearity: Nonlinearity = .tanh,
      outputNonlinearity: Nonlinearity = .tanh, teacherForcing: Bool = false
    ) {
      self.hidden = hidden
      self.outputs = outputs
      self.nonlinearity = nonlinearity
      self.outputNonlinearity = outputNonlinearity
      self.teacherForcing = teacherForcing
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      hidden = try keys.hiddenUnits(.hidden)
      outputs = try keys.decodeIfPresent(Int.self, forKey: .outputs)
        .map { try keys.checkedWidth($0, .outputs) }
      nonlinearity =
        try keys.decodeIfPresent(Nonlinearity.self, forKey: .nonlinearity) ?? .tanh
      outputNonlinearity =
        try keys.decodeIfPresent(Nonlinearity.self, forKey: .outputNonlinearity) ?? .tanh
      teacherForcing = try keys.decodeIfPresent(Bool.self, forKey: .teacherForcing) ?? false
    }

    enum CodingKeys: String, CodingKey {
      case hidden, outputs, nonlinearity
      case outputNonlinearity = "output_nonlinearity"
      case teacherForcing = "teacher_forcing"
    }
  }

  public static let equations = """
    h = f(x W + b + y₋ R); y = g(h V + c), the layer's output; \
    f and g = tanh, relu, sigmoid or identity; \
    teacher_forcing: y₋ is the target of the step before, one-hot for a symbol
    """
  public static let citation = "Jordan 1986"
  public static let gates = 1

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: hidden), Options(hidden: hidden, outputs: hidden - 2),
      Options(hidden: hidden, nonlinearity: .sigmoid, outputNonlinearity: .identity),
      Options(hidden: hidden, teacherForcing: true),
    ]
  }

  /// The value that is fed back through R.
  enum Fed: Sendable {
    case output(Parameter)
    case target(TargetFeedback)
  }

  public let preactivation, output: Activation
  /// h, and its gradient, which is kept for one step only.
  let hidden, dHidden: Activation
  let shown: OutputMapping
  let fed: Fed
  let nonlinearity: Nonlinearity

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    let spread = Distribution.uniform(1 / Double(n).squareRoot())
    nonlinearity = options.nonlinearity
    preactivation = plan.activation(n, derivative: .overwrites)
    hidden = plan.activation(n, derivative: .none)
    dHidden = plan.stepTemporary(n)
    shown = OutputMapping(
      FeedbackOptions(width: options.output, nonlinearity: options.outputNonlinearity), from: n,
      isState: !options.teacherForcing, in: &plan)
    output = shown.output
    fed =
      options.teacherForcing
      ? .target(
        TargetFeedback(
          into: preactivation, names: ("weight_yh", "target"), spread: spread, in: &plan))
      : .output(plan.parameter("weight_yh", from: options.output, to: n, pytorch: spread))
  }

  public var recurrentWeights: [Parameter] {
    if case .output(let recurrent) = fed { [recurrent] } else { [] }
  }

  public var transitions: [Transition] {
    guard case .output(let recurrent) = fed else { return [] }
    return [Transition([WeightBlock(recurrent), WeightBlock(shown.weight)])]
  }

  public func forward(_ t: Int, _ pass: Pass) {
    let a = pass[preactivation, t]
    switch fed {
    case .output(let recurrent): a.addProduct(pass.read(output, t), pass[recurrent])
    case .target(let feedback): feedback.beforeStep(t, pass)
    }
    let h = pass[hidden, t]
    nonlinearity.respond(a, h)
    shown.forward(h, t, pass)
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let (dh, da) = (pass[dHidden, t], pass.d[preactivation, t])
    dh.setProduct(shown.backward(t, pass), pass[shown.weight].transposed)
    nonlinearity.differentiate(pass[hidden, t], dh, da)
    guard case .output(let recurrent) = fed else { return }
    pass.d.read(output, t).addProduct(da, pass[recurrent].transposed)
  }

  public func accumulate(_ pass: Pass) {
    shown.accumulate(pass[hidden], pass)
    switch fed {
    case .output(let recurrent):
      pass.d[recurrent].addProduct(
        pass.d[preactivation].transposed, pass.read(output, lag: 1))
    case .target(let feedback): feedback.accumulate(pass)
    }
  }
}
