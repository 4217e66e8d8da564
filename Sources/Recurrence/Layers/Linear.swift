internal import LinearAlgebra

/// An affine map of each step: `y(t) = x(t) W + b`.
public struct Linear: Layer {
  public let output: Activation
  private let projection: InputProjection

  public init(_ width: Int, reading input: LayerInput, in plan: inout Plan) {
    let spread = Distribution.uniform(1 / Double(max(plan.width(input), 1)).squareRoot())
    projection = InputProjection(
      width, reading: input, names: ("weight", "bias"), pytorch: spread, in: &plan)
    output = plan.activation(width)
  }

  public init(_ width: Int, reading input: Activation, in plan: inout Plan) {
    self.init(width, reading: .activation(input), in: &plan)
  }

  /// A map named by the plan's scope alone, inside a block.
  /// - Parameters:
  ///   - variance: The variance of the first weights times the numbers that a row reads; nil for the
  ///     layer's initializer.
  ///   - bound: The largest first weight times the root of those numbers, all being uniform; nil for the
  ///     layer's initializer.
  ///   - derivative: `overwrites` if a single layer reads y and turns it into its gradient.
  init(
    _ width: Int, reading input: Activation, bias: Bool, variance: Double? = nil,
    bound: Double? = nil, derivative: GradientStorage = .added, in plan: inout Plan
  ) {
    let read = Double(max(plan.width(input), 1))
    var spread = Distribution.uniform(1 / read.squareRoot())
    let initializer = plan.scope.initializer
    if let variance {
      plan.scope.initializer = .pytorch
      spread = .normal((variance / read).squareRoot())
    } else if let bound {
      plan.scope.initializer = .pytorch
      spread = .uniform(bound / read.squareRoot())
    }
    // The bias is then zero at first.
    let isFixed = variance != nil || bound != nil
    projection = InputProjection(
      width, reading: .activation(input), names: ("weight", "bias"), biasedGates: bias ? 1 : 0,
      pytorch: spread, parts: isFixed ? [.init(0, of: 1, 0)] : [], in: &plan)
    plan.scope.initializer = initializer
    output = plan.activation(width, derivative: derivative)
  }

  public func forward(_ pass: Pass) { projection.forward(into: pass[output], pass) }

  public func backward(_ pass: Pass) { projection.backward(from: pass.d[output], pass) }
}
