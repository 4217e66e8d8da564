import LinearAlgebra
import Recurrence
import Testing

@Suite struct `Modules with clocks` {
  private static let hidden = 6

  private func trial(_ periods: [Int], steps: Int = 9) -> WindowTrial {
    WindowTrial(
      "clockwork", Clockwork.self, Clockwork.Options(hidden: Self.hidden, periods: periods),
      steps: steps)
  }

  /// The state at every step of a stream.
  private func states(_ trial: WindowTrial, stream: Int) throws -> [[Real]] {
    trial.run(training: false)
    let pass = trial.tape.pass(over: trial.batch, weights: trial.weights)
    let plan = trial.model.plan
    let h = try #require(plan.states.first { plan.name(of: $0).contains("h") })
    return (0..<trial.batch.steps).map { t in Array(pass[h, t][stream].elements) }
  }

  @Test func `a module changes when its period divides the steps since the stream's start`() throws
  {
    let trial = trial([1, 3])
    trial.fill(window: 0, steps: 9, resets: [(5, 1)])
    for (stream, computed) in [(0, [0, 3, 6]), (1, [0, 3, 5, 8])] {
      let h = try states(trial, stream: stream)
      for t in 1..<9 {
        #expect(h[t][0..<3] != h[t - 1][0..<3], "the fast module at step \(t)")
        #expect((h[t][3..<6] == h[t - 1][3..<6]) == !computed.contains(t), "step \(t)")
      }
    }
  }

  @Test func `a slow module does not read a faster one`() throws {
    let trial = trial([1, 2, 3])
    trial.fill(window: 0, steps: 9)
    let before = try states(trial, stream: 0)
    let bias = try #require(trial.weights.layout.entry(named: "rnn.bias_hh_l0"))
    func change(_ unit: Int) throws -> [[Real]] {
      trial.weights.update { $0.elements(of: bias)[unit] += 0.5 }
      defer { trial.weights.update { $0.elements(of: bias)[unit] -= 0.5 } }
      return try states(trial, stream: 0)
    }
    let fast = try change(0)
    #expect(fast[8][0..<2] != before[8][0..<2] && fast[8][2..<6] == before[8][2..<6])
    let slow = try change(5)
    #expect(slow[8][0..<2] != before[8][0..<2] && slow[8][2..<4] != before[8][2..<4])
  }

  @Test func `of one module that is always computed is the simple recurrent network`() {
    let clockwork = trial([1], steps: 4)
    let elman = WindowTrial("elman", Elman.self, Elman.Options(hidden: Self.hidden))
    elman.weights.update { weights in
      for entry in weights.layout.entries {
        let name = entry.name.replacing("weight_hh_l0", with: "weight_hh_0_l0")
        let source = clockwork.weights.layout.entry(named: name)!
        weights[entry].copy(clockwork.weights[source])
      }
    }
    for trial in [clockwork, elman] { trial.fill(window: 0, resets: [(2, 0)]) }
    #expect(clockwork.run(training: false) == elman.run(training: false))
  }
}
