internal import LinearAlgebra

/// A learnt mixture of each input with the one before it, channel by channel:
///
///     y(t) = x(t) + μ ∘ (x(t−1) − x(t))
///
/// μ starts at ½, or at 1 − (j/n)ᵉ for channel j of n (Peng 2023, 2025). The last input is carried from window to window; where a stream starts
/// anew, it is zero.
struct TokenShift: Layer {
  let output: Activation
  private let input: Activation
  /// μ
  private let mix: Parameter
  /// x with the step before the window.
  private let line: Activation
  private let states: CarriedStates

  /// - Parameter exponent: e; nil for ½.
  init(reading input: Activation, exponent: Double? = nil, in plan: inout Plan) {
    let width = plan.width(input)
    self.input = input
    let first =
      exponent.map { InitialValue.Values.given(tokenShiftMix(width, exponent: $0)) }
      ?? .constant(0.5)
    mix = plan.vector("mix", count: width, pytorch: .zero, parts: [.init(0, of: 1, first)])
    line = plan.state(width, named: "x")
    states = CarriedStates(
      [line], .zero, output: line, initialStates: { _, _, _, _ in nil }, in: &plan)
    output = plan.activation(width)
  }

  func forward(_ pass: Pass) {
    states.beginWindow(pass)
    pass[line].copy(pass[input])
    let mix = pass[mix].row
    for t in 0..<pass.steps {
      states.beforeStep(t, pass)
      let (x, past, y) = (pass[line, t], pass.before(line, t), pass[output, t])
      for s in 0..<pass.streams { interpolate(mix, x[s], past[s], y[s]) }
    }
    pass.mark(.pointwise)
  }

  func backward(_ pass: Pass) {
    let (mix, dMix) = (pass[mix].row, pass.d[mix].row)
    for t in (0..<pass.steps).reversed() {
      states.beforeBackward(t, pass)
      let (x, past, dy) = (pass[line, t], pass.before(line, t), pass.d[output, t])
      let (dx, dPast) = (pass.d[line, t], pass.d.before(line, t))
      for s in 0..<pass.streams {
        differentiateMixture(dy[s], mix, x[s], past[s], dMix, dx[s], dPast[s])
      }
      states.afterBackward(t, pass)
    }
    states.endWindow(pass)
    pass.d[input].add(pass.d[line])
    pass.mark(.pointwise)
  }
}

/// Returns 1 − (j/n)ᵉ for every channel j of n.
func tokenShiftMix(_ channels: Int, exponent: Double) -> [Double] {
  (0..<channels).map { j in
    1 - (j > 0 ? power(Double(j) / Double(channels), exponent) : exponent > 0 ? 0 : 1)
  }
}

/// y = x + μ ∘ (x₋ − x)
@inline(never) func interpolate(_ mix: Row, _ x: Row, _ past: Row, _ y: Row) {
  for j in 0..<y.count { y[j] = x[j] + mix[j] * (past[j] - x[j]) }
}
/// ∂μ += ∂y ∘ (x₋ − x), ∂x += ∂y ∘ (1 − μ), ∂x₋ += ∂y ∘ μ
@inline(never) func differentiateMixture(
  _ dy: Row, _ mix: Row, _ x: Row, _ past: Row, _ dMix: Row, _ dx: Row, _ dPast: Row
) {
  for j in 0..<dy.count {
    dMix[j] += dy[j] * (past[j] - x[j])
    dx[j] += dy[j] * (1 - mix[j])
    dPast[j] += dy[j] * mix[j]
  }
}
