import Foundation
import Optimization
import Testing

@Suite struct `Plateaus` {
  private func rates(_ losses: [Double], _ plateau: String) throws -> [Double] {
    let options = try decode(
      ScheduleOptions.self, #"{"learning_rate": 0.1, "plateau": \#(plateau)}"#)
    let schedule = try Schedule(options, totalSteps: nil)
    var state = Plateau()
    return try losses.map { loss in
      schedule.observe(loss, in: &state)
      // A checkpoint after every evaluation must change nothing.
      state = try decode(Plateau.self, encode(state))
      return schedule.rate(step: 7, epoch: 2, plateauFactor: state.factor)
    }
  }

  @Test func `the rate falls when PyTorch's falls`() throws {
    let reference = try Reference.load()
    let same = [
      "patience 0": #"{"factor": 0.25, "patience": 0, "threshold": 0}"#,
      "patience 2": #"{"factor": 0.5, "patience": 2, "minimum": 0.03}"#,
    ]
    #expect(Set(same.keys) == Set(reference.plateaus.keys))
    for (name, options) in same {
      let wanted = reference.plateaus[name]!
      let found = try rates(wanted.losses, options)
      for (index, pair) in zip(found, wanted.rates).enumerated() {
        #expect(abs(pair.0 - pair.1) < 1e-15, "\(name), evaluation \(index)")
      }
    }
  }

  @Test func `with patience 0 every evaluation without an improvement quarters the rate`() throws {
    let found = try rates([5, 4, 4.5, 4, 3, 3], #"{"factor": 0.25, "patience": 0}"#)
    #expect(found.map { 0.1 / $0 } == [1, 1, 4, 16, 16, 64])
  }

  @Test func `an improvement must be larger than the threshold, also of zero and negative losses`()
    throws
  {
    let options = #"{"factor": 0.5, "patience": 0, "threshold": 0.01}"#
    #expect(try rates([100, 99.5], options).last == 0.05)
    #expect(try rates([100, 98.9], options).last == 0.1)
    #expect(try rates([-100, -100.5], options).last == 0.05)
    #expect(try rates([-100, -101.1], options).last == 0.1)
    #expect(try rates([0, 0], options).last == 0.05)
    #expect(try rates([0, -0.001], options).last == 0.1)
  }

  @Test func `a loss that is not finite is no improvement and is not remembered as the best`()
    throws
  {
    let options = #"{"factor": 0.5, "patience": 0}"#
    #expect(try rates([.nan, 5, 4], options) == [0.05, 0.05, 0.05])
    #expect(try rates([5, .infinity, 4], options) == [0.1, 0.05, 0.05])
    #expect(try rates([5, -.infinity, 4], options) == [0.1, 0.05, 0.05])
  }

  @Test func `without a plateau in the schedule evaluations change nothing`() throws {
    let schedule = try Schedule(ScheduleOptions(learningRate: 1), totalSteps: nil)
    var state = Plateau()
    for _ in 0..<20 { schedule.observe(3, in: &state) }
    #expect(state == Plateau())
  }
}

@Suite struct `Early stopping` {
  @Test func `the run stops after as many evaluations in a row that are no better`() throws {
    let options = EarlyStopping.Options(patience: 2)
    var state = EarlyStopping()
    var stops: [Bool] = []
    var improvements: [Bool] = []
    for loss in [3, 2.5, 2.5, 2.4, .nan, 2.6] {
      improvements.append(state.observe(loss))
      state = try decode(EarlyStopping.self, encode(state))
      stops.append(state.shouldStop(options))
    }
    #expect(improvements == [true, true, false, true, false, false])
    #expect(stops == [false, false, false, false, false, true])
    #expect(state.best == 2.4 && state.badEvaluations == 2)
  }
}
