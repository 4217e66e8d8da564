import AllocationCounter
import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// Behaviour at the boundaries of windows, streams and documents.
@Suite(.serialized) struct `Boundaries` {
  private func outputs(_ trial: WindowTrial) -> [Real] {
    Array(trial.tape.loss.rows.elements(count: trial.batch.rows))
  }

  @Test
  func `a window carried from another equals one long window, for every cell in every setting`() {
    forEveryLayer { what, layer in
      let halves = WindowTrial(layer)
      var losses: [Real] = []
      for window in 0..<2 {
        halves.fill(window: window)
        halves.run(training: false)
        halves.tape.carryStates()
        losses += outputs(halves)
      }
      let whole = WindowTrial(layer, steps: 2 * WindowTrial.steps)
      whole.fill(window: 0, steps: 2 * WindowTrial.steps)
      whole.run(training: false)
      expectClose(losses, outputs(whole), "\(what)")
      // The state matters: forgotten, the second window comes out differently.
      halves.tape.clearCarried()
      halves.fill(window: 1)
      halves.run(training: false)
      let hasState = !halves.model.plan.states.isEmpty
      let second = Array(losses[(WindowTrial.steps * WindowTrial.streams)...])
      #expect((outputs(halves) != second) == hasState, "\(what)")
    }
  }

  @Test
  func `a reset inside a window equals two separate sequences, for every cell in every setting`() {
    forEveryLayer { what, layer in
      // Stream 0 starts anew at step 3 of the second window, stream 1 goes on.
      let trial = WindowTrial(layer)
      trial.fill(window: 0)
      trial.run(training: false)
      trial.tape.carryStates()
      trial.fill(window: 1, resets: [(3, 0)])
      trial.run(training: true)
      let gradient = Array(trial.gradient.buffer.elements())
      let mixed = outputs(trial)

      // The same symbols as sequences of their own: each run alone with its stream.
      var sum = [Real](repeating: 0, count: gradient.count)
      var separate = [Real](repeating: 0, count: mixed.count)
      func alone(stream: Int, before: Bool, steps: Range<Int>) {
        let one = WindowTrial(layer)
        if before {
          one.fill(window: 0, streams: 1, firstStream: stream)
          one.run(training: false)
          one.tape.carryStates()
        }
        one.fill(window: 1, streams: 1, firstStream: stream)
        let part = WindowTrial(layer)
        part.batch.begin(steps: steps.count, streams: 1, firstStream: stream)
        for (t, step) in steps.enumerated() {
          part.batch.inputs.start[t] = one.batch.inputs.start[step]
          part.batch.targets.start[t] = one.batch.targets.start[step]
        }
        part.batch.position = one.batch.position + steps.lowerBound
        for state in one.model.plan.states {
          part.tape.carried(state, streams: 1).copy(one.tape.carried(state, streams: 1))
        }
        part.run(training: true)
        for (t, step) in steps.enumerated() {
          separate[step * WindowTrial.streams + stream] = outputs(part)[t]
        }
        for (k, g) in part.gradient.buffer.elements().enumerated() { sum[k] += g }
      }
      alone(stream: 0, before: true, steps: 0..<3)
      alone(stream: 0, before: false, steps: 3..<4)
      alone(stream: 1, before: true, steps: 0..<4)
      expectClose(mixed, separate, "losses of \(what)")
      expectClose(gradient, sum, "gradients of \(what)")
    }
  }

  @Test(arguments: [1, 2, 3, 7])
  func `however a text is cut into windows, documents begin anew`(length: Int) {
    let (steps, resets) = (13, [(3, 0), (4, 1), (9, 1)])
    forEveryLayer { what, layer in
      let whole = WindowTrial(layer, steps: steps)
      whole.fill(window: 0, steps: steps, resets: resets)
      whole.run(training: false)
      let cut = WindowTrial(layer, steps: length)
      var losses: [Real] = []
      for start in stride(from: 0, to: steps, by: length) {
        let count = min(length, steps - start)
        cut.fill(
          window: 0, steps: count, from: start,
          resets: resets.filter { $0.0 >= start && $0.0 < start + count }
            .map { ($0.0 - start, $0.1) })
        cut.run(training: false)
        cut.tape.carryStates()
        losses += outputs(cut)
      }
      expectClose(losses, outputs(whole), "\(what)")
    }
  }

  @Test func `the initial state e0 is 1 in the first unit shown, at a start and at a reset`() {
    forEveryCell(hidden: WindowTrial.hidden) { name, _, options in
      // Targets that are fed have no initial state, nor has what has no state.
      if (options as? Jordan.Options)?.teacherForcing == true || !options.hasState { return }
      let layer = LayerOptions(.recurrent(cell: name, options))
      var losses: [[Real]] = []
      for initial in InitialState.allCases {
        var layer = layer
        layer.surroundings.initialState = initial
        let trial = WindowTrial(layer)
        trial.weights.update { weights in
          for entry in weights.layout.entries where entry.name.contains("initial_") {
            for k in 0..<entry.count { weights.elements(of: entry)[k] = 0 }
            if entry.name.contains("initial_h") || entry.name.contains("initial_y") {
              weights.elements(of: entry)[0] = 1
            }
          }
        }
        trial.fill(window: 0, resets: [(2, 1)])
        trial.run(training: false)
        losses.append(outputs(trial))
      }
      // Zero, learnt, e0.
      #expect(losses[1] == losses[2], "\(name) \(options)")
      let rows = [0, 1, 2 * WindowTrial.streams + 1]
      for row in rows {
        #expect(losses[0][row] != losses[2][row], "\(name) \(options), row \(row)")
      }
    }
  }

  @Test func `streams do not see each other, for every cell in every setting`() {
    forEveryLayer { what, layer in
      let both = WindowTrial(layer)
      both.fill(window: 0)
      both.run(training: false)
      for stream in 0..<WindowTrial.streams {
        let one = WindowTrial(layer)
        one.fill(window: 0, streams: 1, firstStream: stream)
        one.run(training: false)
        let rows = (0..<WindowTrial.steps).map { outputs(both)[$0 * WindowTrial.streams + stream] }
        expectClose(outputs(one), rows, "\(what), stream \(stream)")
      }
    }
  }

  @Test func `a short window after a long one is laid out anew`() {
    let trial = WindowTrial("lstm", LSTM.self, LSTM.Options(hidden: WindowTrial.hidden))
    trial.fill(window: 0)
    trial.run(training: true)
    trial.tape.carryStates()
    trial.fill(window: 1, steps: 3)
    trial.run(training: true)
    let short = outputs(trial)
    trial.fill(window: 1)
    trial.run(training: true)
    expectClose(short, Array(outputs(trial).prefix(short.count)), "a window of 3 of 4 steps")
  }

  @Test(arguments: Precision.allCases)
  func `a training window allocates nothing, for every cell in every setting`(
    _ precision: Precision
  ) {
    forEveryLayer { what, layer in
      let trial = WindowTrial(layer)
      trial.weights.precision = precision
      trial.fill(window: 0)
      trial.run(training: true)
      func window(resets: Bool) {
        if resets { trial.batch.hasResets = true }
        let pass = trial.tape.begin(trial.batch, weights: trial.weights, gradient: trial.gradient)
        trial.model.forward(pass)
        trial.model.backward(pass)
        trial.tape.carryStates()
      }
      window(resets: false)
      allocation_counter_start()
      for _ in 0..<3 { window(resets: false) }
      window(resets: true)
      let count = allocation_counter_stop()
      #expect(count == 0, "\(what) allocates \(count) times in four windows")
    }
  }

  @Test func `a sequence that is told to start anew at its first step is read both ways`() {
    for combination in [Bidirectional.Combination.concat, .sum] {
      var layer = LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: WindowTrial.hidden)))
      layer.bidirectional = combination
      let options = SequenceModelOptions(embedding: WindowTrial.input, layers: [layer])
      let interface = TaskSignature(
        input: .symbols(SequenceTrial.symbols), output: .symbols(SequenceTrial.symbols))
      func trial() -> SequenceTrial {
        SequenceTrial(SequenceModel(options, interface: interface, seed: 1))
      }
      let (plain, told) = (trial(), trial())
      plain.run()
      // Something is carried, which a start anew forgets.
      told.run()
      told.tape.carryStates()
      for s in 0..<SequenceTrial.streams { told.batch.resets.elements()[s] = 1 }
      told.gradient.clear()
      let pass = told.tape.begin(told.batch, weights: told.weights, gradient: told.gradient)
      told.model.forward(pass)
      told.model.backward(pass)
      #expect(plain.tape.loss.sum == told.tape.loss.sum, "\(combination)")
      #expect(
        Array(plain.gradient.buffer.elements()) == Array(told.gradient.buffer.elements()),
        "\(combination)")
    }
  }

  @Test func `the allocation counter counts`() {
    allocation_counter_start()
    let buffer = Buffer<Real>(count: 100)
    let count = allocation_counter_stop()
    #expect(count >= 1 && buffer.count == 100)
  }

  @Test func `dropout depends on the stream's global index and position, not on the rank`() {
    var options = SequenceModelOptions(
      embedding: 3, layers: [LayerOptions(.recurrent(cell: "lstm", LSTM.Options(hidden: 5)))])
    options.dropout = 0.5
    let both = WindowTrial(options)
    both.fill(window: 0)
    both.run(training: true)
    let second = WindowTrial(options)
    second.fill(window: 0, streams: 1, firstStream: 1)
    second.run(training: true)
    let rows = (0..<WindowTrial.steps).map { outputs(both)[$0 * WindowTrial.streams + 1] }
    expectClose(outputs(second), rows, "stream 1 alone")
    let again = outputs(both)
    both.batch.epoch = 2
    both.run(training: true)
    #expect(outputs(both) != again)
  }

  @Test func `a weight changed by any path changes the output`() {
    let trial = WindowTrial("gru", GRU.self, GRU.Options(hidden: WindowTrial.hidden))
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
    let tolerance = MemoryLayout<Real>.size == 8 ? 1e-11 : 2e-5
    #expect(a.count == b.count, "\(what)")
    let worst = zip(a, b).map { abs(Double($0) - Double($1)) }.max() ?? 0
    #expect(worst < tolerance, "\(what): \(worst)")
  }
}
