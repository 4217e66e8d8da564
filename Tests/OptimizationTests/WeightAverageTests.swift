import Optimization
import Recurrence
import Testing

@Suite struct `Averages of weights` {
  let reference: Reference

  init() throws { reference = try Reference.load() }

  private func options(decay: Double, warmup: Int) -> WeightAverage.Options {
    var options = WeightAverage.Options()
    options.decay = decay
    options.warmup = warmup
    return options
  }

  private func add(_ x: Float, to weights: ParameterVector) {
    weights.update { weights in
      for entry in weights.layout.entries where !entry.isFrozen {
        for j in 0..<entry.count { weights.elements(of: entry)[j] += x }
      }
    }
  }

  @Test func `the average starts as the weights and follows its formula`() {
    for warmup in [0, 1, 4] {
      let weights = ParameterVector(reference.start)
      let average = WeightAverage(options(decay: 0.7, warmup: warmup), of: weights)
      #expect(average.vector.bits == weights.bits)
      let start = weights.values("bias").map(Double.init)
      var expected = start
      for t in 0..<9 {
        add(0.5, to: weights)
        let version = average.vector.version
        average.update(from: weights)
        #expect(average.vector.version > version)
        let d = warmup < 2 ? 0.7 : min(0.7, Double(1 + t) / Double(warmup + t))
        for j in 0..<expected.count {
          let w = start[j] + 0.5 * Double(t + 1)
          expected[j] = d * expected[j] + (1 - d) * w
        }
      }
      #expect(average.updates == 9)
      for (found, expected) in zip(average.vector.values("bias"), expected) {
        #expect(abs(Double(found) - expected) < 3e-6)
      }
      #expect(average.vector.values("frozen") == weights.values("frozen"))
      #expect(average.vector.padding.allSatisfy { $0 == 0 })
    }
  }

  @Test func `an average goes on to the same bits from its vector and its number of updates`() {
    let weights = ParameterVector(reference.start)
    let first = WeightAverage(options(decay: 0.999, warmup: 10), of: weights)
    for _ in 0..<3 {
      add(0.25, to: weights)
      first.update(from: weights)
    }
    let second = WeightAverage(options(decay: 0.999, warmup: 10), of: weights)
    second.vector.update { $0.buffer.copy(from: first.vector.buffer) }
    second.updates = first.updates
    add(0.25, to: weights)
    first.update(from: weights)
    second.update(from: weights)
    #expect(first.vector.bits == second.vector.bits)
  }
}
