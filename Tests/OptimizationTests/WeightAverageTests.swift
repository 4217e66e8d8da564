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

  @Test func `a mean from the trigger on is that of PyTorch's ASGD`() throws {
    var options = WeightAverage.Options()
    options.trigger = 3
    let rule = reference.mean.configuration.makeOptimizer(for: Reference.layout)
    let weights = ParameterVector(reference.start)
    let average = WeightAverage(options, of: weights)
    for step in 0..<100 {
      rule.update(
        weights, gradient: reference.gradient(step), rate: reference.mean.rate, scale: 1)
      average.update(from: weights, isTriggered: true)
    }
    #expect(weights.difference(from: try #require(reference.mean.weights["100"])) < 2e-5)
    let expected = try #require(reference.mean.moments["ax"])
    #expect(average.vector.difference(from: expected) < 2e-5)
    #expect(weights.difference(from: expected) > 1e-2)
  }

  @Test func `before the trigger the average is the weights themselves`() {
    var options = WeightAverage.Options()
    options.trigger = 3
    let weights = ParameterVector(reference.start)
    let average = WeightAverage(options, of: weights)
    add(0.5, to: weights)
    average.update(from: weights)
    #expect(average.updates == 0 && average.vector.bits != weights.bits)
    average.refresh(from: weights)
    #expect(average.vector.bits == weights.bits)
    for _ in 0..<3 {
      add(0.5, to: weights)
      average.update(from: weights, isTriggered: true)
    }
    let mean = average.vector.bits
    average.refresh(from: weights)
    #expect(average.vector.bits == mean && mean != weights.bits)
  }

  @Test(
    arguments: [
      ([5, 4, 3, 2], 1, nil), ([5, 4, 4.5], 1, nil), ([5, 4, 4.5, 4.2], 1, 4),
      ([5, 4, 4.5, 4.2, 4.1], 2, 5), ([3, 4, 5], 2, nil), ([3, 4, 5, 3], 2, nil),
      ([3, 4, 5, 3.1], 2, 4), ([3, 2, 2, 2, 2], 1, nil), ([3, .nan, .nan], 1, 3),
    ] as [([Double], Int, Int?)])
  func `the trigger is the first loss above the best of all but the last n`(
    _ losses: [Double], _ patience: Int, _ expected: Int?
  ) {
    var trigger = AverageTrigger()
    var found: Int?
    for (number, loss) in losses.enumerated() {
      trigger.observe(loss, patience: patience)
      if trigger.isTriggered, found == nil { found = number + 1 }
      // As Merity's program has it: `len(losses) > n and loss > min(losses[:-n])`.
      if number > patience {
        let best = losses[..<number].dropLast(patience).filter { !$0.isNaN }.min()!
        #expect(trigger.isTriggered || loss <= best)
      }
    }
    #expect(found == expected)
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
