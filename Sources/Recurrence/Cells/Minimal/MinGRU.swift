internal import LinearAlgebra

/// The minimal gated recurrent unit, whose gate and candidate read the input only (Feng 2024):
///
///     z = σ(x W + b)      h̃ = x W + b, or g(x W + b)
///     h(t) = (1 − z) ∘ h(t−1) + z ∘ h̃
///
/// Gate and candidate lie in the order z, h̃. The loop over time has no matrix products: all of
/// them are computed for whole windows.
///
/// - `candidate`: `linear`, or `positive`: g(v) = v + ½ where v ≥ 0, and σ(v) elsewhere.
public struct MinGRU: RecurrentCell, WindowMixer {
  public typealias Options = MinimalOptions

  public static let equations = """
    z = σ(x W + b); h̃ = x W + b; h = (1−z)∘h₋ + z∘h̃; \
    candidate: positive: h̃ = g(x W + b), g(v) = v+½ if v ≥ 0 else σ(v)
    """
  public static let citation = "Feng 2024"
  public static let gates = 2

  public static func variants(hidden: Int) -> [Options] {
    MinimalCandidate.allCases.map { Options(hidden: hidden, candidate: $0) }
  }

  public let preactivation, output: Activation
  let kind: MinimalCandidate

  public init(_ options: Options, in plan: inout Plan) {
    preactivation = plan.activation(2 * options.hidden, derivative: .overwrites)
    output = plan.state(options.hidden)
    kind = options.candidate
  }

  public var gateBlocks: [GateBlock] { [GateBlock("z", preactivation, 0, of: 2)] }

  public func forward(_ t: Int, _ pass: Pass) { forward(t..<t + 1, pass) }
  public func backward(_ t: Int, _ pass: Pass) { backward(t..<t + 1, pass) }

  public func forward(_ run: Range<Int>, _ pass: Pass) {
    for t in run {
      let past = t == run.lowerBound ? pass.before(output, t) : pass[output, t - 1]
      let (a, h) = (pass[preactivation, t], pass[output, t])
      for s in 0..<pass.streams {
        let (z, candidate) = (a[s].part(0, of: 2), a[s].part(1, of: 2))
        kind.respond(candidate)
        mix(z, candidate, past[s], h[s])
      }
    }
  }

  public func backward(_ run: Range<Int>, _ pass: Pass) {
    for t in run.reversed() {
      let isFirst = t == run.lowerBound
      let past = isFirst ? pass.before(output, t) : pass[output, t - 1]
      let dPast = isFirst ? pass.d.before(output, t) : pass.d[output, t - 1]
      let (a, dh) = (pass[preactivation, t], pass.d[output, t])
      for s in 0..<pass.streams {
        let (z, candidate) = (a[s].part(0, of: 2), a[s].part(1, of: 2))
        switch kind {
        case .linear: differentiateLinear(dh[s], past[s], z, candidate, dPast[s])
        case .positive: differentiatePositive(dh[s], past[s], z, candidate, dPast[s])
        }
      }
    }
  }

  /// Does nothing: there are no recurrent weights.
  public func accumulate(_ pass: Pass) {}
}

/// z = σ(z), h = (1 − z) ∘ h₋ + z ∘ h̃
@inline(never) private func mix(_ z: Row, _ candidate: Row, _ past: Row, _ h: Row) {
  for j in 0..<h.count {
    let open = sigmoid(z[j])
    z[j] = open
    h[j] = (1 - open) * past[j] + open * candidate[j]
  }
}
/// ∂h₋ += ∂h ∘ (1 − z), z becomes ∂h ∘ (h̃ − h₋) ∘ z ∘ (1 − z), and h̃ becomes ∂h ∘ z
@inline(never) private func differentiateLinear(
  _ dh: Row, _ past: Row, _ z: Row, _ candidate: Row, _ dPast: Row
) {
  for j in 0..<dh.count {
    let (open, value) = (z[j], candidate[j])
    dPast[j] += dh[j] * (1 - open)
    z[j] = dh[j] * (value - past[j]) * (open * (1 - open))
    candidate[j] = dh[j] * open
  }
}
/// The same with h̃ = g(v), which becomes ∂h ∘ z ∘ g′(v)
@inline(never) private func differentiatePositive(
  _ dh: Row, _ past: Row, _ z: Row, _ candidate: Row, _ dPast: Row
) {
  for j in 0..<dh.count {
    let (open, value) = (z[j], candidate[j])
    dPast[j] += dh[j] * (1 - open)
    z[j] = dh[j] * (value - past[j]) * (open * (1 - open))
    candidate[j] = dh[j] * open * MinimalCandidate.positiveSlope(value)
  }
}
