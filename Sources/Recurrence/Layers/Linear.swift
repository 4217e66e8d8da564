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

  public func forward(_ pass: Pass) { projection.forward(into: pass[output], pass) }

  public func backward(_ pass: Pass) { projection.backward(from: pass.d[output], pass) }
}
