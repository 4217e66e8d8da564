internal import LinearAlgebra

/// A map from a vector per stream to the initial state of a layer: `s = z W`, or `tanh(z W)` for a
/// state between −1 and 1.
struct Bridge: Layer {
  /// The initial states, on the axis of streams.
  let output: Activation
  private let input: Activation
  private let weight: Parameter
  private let isBounded: Bool

  /// - Parameter name: The name of W.
  init(
    from input: Activation, to width: Int, named name: String, isBounded: Bool,
    in plan: inout Plan
  ) {
    self.input = input
    self.isBounded = isBounded
    let read = plan.width(input)
    weight = plan.parameter(
      name, from: read, to: width, pytorch: .uniform(1 / Double(read).squareRoot()))
    output = plan.activation(width, on: .stream)
  }

  func forward(_ pass: Pass) {
    let s = pass[output]
    s.setProduct(pass[input], pass[weight])
    if isBounded { bound(s) }
  }

  func backward(_ pass: Pass) {
    let (s, ds) = (pass[output], pass.d[output])
    // All readers of the state are done: its gradient becomes that of z W.
    if isBounded { unbound(s, ds) }
    pass.d[weight].addProduct(ds.transposed, pass[input])
    pass.d[input].addProduct(ds, pass[weight].transposed)
  }
}

/// y = tanh(y)
func bound(_ y: Matrix) {
  for i in 0..<y.rows { bound(y[i]) }
}
/// Replaces ∂y with ∂y ∘ (1 − y²)
func unbound(_ y: Matrix, _ dy: Matrix) {
  for i in 0..<y.rows { unbound(y[i], dy[i]) }
}
@inline(never) private func bound(_ y: Row) {
  for j in 0..<y.count { y[j] = tanh(y[j]) }
}
@inline(never) private func unbound(_ y: Row, _ dy: Row) {
  for j in 0..<y.count { dy[j] *= 1 - y[j] * y[j] }
}
