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
