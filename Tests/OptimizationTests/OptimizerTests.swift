import LinearAlgebra
import Optimization
import Recurrence
import Testing

@Suite struct `Optimizers` {
  let reference: Reference

  init() throws { reference = try Reference.load() }

  @Test func `every rule with every option makes the updates that PyTorch makes`() throws {
    #expect(Set(reference.cases.map(\.configuration.rule)) == Set(optimizers.keys))
    for wanted in reference.cases {
      let what = "\(wanted.configuration)"
      let optimizer = wanted.configuration.makeOptimizer(for: Reference.layout)
      let weights = ParameterVector(reference.start)
      for (step, table) in reference.gradients.enumerated() {
        // Sums over eight targets, as a reduction delivers them.
        let gradient = ParameterVector(table, frozen: 1, times: 8)
        optimizer.update(weights, gradient: gradient, rate: wanted.rate, scale: 1 / 8)
        #expect(optimizer.updates == step + 1)
        if let expected = wanted.weights["\(step + 1)"] {
          #expect(weights.difference(from: expected) < 2e-6, "\(what) after \(step + 1)")
        }
      }
      let moments = Dictionary(uniqueKeysWithValues: optimizer.moments.map { ($0.name, $0.vector) })
      #expect(Set(moments.keys) == Set(wanted.moments.keys), "\(what)")
      for (name, expected) in wanted.moments {
        let found = try #require(moments[name])
        #expect(found.difference(from: expected) < 2e-6, "\(what) \(name)")
      }
    }
  }

  @Test func `rules of other libraries make their updates a hundred times`() throws {
    #expect(
      Set(reference.long.map(\.configuration.rule)) == [
        "ademamix", "lion", "muon", "schedule_free",
      ])
    for wanted in reference.long {
      let what = "\(wanted.configuration)"
      let optimizer = wanted.configuration.makeOptimizer(for: Reference.layout)
      let weights = ParameterVector(reference.start)
      for step in 0..<100 {
        optimizer.update(
          weights, gradient: reference.gradient(step), rate: wanted.rate, scale: 1)
      }
      let expected = try #require(wanted.weights["100"])
      #expect(weights.difference(from: expected) < 2e-5, "\(what)")
      for (name, vector) in optimizer.moments {
        let expected = try #require(wanted.moments[name])
        #expect(vector.difference(from: expected) < 2e-5, "\(what) \(name)")
      }
      #expect((wanted.average != nil) == (optimizer is any AveragingOptimizer))
      if let expected = wanted.average {
        let average = ParameterVector(Reference.layout)
        (optimizer as? any AveragingOptimizer)?.average(weights, into: average)
        #expect(average.difference(from: expected) < 2e-5, "\(what) average")
        // The average is no copy of the weights.
        #expect(weights.difference(from: expected) > 1e-3)
      }
    }
  }

  @Test func `each gate of a matrix has a step of its own, as if it were a matrix by itself`() {
    func layout(_ names: [(String, Int, Int)]) -> ParameterLayout {
      var plan = Plan()
      for (name, rows, gates) in names {
        _ = plan.parameter(name, from: 6, to: rows, gates: gates, pytorch: .normal(1))
      }
      return ParameterLayout(plan)
    }
    let whole = layout([("weight_hh", 20, 4)])
    let parts = layout((0..<4).map { ("part\($0)", 5, 1) })
    func run(_ layout: ParameterLayout, _ numbers: (Int) -> ClosedRange<Int>) -> [[Float]] {
      let optimizer = OptimizerConfiguration(Muon.self).makeOptimizer(for: layout)
      let (weights, gradient) = (ParameterVector(layout), ParameterVector(layout))
      for step in 1...3 {
        for gate in 0..<4 {
          for (j, place) in numbers(gate).enumerated() {
            gradient.buffer.elements()[place] = Float((j * 37 + gate * 11 + step * 5) % 23) - 11
          }
        }
        optimizer.update(weights, gradient: gradient, rate: 0.1, scale: 0.01)
      }
      return (0..<4).map { numbers($0).map { weights.buffer.elements()[$0] } }
    }
    let entries = (0..<4).map { parts.entry(named: "part\($0)")! }
    let ofWhole = run(whole) { 30 * $0...30 * $0 + 29 }
    #expect(ofWhole == run(parts) { entries[$0].offset...entries[$0].offset + 29 })
    // A matrix without gates has other steps.
    let ungated = layout([("weight_hh", 20, 1)])
    #expect(ofWhole != run(ungated) { 30 * $0...30 * $0 + 29 })
  }

  @Test func `the products of Muon are counted, and no others`() {
    var plan = Plan()
    // Four gates of 5 × 6 and one matrix of 9 × 2: X Xᵀ, its square, and a product with X, five times.
    _ = plan.parameter("weight_hh", from: 6, to: 20, gates: 4, pytorch: .normal(1))
    _ = plan.parameter("weight_ih", from: 2, to: 9, pytorch: .normal(1))
    _ = plan.vector("bias", count: 7, pytorch: .normal(1))
    let layout = ParameterLayout(plan)
    let expected = 4 * (5 * 5 * 6 + 5 * 5 * 5 + 5 * 5 * 6) + (2 * 2 * 9 + 2 * 2 * 2 + 2 * 2 * 9)
    #expect(Muon.Options().multiplyAddsPerUpdate(of: layout) == Double(5 * expected))
    #expect(AdamW.Options().multiplyAddsPerUpdate(of: layout) == 0)
  }

  @Test(arguments: [2, 3, 7])
  func `ranks that share out matrices get the bits of one rank`(_ ranks: Int) throws {
    var plan = Plan()
    for (name, from, to, gates) in [
      ("weight_ih_l0", 6, 32, 4), ("weight_hh_l0", 8, 32, 4), ("weight_hh_l1", 5, 15, 3),
    ] {
      _ = plan.parameter(name, from: from, to: to, gates: gates, pytorch: .normal(1))
    }
    _ = plan.vector("bias", count: 7, pytorch: .normal(1))
    let layout = ParameterLayout(plan)
    let alone = Muon(Muon.Options(), layout: layout)
    let all = (0..<ranks).map { rank in
      let optimizer = Muon(Muon.Options(), layout: layout)
      optimizer.share(among: ranks, rank: rank)
      return optimizer
    }
    let copies = (0...ranks).map { _ in
      let weights = ParameterVector(layout)
      weights.initialize(seed: 3)
      return weights
    }
    let gradient = ParameterVector(layout)
    for step in 1...3 {
      gradient.initialize(seed: UInt64(10 + step))
      alone.update(copies[ranks], gradient: gradient, rate: 0.05, scale: 1)
      for (optimizer, weights) in zip(all, copies) {
        optimizer.update(weights, gradient: gradient, rate: 0.05, scale: 1)
      }
      let results = try all.map { try #require($0.results) }
      let exchanged = results[0].parts.reduce(0) { $0 + $1.count }
      #expect(exchanged == 523)
      // Each rank sends its part to the others.
      for (rank, part) in results[0].parts.enumerated() {
        for result in results {
          for place in part {
            result.numbers.elements()[place] = results[rank].numbers.elements()[place]
          }
        }
      }
      for (optimizer, weights) in zip(all, copies) { optimizer.finishUpdate(weights) }
      let isSame = copies.allSatisfy { $0.bits == copies[ranks].bits }
      #expect(isSame)
    }
    // No rank has more than a fair share and one matrix.
    let work = try #require(all[0].results).parts.map(\.count)
    #expect(ranks > 6 || work.allSatisfy { $0 < 523 / ranks + 64 })
  }

  @Test func `a frozen parameter and its moments keep their bits, and padding stays zero`() {
    for wanted in reference.cases {
      let optimizer = wanted.configuration.makeOptimizer(for: Reference.layout)
      let before = optimizer.moments.map { $0.vector.values("frozen") }
      let weights = ParameterVector(reference.start, frozen: -0.75)
      for table in reference.gradients {
        let gradient = ParameterVector(table, frozen: .nan)
        for j in 0..<gradient.layout.count where !covered(j) { gradient.buffer.start[j] = 3 }
        optimizer.update(weights, gradient: gradient, rate: 0.1, scale: 1)
      }
      #expect(weights.values("frozen") == [Float](repeating: -0.75, count: 39))
      #expect(optimizer.moments.map { $0.vector.values("frozen") } == before)
      for vector in [weights] + optimizer.moments.map(\.vector) {
        #expect(!vector.padding.isEmpty && vector.padding.allSatisfy { $0 == 0 })
      }
    }
  }

  private func covered(_ j: Int) -> Bool {
    Reference.layout.entries.contains { $0.range.contains(j) }
  }

  @Test func `an update raises the version of the weights and leaves the gradient alone`() {
    for (_, type) in optimizers {
      let optimizer = make(type)
      let weights = ParameterVector(reference.start)
      let gradient = ParameterVector(reference.gradients[0])
      let version = weights.version, bits = gradient.bits
      optimizer.update(weights, gradient: gradient, rate: 0.1, scale: 0.5)
      #expect(weights.version > version)
      #expect(gradient.bits == bits)
    }
  }

  private func make<Rule: Optimizer>(_ type: Rule.Type) -> any Optimizer {
    OptimizerConfiguration(type).makeOptimizer(for: Reference.layout)
  }

  @Test func `an optimizer goes on to the same bits from its moments and its number of updates`() {
    for wanted in reference.cases {
      let weights = ParameterVector(reference.start)
      let first = wanted.configuration.makeOptimizer(for: Reference.layout)
      for table in reference.gradients[..<2] {
        let gradient = ParameterVector(table)
        first.update(weights, gradient: gradient, rate: 0.02, scale: 0.3)
      }
      let copy = ParameterVector(Reference.layout)
      copy.buffer.copy(from: weights.buffer)
      let second = wanted.configuration.makeOptimizer(for: Reference.layout)
      second.updates = first.updates
      second.numbers = first.numbers
      for (to, from) in zip(second.moments, first.moments) {
        to.vector.buffer.copy(from: from.vector.buffer)
      }
      for table in reference.gradients[2...] {
        let gradient = ParameterVector(table)
        first.update(weights, gradient: gradient, rate: 0.02, scale: 0.3)
        second.update(copy, gradient: gradient, rate: 0.02, scale: 0.3)
      }
      #expect(weights.bits == copy.bits, "\(wanted.configuration)")
    }
  }

  @Test func `a centered variance that rounding makes negative gives no NaN`() throws {
    let configuration = try decode(
      OptimizerConfiguration.self, #"{"rule": "rmsprop", "alpha": 0.5, "centered": true}"#)
    let optimizer = configuration.makeOptimizer(for: Reference.layout)
    let weights = ParameterVector(reference.start)
    let gradient = ParameterVector(reference.gradients[1])
    for _ in 0..<100 { optimizer.update(weights, gradient: gradient, rate: 1e-9, scale: 1) }
    #expect(weights.buffer.elements().allSatisfy { $0.isFinite })
    // The case is only worth its name if a variance did come out negative here.
    let square = optimizer.moments[0].vector.values("weight")
    let mean = optimizer.moments[1].vector.values("weight")
    #expect(zip(square, mean).contains { $0 - $1 * $1 < 0 })
  }

  @Test func `a gradient that is not a number reaches the weights instead of being hidden`() {
    for wanted in reference.cases {
      let optimizer = wanted.configuration.makeOptimizer(for: Reference.layout)
      let weights = ParameterVector(reference.start)
      let gradient = ParameterVector(reference.gradients[0])
      gradient.elements(of: gradient.layout.entry(named: "bias")!)[16] = .nan
      optimizer.update(weights, gradient: gradient, rate: 0.1, scale: 1)
      #expect(weights.values("bias")[16].isNaN)
      #expect(weights.values("bias")[..<16].allSatisfy { $0.isFinite })
    }
  }
}
