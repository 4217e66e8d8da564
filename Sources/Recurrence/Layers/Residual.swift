internal import LinearAlgebra

/// A residual connection around a layer: `y = x + layer(x)`, with both of the same width (He 2015).
public struct Residual: Layer {
  public let output: Activation
  let inner: any Layer
  let input: Activation

  /// - Parameters:
  ///   - inner: A layer that reads `input` and has the same width.
  ///   - input: The activation that is added to the output of the layer.
  ///   - plan: The plan that the output is added to.
  public init(around inner: any Layer, reading input: Activation, in plan: inout Plan) {
    let width = plan.width(inner.output)
    precondition(
      width == plan.width(input), "a shortcut from width \(plan.width(input)) to \(width)")
    self.inner = inner
    self.input = input
    output = plan.activation(width)
  }

  public var probes: [Probe] { inner.probes }

  public func forward(_ pass: Pass) {
    inner.forward(pass)
    pass[output].copy(pass[inner.output])
    pass[output].add(pass[input])
  }

  public func backward(_ pass: Pass) {
    pass.d[inner.output].add(pass.d[output])
    inner.backward(pass)
    pass.d[input].add(pass.d[output])
  }
}
