internal import LinearAlgebra

/// An activation times a function of another: `y = f(g) ∘ v`.
///
/// g and v are the two halves of one activation, as in the gated linear units of an MLP (Shazeer 2020), or
/// g is an activation beside the output v of a cell. This layer alone reads g, and overwrites it.
struct GatedProduct: Layer {
  let output: Activation
  private let gate: Activation
  /// v; nil for the second half of `gate`.
  private let values: Activation?
  private let function: PointwiseFunction

  /// - Parameters:
  ///   - gate: An activation whose gradient overwrites it.
  ///   - values: An activation as wide as `gate`; nil if `gate` is [g, v].
  init(
    _ function: PointwiseFunction, of gate: Activation, times values: Activation?,
    in plan: inout Plan
  ) {
    self.function = function
    self.gate = gate
    self.values = values
    output = plan.activation(values.map { plan.width($0) } ?? plan.width(gate) / 2)
  }

  func forward(_ pass: Pass) {
    let g = pass[gate]
    if let values {
      function.gate(g, pass[values], into: pass[output])
    } else {
      function.gate(g.part(0, of: 2), g.part(1, of: 2), into: pass[output])
    }
    pass.mark(.pointwise)
  }

  func backward(_ pass: Pass) {
    let (g, dy) = (pass[gate], pass.d[output])
    if let values {
      function.differentiateGate(dy, g, pass[values], pass.d[values])
    } else {
      function.differentiateGate(dy, g.part(0, of: 2), overwriting: g.part(1, of: 2))
    }
    pass.mark(.pointwise)
  }
}

/// A function of each number: `y = f(x)`. This layer alone reads x, and overwrites it.
struct Pointwise: Layer {
  let output: Activation
  private let input: Activation
  private let function: PointwiseFunction

  /// - Parameter input: An activation whose gradient overwrites it.
  init(_ function: PointwiseFunction, of input: Activation, in plan: inout Plan) {
    self.function = function
    self.input = input
    output = plan.activation(plan.width(input))
  }

  func forward(_ pass: Pass) {
    function.apply(pass[input], to: pass[output])
    pass.mark(.pointwise)
  }

  func backward(_ pass: Pass) {
    function.differentiate(pass.d[output], pass[input])
    pass.mark(.pointwise)
  }
}

/// The sum of two activations, as at the end of a residual branch: `y = x + f` (He 2015).
struct ResidualSum: Layer {
  let output: Activation
  private let input, branch: Activation

  init(of input: Activation, and branch: Activation, in plan: inout Plan) {
    let width = plan.width(input)
    precondition(
      width == plan.width(branch), "a branch of width \(plan.width(branch)) beside \(width)")
    self.input = input
    self.branch = branch
    output = plan.activation(width)
  }

  func forward(_ pass: Pass) {
    sum(pass[input].flattened, pass[branch].flattened, pass[output].flattened)
    pass.mark(.pointwise)
  }

  func backward(_ pass: Pass) {
    addToBoth(pass.d[output].flattened, pass.d[input].flattened, pass.d[branch].flattened)
    pass.mark(.pointwise)
  }
}

/// y = x + f
@inline(never) private func sum(_ x: Row, _ f: Row, _ y: Row) {
  for j in 0..<y.count { y[j] = x[j] + f[j] }
}
/// ∂x += ∂y, ∂f += ∂y
@inline(never) private func addToBoth(_ dy: Row, _ dx: Row, _ df: Row) {
  for j in 0..<dy.count {
    dx[j] += dy[j]
    df[j] += dy[j]
  }
}
