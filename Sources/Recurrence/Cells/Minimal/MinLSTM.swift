internal import LinearAlgebra

/// The minimal long short-term memory, whose gates and candidate read the input only (Feng 2024):
///
///     i, f = σ(x W + b)      h̃ = x W + b, or g(x W + b)
///     h(t) = f/(f + i) ∘ h(t−1) + i/(f + i) ∘ h̃
///
/// Gates and candidate lie in the order i, f, h̃. The loop over time has no matrix products: all of
/// them are computed for whole windows.
///
/// - `candidate`: `linear`, or `positive`: g(v) = v + ½ where v ≥ 0, and σ(v) elsewhere.
public struct MinLSTM: RecurrentCell, WindowMixer {
  public typealias Options = MinimalOptions

  public static let equations = """
    i,f = σ(x W + b); h̃ = x W + b; h = f/(f+i)∘h₋ + i/(f+i)∘h̃; \
    candidate: positive: h̃ = g(x W + b), g(v) = v+½ if v ≥ 0 else σ(v)
    """
  public static let citation = "Feng 2024"
  public static let gates = 3

  public static func variants(hidden: Int) -> [Options] {
    MinimalCandidate.allCases.map { Options(hidden: hidden, candidate: $0) }
  }

  public let preactivation, output: Activation
  let kind: MinimalCandidate

  public init(_ options: Options, in plan: inout Plan) {
    preactivation = plan.activation(3 * options.hidden, derivative: .overwrites)
    output = plan.state(options.hidden)
    kind = options.candidate
  }

  public var gateBlocks: [GateBlock] {
    [GateBlock("i", preactivation, 0, of: 3), GateBlock("f", preactivation, 1, of: 3)]
  }

  public func forward(_ t: Int, _ pass: Pass) { forward(t..<t + 1, pass) }
  public func backward(_ t: Int, _ pass: Pass) { backward(t..<t + 1, pass) }

  public func forward(_ run: Range<Int>, _ pass: Pass) {
    for t in run {
      let past = t == run.lowerBound ? pass.before(output, t) : pass[output, t - 1]
      let (a, h) = (pass[preactivation, t], pass[output, t])
      for s in 0..<pass.streams {
        let (i, f, candidate) = parts(a[s])
        kind.respond(candidate)
        mix(i, f, candidate, past[s], h[s])
      }
    }
  }

  public func backward(_ run: Range<Int>, _ pass: Pass) {
    for t in run.reversed() {
      let isFirst = t == run.lowerBound
      let past = isFirst ? pass.before(output, t) : pass[output, t - 1]
      let dPast = isFirst ? pass.d.before(output, t) : pass.d[output, t - 1]
      let (a, h, dh) = (pass[preactivation, t], pass[output, t], pass.d[output, t])
      for s in 0..<pass.streams {
        let (i, f, candidate) = parts(a[s])
        switch kind {
        case .linear: differentiateLinear(dh[s], past[s], h[s], i, f, candidate, dPast[s])
        case .positive: differentiatePositive(dh[s], past[s], h[s], i, f, candidate, dPast[s])
        }
      }
    }
  }

  /// Does nothing: there are no recurrent weights.
  public func accumulate(_ pass: Pass) {}
}

@inline(__always) private func parts(_ a: Row) -> (i: Row, f: Row, candidate: Row) {
  (a.part(0, of: 3), a.part(1, of: 3), a.part(2, of: 3))
}
/// Returns f + i, but never zero: if both gates underflow to 0, h becomes 0 instead of 0/0.
@inline(__always) private func sum(_ f: Real, _ i: Real) -> Real {
  f + i + Real.leastNormalMagnitude
}
/// i, f = σ(i, f), h = f/(f + i) ∘ h₋ + i/(f + i) ∘ h̃
@inline(never) private func mix(_ i: Row, _ f: Row, _ candidate: Row, _ past: Row, _ h: Row) {
  for j in 0..<h.count {
    let (input, forget) = (sigmoid(i[j]), sigmoid(f[j]))
    i[j] = input
    f[j] = forget
    h[j] = (forget * past[j] + input * candidate[j]) / sum(forget, input)
  }
}
/// With q = ∂h/(f + i): ∂h₋ += q ∘ f, and the parts become ∂i = q ∘ (h̃ − h) ∘ i ∘ (1 − i),
/// ∂f = q ∘ (h₋ − h) ∘ f ∘ (1 − f) and q ∘ i ∘ g′(v)
@inline(__always) private func differentiate(
  _ dh: Row, _ past: Row, _ h: Row, _ i: Row, _ f: Row, _ candidate: Row, _ dPast: Row,
  slope: (Real) -> Real
) {
  for j in 0..<dh.count {
    let (input, forget, value) = (i[j], f[j], candidate[j])
    let q = dh[j] / sum(forget, input)
    dPast[j] += q * forget
    i[j] = q * (value - h[j]) * (input * (1 - input))
    f[j] = q * (past[j] - h[j]) * (forget * (1 - forget))
    candidate[j] = q * input * slope(value)
  }
}
@inline(never) private func differentiateLinear(
  _ dh: Row, _ past: Row, _ h: Row, _ i: Row, _ f: Row, _ candidate: Row, _ dPast: Row
) {
  differentiate(dh, past, h, i, f, candidate, dPast) { _ in 1 }
}
@inline(never) private func differentiatePositive(
  _ dh: Row, _ past: Row, _ h: Row, _ i: Row, _ f: Row, _ candidate: Row, _ dPast: Row
) {
  differentiate(dh, past, h, i, f, candidate, dPast, slope: MinimalCandidate.positiveSlope)
}
