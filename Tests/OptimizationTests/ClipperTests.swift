import LinearAlgebra
import Optimization
import Recurrence
import Testing

@Suite struct `Clipping` {
  let reference: Reference
  let weights: ParameterVector

  init() throws {
    reference = try Reference.load()
    weights = ParameterVector(reference.start)
  }

  private func gradient(times factor: Float = 1) -> ParameterVector {
    ParameterVector(reference.gradients[2], frozen: 100, times: factor)
  }

  private func norm(_ numbers: some Sequence<Float>) -> Double {
    numbers.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
  }

  @Test func `the global norm and what it leaves are PyTorch's, and only the scale changes`() {
    let raw = gradient(times: 8)
    // Neither frozen numbers nor what lies between parameters may count.
    let layout = raw.layout
    for j in 0..<layout.count where !layout.entries.contains(where: { $0.range.contains(j) }) {
      raw.buffer.start[j] = 50
    }
    let before = raw.bits
    let wanted = reference.clipping
    let clipper = Clipper(ClipOptions(norm: wanted.limit))
    let clipped = clipper.clip(raw, weights: weights, scale: 1 / 8)
    #expect(abs(clipped.norm / wanted.norm - 1) < 1e-6)
    #expect(raw.bits == before)
    for (name, expected) in wanted.clipped {
      for (found, expected) in zip(raw.values(name), expected) {
        #expect(abs(found * Float(clipped.scale) - expected) < 1e-6)
      }
    }
  }

  @Test
  func `a norm below its limit changes nothing, and without limits the norm is still measured`() {
    let raw = gradient()
    let before = raw.bits
    let found = Clipper(ClipOptions()).clip(raw, weights: weights, scale: 0.5)
    #expect(abs(found.norm / (reference.clipping.norm / 2) - 1) < 1e-6)
    #expect(found.scale == 0.5)
    let limits = ClipOptions(
      value: 1e3, adaptive: 1e6, perParameter: 1e3, norm: reference.clipping.norm)
    #expect(Clipper(limits).clip(raw, weights: weights, scale: 0.5) == found)
    #expect(raw.bits == before)
  }

  @Test func `a tied matrix is one parameter and counts once`() {
    // A model that uses one parameter twice has it once in its layout.
    var plan = Plan()
    plan.scope.prefix = "encoder."
    let matrix = plan.parameter("weight", from: 3, to: 5, pytorch: .zero)
    let layout = ParameterLayout(plan)
    let weights = ParameterVector(layout), gradient = ParameterVector(layout)
    gradient[matrix].fill(2)
    let found = Clipper(ClipOptions(norm: 1)).clip(gradient, weights: weights, scale: 1)
    #expect(abs(found.norm - (15.0 * 4).squareRoot()) < 1e-12)
  }

  @Test
  func `clipping by value bounds each scaled number and leaves frozen ones and padding alone`() {
    let raw = gradient(times: 4), before = gradient(times: 4)
    let clipped = Clipper(ClipOptions(value: 0.5)).clip(raw, weights: weights, scale: 0.25)
    #expect(clipped.scale == 0.25)
    #expect(abs(clipped.norm / reference.clipping.norm - 1) < 1e-6)
    for name in ["weight", "bias", "slow"] {
      #expect(raw.values(name) == before.values(name).map { min(max($0, -2), 2) })
      #expect(raw.values(name) != before.values(name))
    }
    #expect(raw.values("frozen") == before.values("frozen"))
    #expect(raw.padding.allSatisfy { $0 == 0 })
  }

  @Test func `clipping per parameter bounds each norm and keeps each direction`() {
    let raw = gradient(times: 3), before = gradient(times: 3)
    let clipped = Clipper(ClipOptions(perParameter: 8.5)).clip(raw, weights: weights, scale: 1 / 3)
    #expect(clipped.scale == 1.0 / 3)
    var changed = 0
    for name in ["weight", "bias", "slow"] {
      let was = norm(before.values(name)) / 3, now = norm(raw.values(name)) / 3
      #expect(abs(now - min(was, 8.5)) < 1e-5)
      for (x, y) in zip(raw.values(name), before.values(name)) {
        #expect(abs(Double(x) * was - Double(y) * now) < 1e-4)
      }
      if now < was { changed += 1 } else { #expect(raw.values(name) == before.values(name)) }
    }
    #expect(changed > 0 && changed < 3)
    #expect(raw.values("frozen") == before.values("frozen"))
  }

  @Test func `adaptive clipping bounds each row by its weights' norm, the output layer excepted`() {
    var plan = Plan()
    let hidden = plan.parameter("rnn.weight", from: 5, to: 4, pytorch: .zero)
    let bias = plan.vector("rnn.bias", count: 6, pytorch: .zero)
    let decoder = plan.parameter("decoder.weight", from: 4, to: 3, pytorch: .zero)
    let tied = plan.parameter("encoder.weight", from: 4, to: 3, pytorch: .zero)
    let layout = ParameterLayout(plan)
    let weights = ParameterVector(layout), gradient = ParameterVector(layout)
    for p in [hidden, bias, decoder, tied] { gradient[p].fill(10) }
    weights[bias].fill(2)
    for j in 0..<5 {
      weights[hidden][1, j] = 3
      weights[hidden][2, j] = 1
      gradient[hidden][2, j] = 0.01
    }
    let clipper = Clipper(ClipOptions(adaptive: 0.1), output: [tied])
    let clipped = clipper.clip(gradient, weights: weights, scale: 0.5)
    #expect(clipped.scale == 0.5)
    func rowNorm(_ p: Parameter, _ i: Int) -> Double { 0.5 * norm(gradient[p][i].elements) }
    // A row of zero weights counts as one of norm 10⁻³; the third row was small already.
    #expect(abs(rowNorm(hidden, 0) - 1e-4) < 1e-10)
    #expect(abs(rowNorm(hidden, 1) - 0.1 * 45.0.squareRoot()) < 1e-6)
    #expect(gradient[hidden][2, 4] == 0.01)
    #expect(abs(rowNorm(bias, 0) - 0.1 * 24.0.squareRoot()) < 1e-6)
    #expect(gradient[decoder][2, 3] == 10 && gradient[tied][2, 3] == 10)
  }

  @Test func `several limits act from the number to the row, the parameter and the whole`() {
    let raw = gradient(times: 2), scale = 0.5
    let options = ClipOptions(value: 0.9, adaptive: 0.3, perParameter: 0.7, norm: 0.8)
    let clipped = Clipper(options).clip(raw, weights: weights, scale: scale)
    // The same, one limit at a time.
    let steps = gradient(times: 2)
    for one in [
      ClipOptions(value: 0.9), ClipOptions(adaptive: 0.3), ClipOptions(perParameter: 0.7),
    ] {
      let before = steps.bits
      _ = Clipper(one).clip(steps, weights: weights, scale: scale)
      #expect(steps.bits != before)
    }
    let last = Clipper(ClipOptions(norm: 0.8)).clip(steps, weights: weights, scale: scale)
    #expect(raw.bits == steps.bits)
    #expect(clipped.scale == last.scale && clipped.scale < scale)
    #expect(abs(clipped.norm / reference.clipping.norm - 1) < 1e-6)
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func `a norm that is not finite is returned as it is and nothing is clipped`(number: Float) {
    let options = ClipOptions(value: 0.5, adaptive: 0.1, perParameter: 1, norm: 1)
    let raw = gradient()
    raw.elements(of: raw.layout.entry(named: "bias")!)[16] = number
    let before = raw.bits
    let clipped = Clipper(options).clip(raw, weights: weights, scale: 0.25)
    #expect(!clipped.norm.isFinite && clipped.scale == 0.25)
    #expect(raw.bits == before)
  }

  @Test func `the same gradient is clipped to the same bits wherever it lies in memory`() {
    let options = ClipOptions(value: 0.9, adaptive: 0.3, perParameter: 0.7, norm: 0.8)
    let there = gradient()
    let block = Buffer<Real>(count: there.layout.count + 3)
    let here = ParameterVector(
      there.layout,
      buffer: Buffer(adopting: block.start + 3, count: there.layout.count) { _ = block })
    here.buffer.copy(from: there.buffer)
    let clipped = Clipper(options).clip(there, weights: weights, scale: 0.3)
    #expect(Clipper(options).clip(here, weights: weights, scale: 0.3) == clipped)
    #expect(here.bits == there.bits)
  }

  @Test func `a frozen parameter's numbers count for nothing, not even when they are not finite`() {
    let raw = ParameterVector(reference.gradients[2], frozen: .nan)
    let clipped = Clipper(ClipOptions(norm: 5)).clip(raw, weights: weights, scale: 1)
    #expect(abs(clipped.norm / reference.clipping.norm - 1) < 1e-6)
  }

  @Test func `gradients too large to be squared in single precision have a finite norm`() {
    let raw = ParameterVector(Reference.layout)
    for x in raw.elements(of: raw.layout.entry(named: "slow")!).indices {
      raw.elements(of: raw.layout.entry(named: "slow")!)[x] = 1e30
    }
    let clipped = Clipper(ClipOptions(norm: 5)).clip(raw, weights: weights, scale: 1)
    #expect(abs(clipped.norm / (1e30 * 10.0.squareRoot()) - 1) < 1e-6)
  }
}
