internal import LinearAlgebra

/// An affine map of every step by itself: `y(t) = x(t) W + b`.
public struct Linear: Layer {
  public let output: Activation
  let input: Activation
  let weight: Parameter
  let bias: Parameter

  public init(_ width: Int, reading input: Activation, in plan: inout Plan) {
    self.input = input
    let spread = Distribution.uniform(1 / Double(max(plan.width(input), 1)).squareRoot())
    weight = plan.parameter("weight", from: plan.width(input), to: width, pytorch: spread)
    bias = plan.vector("bias", count: width, pytorch: spread)
    output = plan.activation(width)
  }

  public func forward(_ pass: Pass) {
    let y = pass[output]
    y.fillEveryRow(pass[bias].row)
    y.addProduct(pass[input], pass[weight])
  }

  public func backward(_ pass: Pass) {
    let dy = pass.d[output]
    pass.d[weight].addProduct(dy.transposed, pass[input])
    pass.d[bias].addColumnSums(dy)
    pass.d[input].addProduct(dy, pass[weight].transposed)
  }
}
