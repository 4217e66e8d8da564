internal import LinearAlgebra

/// The network whose recurrence goes through its output alone (Jordan 1986):
///
///     h(t) = f(x(t) W + b + y(t−1) R)      y(t) = g(h(t) V + c)
///
/// The cell shows y. With `teacher_forcing` the target of the step before, as a row with a 1 at its
/// symbol, takes the place of y(t−1): R has a row for each symbol, training has no loop in time, and
/// nothing is fed where a stream starts. A generated text is fed the symbols that were drawn.
public struct Jordan: RecurrentCell {
  public struct Options: CellOptions {
    public var hidden: Int
    /// The width of y; `hidden` if nil.
    public var outputs: Int?
    /// f
    public var nonlinearity: Nonlinearity
    /// g
    public var outputNonlinearity: Nonlinearity
    public var teacherForcing: Bool

    public var output: Int { outputs ?? hidden }

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
    h = f(x W + b + y₋ R); y = g(h V + c), which is what the layer shows; \
    f and g = tanh, relu, sigmoid or identity; \
    teacher_forcing: y₋ is 1 at the symbol that was the last target, 0 elsewhere
    """
  public static let source = "Jordan 1986"
  public static let gates = 1

  public static func variants(hidden: Int) -> [Options] {
    [
      Options(hidden: hidden), Options(hidden: hidden, outputs: hidden - 2),
      Options(hidden: hidden, nonlinearity: .sigmoid, outputNonlinearity: .identity),
      Options(hidden: hidden, teacherForcing: true),
    ]
  }

  /// What is fed back through R.
  enum Fed: Sendable {
    case output
    /// One more than the symbol, in a state; 0 where there was none.
    case target(Activation)
  }

  public let preactivation, output: Activation
  /// h, and the derivative of one step.
  let hidden, dHidden: Activation
  let shown: ShownOutput
  let recurrent: Parameter
  let fed: Fed
  let nonlinearity: Nonlinearity

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    let spread = Distribution.uniform(1 / Double(n).squareRoot())
    nonlinearity = options.nonlinearity
    preactivation = plan.activation(n, derivative: .overwrites)
    hidden = plan.activation(n, derivative: .none)
    dHidden = plan.momentary(n)
    shown = ShownOutput(
      FeedbackOptions(width: options.output, nonlinearity: options.outputNonlinearity), from: n,
      isState: !options.teacherForcing, in: &plan)
    output = shown.output
    if options.teacherForcing {
      let vocabulary = plan.scope.vocabulary
      precondition(vocabulary > 0, "targets are fed back outside of a model of symbols")
      fed = .target(plan.targetState())
      recurrent = plan.parameter(
        "weight_yh", from: n, to: vocabulary, pytorch: spread, isRowSparse: true)
    } else {
      fed = .output
      recurrent = plan.parameter("weight_yh", from: options.output, to: n, pytorch: spread)
    }
  }

  public var transitions: [Transition] {
    guard case .output = fed else { return [] }
    return [Transition([WeightBlock(recurrent), WeightBlock(shown.weight)])]
  }

  public func forward(_ t: Int, _ pass: Pass) {
    let a = pass[preactivation, t]
    switch fed {
    case .output: a.addProduct(pass.read(output, t), pass[recurrent])
    case .target(let targets):
      let (past, now) = (pass.before(targets, t), pass[targets, t])
      let table = pass[recurrent].matrix
      for s in 0..<pass.streams {
        if past[s, 0] > 0 { a[s].add(table[Int(past[s, 0]) - 1]) }
        now[s, 0] = Real(max(pass.target(t, s) + 1, 0))
      }
    }
    let h = pass[hidden, t]
    nonlinearity.respond(a, h)
    shown.forward(h, t, pass)
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let (dh, da) = (pass[dHidden, t], pass.d[preactivation, t])
    dh.setProduct(shown.backward(t, pass), pass[shown.weight].transposed)
    nonlinearity.differentiate(pass[hidden, t], dh, da)
    guard case .output = fed else { return }
    pass.d.read(output, t).addProduct(da, pass[recurrent].transposed)
  }

  public func accumulate(_ pass: Pass) {
    let da = pass.d[preactivation]
    shown.accumulate(pass[hidden], pass)
    switch fed {
    case .output: pass.d[recurrent].addProduct(da.transposed, pass.read(output, lag: 1))
    case .target(let targets):
      let past = pass.before(targets, lag: 1)
      for row in 0..<da.rows where past[row, 0] > 0 {
        pass.d.add(da[row], to: recurrent, row: Int(past[row, 0]) - 1)
      }
    }
  }
}
