internal import LinearAlgebra

/// The output y of a layer with `feedback: output`, which replaces that of its cell.
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
  /// h V + c, and its gradient in the backward pass.
  private let preactivation: Activation
  private let nonlinearity: Nonlinearity

  /// - Parameters:
  ///   - names: The names of V, c and y.
  ///   - isState: True if the next step reads y.
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

  /// Returns the gradient of h V + c at step t.
  func backward(_ t: Int, _ pass: Pass) -> Matrix {
    let dz = pass.d[preactivation, t]
    nonlinearity.differentiate(pass[output, t], pass.d[output, t], dz)
    return dz
  }

  /// - Parameter h: The outputs of all steps.
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
/// where a is the cell's preactivation, x W + b before the cell adds to it, and h the cell's output.
/// The layer's output is y, so the next step depends on the output and not on the state alone (Jordan
/// 1986 beside Elman 1990).
struct OutputFeedback: StepModifier {
  let output: Activation
  private let mapping: OutputMapping
  /// R
  private let weight: Parameter
  private let input, hidden: Activation

  /// - Parameter hidden: h
  init(
    _ options: FeedbackOptions, around cell: ModifiedCell, _ hidden: Activation,
    in plan: inout Plan
  ) {
    let spread = Distribution.uniform(1 / Double(options.width).squareRoot())
    input = cell.preactivation
    self.hidden = hidden
    mapping = OutputMapping(
      options, from: plan.width(hidden), isState: true,
      names: ("weight_feedback_hy", "bias_feedback", "feedback"), in: &plan)
    output = mapping.output
    weight = plan.parameter(
      "weight_feedback_yh", from: options.width, to: plan.width(input), gates: cell.gates,
      pytorch: spread)
  }

  /// a(t) += y(t−1) R
  func beforeStep(_ t: Int, _ pass: Pass) {
    pass[input, t].addProduct(pass.read(output, t), pass[weight])
  }

  /// y(t) = g(h(t) V + c)
  func afterStep(_ t: Int, _ pass: Pass) { mapping.forward(pass[hidden, t], t, pass) }

  /// ∂h(t) += ∂(h(t) V + c) Vᵀ
  func beforeBackward(_ t: Int, _ pass: Pass) {
    pass.d[hidden, t].addProduct(mapping.backward(t, pass), pass[mapping.weight].transposed)
  }

  /// ∂y(t−1) += ∂a(t) Rᵀ
  func afterBackward(_ t: Int, _ pass: Pass) {
    pass.d.read(output, t).addProduct(pass.d[input, t], pass[weight].transposed)
  }

  func accumulate(_ pass: Pass) {
    mapping.accumulate(pass[hidden], pass)
    pass.d[weight].addProduct(pass.d[input].transposed, pass.read(output, lag: 1))
  }
}
