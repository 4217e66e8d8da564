import AllocationCounter
import LinearAlgebra
import Recurrence
import Testing

/// What happens at the edges of windows, streams and documents.
@Suite(.serialized) struct `Boundaries` {
  private func outputs(_ trial: Trial) -> [Real] {
    Array(trial.tape.loss.rows.elements(count: trial.batch.rows))
  }

  @Test func `a window carried from another equals one long window, for every cell`() {
    forEveryCell(hidden: Trial.hidden) { name, cell, options in
      let halves = Trial(name, cell, options)
      var losses: [Real] = []
      for window in 0..<2 {
        halves.fill(window: window)
        halves.run(training: false)
        halves.tape.turn()
        losses += outputs(halves)
      }
      let whole = Trial(name, cell, options, steps: 2 * Trial.steps)
      whole.fill(window: 0, steps: 2 * Trial.steps)
      whole.run(training: false)
      expectClose(losses, outputs(whole), "\(name) \(options)")
      // The state matters: forgotten, the second window comes out differently.
      halves.tape.clearCarried()
      halves.fill(window: 1)
      halves.run(training: false)
      let hasState = !halves.model.plan.states.isEmpty
      let second = Array(losses[(Trial.steps * Trial.streams)...])
      #expect((outputs(halves) != second) == hasState, "\(name) \(options)")
    }
  }

  @Test func `a reset inside a window equals two separate sequences, for every cell`() {
    forEveryCell(hidden: Trial.hidden) { name, cell, options in
      // Stream 0 starts anew at step 3 of the second window, stream 1 goes on.
      let trial = Trial(name, cell, options)
      trial.fill(window: 0)
      trial.run(training: false)
      trial.tape.turn()
      trial.fill(window: 1, resets: [(3, 0)])
      trial.run(training: true)
      let gradient = Array(trial.gradient.buffer.elements())
      let mixed = outputs(trial)

      // The same symbols as sequences of their own: each run alone with its stream.
      var sum = [Real](repeating: 0, count: gradient.count)
      var separate = [Real](repeating: 0, count: mixed.count)
      func alone(stream: Int, before: Bool, steps: Range<Int>) {
        let one = Trial(name, cell, options)
        if before {
          one.fill(window: 0, streams: 1, firstStream: stream)
          one.run(training: false)
          one.tape.turn()
        }
        one.fill(window: 1, streams: 1, firstStream: stream)
        let part = Trial(name, cell, options)
        part.batch.begin(steps: steps.count, streams: 1)
        for (t, step) in steps.enumerated() {
          part.batch.inputs.start[t] = one.batch.inputs.start[step]
          part.batch.targets.start[t] = one.batch.targets.start[step]
        }
        for state in one.model.plan.states {
          part.tape.carried(state, streams: 1).copy(one.tape.carried(state, streams: 1))
        }
        part.run(training: true)
        for (t, step) in steps.enumerated() {
          separate[step * Trial.streams + stream] = outputs(part)[t]
        }
        for (k, g) in part.gradient.buffer.elements().enumerated() { sum[k] += g }
      }
      alone(stream: 0, before: true, steps: 0..<3)
      alone(stream: 0, before: false, steps: 3..<4)
      alone(stream: 1, before: true, steps: 0..<4)
      expectClose(mixed, separate, "losses of \(name) \(options)")
      expectClose(gradient, sum, "gradients of \(name) \(options)")
    }
  }

  @Test func `streams do not see each other, for every cell`() {
    forEveryCell(hidden: Trial.hidden) { name, cell, options in
      let both = Trial(name, cell, options)
      both.fill(window: 0)
      both.run(training: false)
      for stream in 0..<Trial.streams {
        let one = Trial(name, cell, options)
        one.fill(window: 0, streams: 1, firstStream: stream)
        one.run(training: false)
        let rows = (0..<Trial.steps).map { outputs(both)[$0 * Trial.streams + stream] }
        expectClose(outputs(one), rows, "\(name) \(options), stream \(stream)")
      }
    }
  }

  @Test func `a short window after a long one is laid out anew`() {
    let trial = Trial("lstm", LSTM.self, LSTM.Options(hidden: Trial.hidden))
    trial.fill(window: 0)
    trial.run(training: true)
    trial.tape.turn()
    trial.fill(window: 1, steps: 3)
    trial.run(training: true)
    let short = outputs(trial)
    trial.fill(window: 1)
    trial.run(training: true)
    expectClose(short, Array(outputs(trial).prefix(short.count)), "a window of 3 of 4 steps")
  }

  @Test(arguments: Precision.allCases)
  func `a training window allocates nothing, for every cell`(_ precision: Precision) {
    forEveryCell(hidden: Trial.hidden) { name, cell, options in
      let trial = Trial(name, cell, options)
      trial.weights.precision = precision
      trial.fill(window: 0)
      trial.run(training: true)
      func window(resets: Bool) {
        if resets { trial.batch.hasResets = true }
        trial.tape.begin(steps: trial.batch.steps, streams: trial.batch.streams)
        let pass = Pass(
          trial.batch, on: trial.tape, weights: trial.weights, gradient: trial.gradient)
        trial.model.forward(pass)
        trial.model.backward(pass)
        trial.tape.turn()
      }
      window(resets: false)
      allocation_counter_start()
      for _ in 0..<3 { window(resets: false) }
      window(resets: true)
      let count = allocation_counter_stop()
      #expect(count == 0, "\(name) \(options) allocates \(count) times in four windows")
    }
  }

  @Test func `the allocation counter counts`() {
    allocation_counter_start()
    let buffer = Buffer<Real>(count: 100)
    let count = allocation_counter_stop()
    #expect(count >= 1 && buffer.count == 100)
  }

  @Test func `dropout depends on the stream's global index and position, not on the rank`() {
    var options = ModelOptions(
      embedding: 3, layers: [LayerOptions(.recurrent(cell: "lstm", LSTM.Options(hidden: 5)))])
    options.dropout = 0.5
    let both = Trial(options)
    both.fill(window: 0)
    both.run(training: true)
    let second = Trial(options)
    second.fill(window: 0, streams: 1, firstStream: 1)
    second.run(training: true)
    let rows = (0..<Trial.steps).map { outputs(both)[$0 * Trial.streams + 1] }
    expectClose(outputs(second), rows, "stream 1 alone")
    let again = outputs(both)
    both.batch.epoch = 2
    both.run(training: true)
    #expect(outputs(both) != again)
  }

  @Test func `a weight changed by any path changes the output`() {
    let trial = Trial("gru", GRU.self, GRU.Options(hidden: Trial.hidden))
    trial.fill(window: 0)
    for entry in trial.weights.layout.entries where entry.name != "encoder.weight" {
      let before = trial.run(training: false)
      let version = trial.weights.version
      trial.weights.update { $0.elements(of: entry)[1] += 0.5 }
      #expect(trial.weights.version == version + 1)
      let after = trial.run(training: false)
      #expect(before != after, "changing \(entry.name)")
    }
    let before = trial.run(training: false)
    trial.weights.initialize(seed: 6)
    #expect(trial.run(training: false) != before)
  }

  private func expectClose(_ a: [Real], _ b: [Real], _ what: String) {
    let tolerance = MemoryLayout<Real>.size == 8 ? 1e-12 : 2e-6
    #expect(a.count == b.count, "\(what)")
    let worst = zip(a, b).map { abs(Double($0) - Double($1)) }.max() ?? 0
    #expect(worst < tolerance, "\(what): \(worst)")
  }
}
