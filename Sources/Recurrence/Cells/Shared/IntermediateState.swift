internal import LinearAlgebra

/// The intermediate state m of a multiplicative cell, which its gates read in place of h(t−1): `m =
/// (x W) ∘ (h(t−1) U)`, `a += m V` (Sutskever, Martens & Hinton 2011).
struct IntermediateState: Sendable {
  /// U and V
  let fromState, toGates: Parameter
  /// h(t−1) U; in the backward pass its gradient replaces it.
  let factor: Activation
  /// m
  let product: Activation
  /// The gradient of m, kept for one step only.
  let dProduct: Activation

  /// - Parameters:
  /// - gates: The number of blocks of n columns in the gates.
  /// - names: The names of the parameters U and V.
  init(_ n: Int, gates: Int, names: (fromState: String, toGates: String), in plan: inout Plan) {
    let spread = Distribution.uniform(1 / Double(n).squareRoot())
    fromState = plan.parameter(names.fromState, from: n, to: n, pytorch: spread)
    toGates = plan.parameter(
      names.toGates, from: n, to: gates * n, gates: gates, pytorch: spread)
    factor = plan.activation(n, derivative: .overwrites)
    product = plan.activation(n, derivative: .none)
    dProduct = plan.stepTemporary(n)
  }

  /// Computes m and adds m V to `a`; `x` is x W.
  func forward(_ x: Matrix, _ past: Matrix, into a: Matrix, _ t: Int, _ pass: Pass) {
    let (v, m) = (pass[factor, t], pass[product, t])
    v.setProduct(past, pass[fromState])
    for s in 0..<pass.streams { multiply(x[s], v[s], m[s]) }
    a.addProduct(m, pass[toGates])
  }

  /// Computes gradients from `da`, the gradient of `a`: replaces x W with its gradient and adds to
  /// `dPast`.
  func backward(_ x: Matrix, _ da: Matrix, _ dPast: Matrix, _ t: Int, _ pass: Pass) {
    let (v, dm) = (pass[factor, t], pass[dProduct, t])
    dm.setProduct(da, pass[toGates].transposed)
    for s in 0..<pass.streams { differentiate(dm[s], x[s], v[s]) }
    dPast.addProduct(v, pass[fromState].transposed)
  }

  /// Accumulates the gradients of U and V over all steps, from the gradient of `a` and the past
  /// states.
  func accumulate(_ da: Matrix, _ past: Matrix, _ pass: Pass) {
    pass.d[fromState].addProduct(pass.d[factor].transposed, past)
    pass.d[toGates].addProduct(da.transposed, pass[product])
  }
}

/// m = x ∘ v
@inline(never) private func multiply(_ x: Row, _ v: Row, _ m: Row) {
  for j in 0..<m.count { m[j] = x[j] * v[j] }
}
/// x becomes ∂m ∘ v, and v becomes ∂m ∘ x
@inline(never) private func differentiate(_ dm: Row, _ x: Row, _ v: Row) {
  for j in 0..<dm.count {
    let (left, right) = (x[j], v[j])
    x[j] = dm[j] * right
    v[j] = dm[j] * left
  }
}
