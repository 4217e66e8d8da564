internal import LinearAlgebra

/// Activations side by side: `y = [a, b, …]`. A product with y is the sum of products with each, as
/// in a shortcut from the input to the output layer.
public struct Concatenation: Layer {
  public let output: Activation
  private let inputs: [Activation]
  private let places: [Range<Int>]

  public init(of inputs: [Activation], in plan: inout Plan) {
    self.inputs = inputs
    var places: [Range<Int>] = []
    for input in inputs {
      let start = places.last?.upperBound ?? 0
      places.append(start..<start + plan.width(input))
    }
    self.places = places
    output = plan.activation(places.last?.upperBound ?? 0)
  }

  public func forward(_ pass: Pass) {
    for (input, place) in zip(inputs, places) {
      pass[output].slice(columns: place).copy(pass[input])
    }
  }

  public func backward(_ pass: Pass) {
    for (input, place) in zip(inputs, places) {
      pass.d[input].add(pass.d[output].slice(columns: place))
    }
  }
}
