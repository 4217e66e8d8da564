internal import LinearAlgebra

/// What a layer with `feedback: output` shows in place of its cell's output.
public struct FeedbackOptions: Hashable, Sendable {
  /// The width of y.
  public var width: Int
  /// g
  public var nonlinearity: Nonlinearity

  public init(width: Int, nonlinearity: Nonlinearity = .tanh) {
    self.width = width
    self.nonlinearity = nonlinearity
  }
}

/// An output that a layer computes from its cell's: `y(t) = g(h(t) V + c)`.
struct OutputMapping: Sendable {
  let output: Activation
  /// V
  let weight: Parameter
  private let bias: Parameter
  /// h V + c, and its derivative on the way back.
  private let preactivation: Activation
  private let nonlinearity: Nonlinearity

  /// - Parameters:
  ///   - names: what V, c and y are called.
  ///   - isState: whether the next step reads y.
  init(
    _ options: FeedbackOptions, from width: Int, isState: Bool,
    names: (weight: String, bias: String, output: String) = ("weight_hy", "bias_y", "y"),
    in plan: inout Plan
  ) {
    let spread = Distribution.uniform(1 / Double(width).squareRoot())
    nonlinearity = options.nonlinearity
    weight = plan.parameter(names.weight, from: width, to: options.width, pytorch: spread)
    bias = plan.vector(names.bias, count: options.width, pytorch: spread)
    preactivation = plan.activation(options.width, derivative: .overwrites)
    output =
      isState ? plan.state(options.width, named: names.output) : plan.activation(options.width)
  }

  func forward(_ h: Matrix, _ t: Int, _ pass: Pass) {
    let z = pass[preactivation, t]
    z.fillEveryRow(pass[bias].row)
    z.addProduct(h, pass[weight])
    nonlinearity.respond(z, pass[output, t])
  }

  /// The derivative with respect to h V + c.
  func backward(_ t: Int, _ pass: Pass) -> Matrix {
    let dz = pass.d[preactivation, t]
    nonlinearity.differentiate(pass[output, t], pass.d[output, t], dz)
    return dz
  }

  /// - Parameter h: at all steps.
  func accumulate(_ h: Matrix, _ pass: Pass) {
    let dz = pass.d[preactivation]
    pass.d[weight].addProduct(dz.transposed, h)
    pass.d[bias].addColumnSums(dz)
  }
}

/// A second recurrence around any cell, through an output of its own:
///
///     a(t) += y(t−1) R,   y(t) = g(h(t) V + c)
///
/// where a is the cell's preactivation, x W + b before the cell adds to it, and h what the cell shows.
/// The layer shows y. So the next step depends on what was put out, not on the state alone (Jordan
/// 1986 beside Elman 1990).
struct OutputFeedback: Sendable {
  let output: Activation
  private let shown: OutputMapping
  /// R
  private let weight: Parameter
  private let input, hidden: Activation

  /// - Parameters:
  ///   - gates: how many blocks the preactivation has.
  ///   - hidden: h
  init(
    _ options: FeedbackOptions, into preactivation: Activation, gates: Int,
    from hidden: Activation, in plan: inout Plan
  ) {
    let spread = Distribution.uniform(1 / Double(options.width).squareRoot())
    input = preactivation
    self.hidden = hidden
    shown = OutputMapping(
      options, from: plan.width(hidden), isState: true,
      names: ("weight_feedback_hy", "bias_feedback", "feedback"), in: &plan)
    output = shown.output
    weight = plan.parameter(
      "weight_feedback_yh", from: options.width, to: plan.width(preactivation), gates: gates,
      pytorch: spread)
  }

  /// Before the cell's step.
  func read(_ t: Int, _ pass: Pass) {
    pass[input, t].addProduct(pass.read(output, t), pass[weight])
  }

  /// After the cell's step.
  func show(_ t: Int, _ pass: Pass) { shown.forward(pass[hidden, t], t, pass) }

  /// Before the cell's step back.
  func hide(_ t: Int, _ pass: Pass) {
    pass.d[hidden, t].addProduct(shown.backward(t, pass), pass[shown.weight].transposed)
  }

  /// After the cell's step back.
  func trace(_ t: Int, _ pass: Pass) {
    pass.d.read(output, t).addProduct(pass.d[input, t], pass[weight].transposed)
  }

  func accumulate(_ pass: Pass) {
    shown.accumulate(pass[hidden], pass)
    pass.d[weight].addProduct(pass.d[input].transposed, pass.read(output, lag: 1))
  }
}
