import LinearAlgebra
import Recurrence

/// The independently recurrent network: each unit reads its own past alone.
///
///     h(t) = max(0, x(t) W + b + u ∘ h(t−1))
///
/// Numbers of u start in U(±1) (Li et al. 2018).
public struct IndependentRNN: RecurrentCell {
  public struct Options: CellOptions {
    public var hidden: Int

    public init(hidden: Int) { self.hidden = hidden }
  }

  public static let equations = "h = max(0, x W + b + u∘h₋)"
  public static let citation = "Li et al. 2018"
  public static let gates = 1

  public static func variants(hidden: Int) -> [Options] { [Options(hidden: hidden)] }

  public let preactivation, output: Activation
  let u: Parameter

  public init(_ options: Options, in plan: inout Plan) {
    let n = options.hidden
    preactivation = plan.activation(n, derivative: .overwrites)
    output = plan.state(n)
    u = plan.vector("weight_hh", count: n, pytorch: .uniform(1))
  }

  public func forward(_ t: Int, _ pass: Pass) {
    let (a, past, h, u) = (
      pass[preactivation, t], pass.before(output, t), pass[output, t], pass[u].row
    )
    for s in 0..<pass.streams { step(a[s], u, past[s], h[s]) }
  }

  public func backward(_ t: Int, _ pass: Pass) {
    let (h, past, u) = (pass[output, t], pass.before(output, t), pass[u].row)
    let (da, dh, dPast) = (pass.d[preactivation, t], pass.d[output, t], pass.d.before(output, t))
    let du = pass.d[self.u].row
    for s in 0..<pass.streams { differentiate(h[s], past[s], u, dh[s], da[s], dPast[s], du) }
  }

  /// Adds nothing: `backward` has added to ∂u, which needs no product.
  public func accumulate(_ pass: Pass) {}
}

/// h = max(0, a + u ∘ h₋)
@inline(never) private func step(_ a: Row, _ u: Row, _ past: Row, _ h: Row) {
  for j in 0..<h.count { h[j] = max(0, a[j] + u[j] * past[j]) }
}

/// ∂a = ∂h where h > 0, ∂h₋ += ∂a ∘ u, ∂u += ∂a ∘ h₋
@inline(never) private func differentiate(
  _ h: Row, _ past: Row, _ u: Row, _ dh: Row, _ da: Row, _ dPast: Row, _ du: Row
) {
  for j in 0..<h.count {
    let g = h[j] > 0 ? dh[j] : 0
    da[j] = g
    dPast[j] += g * u[j]
    du[j] += g * past[j]
  }
}
