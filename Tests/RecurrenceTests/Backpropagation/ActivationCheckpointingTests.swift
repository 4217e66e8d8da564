import AllocationCounter
import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// Windows that are computed twice in parts.
@Suite struct `Recomputation in time` {
  private static let steps = 11

  /// The losses of three windows, and the gradient of the last, in segments.
  private func segmented(
    _ trial: WindowTrial, resets: [(Int, Int)], length: Int = 4, states: Int? = nil,
    firstStream: Int = 0
  ) -> [Real] {
    let window = WindowSize(steps: Self.steps, streams: WindowTrial.streams)
    let length = max(length, trial.model.plan.longestLag)
    let tape = Tape(
      trial.model.plan, fitting: [window], atMost: length, derivatives: true, resets: true)
    let segments = ActivationCheckpointing(
      of: window, length: length, states: states, on: tape, for: trial.model.plan,
      widths: trial.batch.widths)
    var losses: [Real] = []
    for k in 0..<3 {
      trial.fill(
        window: k, steps: Self.steps, firstStream: firstStream, resets: k == 1 ? resets : [])
      trial.gradient.clear()
      segments.differentiate(
        trial.model, trial.batch, weights: trial.weights, gradient: trial.gradient)
      segments.carryStates()
      losses.append(Real(tape.loss.sum))
    }
    return losses + Array(trial.gradient.buffer.elements())
  }

  /// The same with everything stored.
  private func stored(_ trial: WindowTrial, resets: [(Int, Int)]) -> [Real] {
    var losses: [Real] = []
    for k in 0..<3 {
      trial.fill(window: k, steps: Self.steps, resets: k == 1 ? resets : [])
      trial.run(training: true)
      trial.tape.carryStates()
      losses.append(Real(trial.tape.loss.sum))
    }
    return losses + Array(trial.gradient.buffer.elements())
  }

  @Test func `gives the gradient of the whole window, for every cell and option`() {
    forEveryCell(hidden: WindowTrial.hidden) { name, cell, options in
      for resets in [[], [(3, 0), (4, 1), (9, 0)]] {
        var layer = LayerOptions(.recurrent(cell: name, options), dropout: 0.3)
        layer.surroundings.initialState = .learnt
        layer.weightDropout = 0.3
        let model = SequenceModelOptions(
          embedding: WindowTrial.input, layers: [layer, LayerOptions(.linear(3), residual: false)],
          embeddingDropout: 0.2, variational: name == "gru",
          recurrent: ["elman", "lstm", "skip"].contains(name))
        func trial() -> WindowTrial {
          WindowTrial(
            model, steps: Self.steps,
            objective: TrainingObjective(
              activationRegularization: 2, temporalRegularization: 3))
        }
        let whole = stored(trial(), resets: resets)
        let parts = segmented(trial(), resets: resets)
        let furthest = zip(whole, parts).map { abs($0 - $1) }.max()!
        #expect(
          furthest < 2e4 * Real.ulpOfOne,
          "\(name) \(options), resets \(resets): they differ by \(furthest)")
      }
    }
  }

  @Test func `gives the gradient of whole sequences, whatever is known and asked of them`() {
    for (name, options, interface) in EndCases.all where interface.source == 0 {
      var options = options
      options.inputDropout = 0.2
      func make() -> SequenceTrial {
        let trial = SequenceTrial(SequenceModel(options, interface: interface, seed: 2))
        trial.batch.epoch = 2
        for s in 0..<SequenceTrial.streams { trial.batch.keys.elements()[s] = Int32(7 - 2 * s) }
        return trial
      }
      let (whole, parts) = (make(), make())
      whole.run()
      let window = WindowSize(steps: SequenceTrial.steps, streams: SequenceTrial.streams)
      let plan = parts.model.plan
      let tape = Tape(plan, fitting: [window], atMost: 2, derivatives: true, resets: true)
      let segments = ActivationCheckpointing(
        of: window, length: 2, on: tape, for: plan, widths: parts.batch.widths)
      // The second time after something else was handed from segment to segment.
      for _ in 0..<2 {
        parts.gradient.clear()
        tape.clearCarried()
        segments.differentiate(
          parts.model, parts.batch, weights: parts.weights, gradient: parts.gradient)
      }
      let (expected, found) = (whole.tape.loss, tape.loss)
      #expect(found.targets == expected.targets && found.correct == expected.correct, "\(name)")
      let tolerance = 1e4 * Double(Real.ulpOfOne)
      #expect(abs(found.sum - expected.sum) < tolerance * expected.sum, "\(name)")
      let furthest = zip(whole.gradient.buffer.elements(), parts.gradient.buffer.elements())
        .map { abs(Double($0 - $1)) }.max()!
      #expect(furthest < tolerance, "\(name): they differ by \(furthest)")
    }
  }

  /// The same segments with everything stored: each on a tape of its own, computed once.
  private func kept(
    _ model: SequenceModelOptions, length: Int, resets: [(Int, Int)], firstStream: Int
  ) -> [Real] {
    let count = (Self.steps - 1) / length + 1
    let parts = (0..<count).map { _ in WindowTrial(model, steps: length, keepsEveryStep: true) }
    let (weights, gradient, plan) = (parts[0].weights, parts[0].gradient, parts[0].model.plan)
    func carry(_ tape: Tape, into next: Tape) {
      for state in plan.states {
        let carried = tape.carriedByStream(state, streams: WindowTrial.streams)
        next.carry(state, byStream: carried, streams: WindowTrial.streams)
      }
    }
    var losses: [Real] = []
    for window in 0..<3 {
      gradient.clear()
      var passes: [Pass] = []
      for (k, part) in parts.enumerated() {
        let range = k * length..<min((k + 1) * length, Self.steps)
        part.fill(
          window: window, steps: range.count, firstStream: firstStream, from: range.lowerBound,
          resets: (window == 1 ? resets : []).filter { range.contains($0.0) }
            .map { ($0.0 - range.lowerBound, $0.1) })
        part.batch.origin = range.lowerBound
        if k > 0 { carry(parts[k - 1].tape, into: part.tape) }
        let pass = part.tape.begin(part.batch, weights: weights, gradient: gradient)
        part.model.read(pass)
        part.tape.carryStates()
        passes.append(pass)
      }
      var loss = 0.0
      for k in parts.indices.reversed() {
        let pass = passes[k]
        if k < count - 1 {
          for state in plan.states where plan.isDifferentiated(state) {
            for lag in 1...plan.lag(of: state) {
              pass.d[state, pass.steps - lag].copy(passes[k + 1].d[state, -lag])
            }
          }
        }
        parts[k].model.head.forward(pass)
        loss += parts[k].tape.loss.sum
        parts[k].model.backward(pass)
      }
      carry(parts[count - 1].tape, into: parts[0].tape)
      losses.append(Real(loss))
    }
    return losses + Array(gradient.buffer.elements())
  }

  @Test func `has the bits of the same segments with everything stored, with any number of states`()
  {
    forEveryLayer { what, layer in
      for (firstStream, resets) in [(0, []), (3, [(1, 1), (3, 0), (4, 1), (10, 0)])] {
        var layer = layer
        layer.dropout = 0.3
        let model = SequenceModelOptions(
          embedding: WindowTrial.input, layers: [layer, LayerOptions(.linear(3), residual: false)],
          variational: firstStream > 0)
        let lag = WindowTrial(model).model.plan.longestLag
        for length in Set([max(2, lag), max(4, lag)]) {
          let expected = kept(
            model, length: length, resets: resets, firstStream: firstStream)
          for states in [1, 2, 3, nil] {
            let found = segmented(
              WindowTrial(model, steps: Self.steps), resets: resets, length: length, states: states,
              firstStream: firstStream)
            #expect(
              found == expected,
              "\(what), resets \(resets), segments of \(length), \(states ?? 0) states")
          }
        }
      }
    }
  }

  /// Returns the bytes that the allocator gave for windows of so many steps.
  private func allocated(
    _ model: SequenceModel, steps: Int, length: Int, states: Int?
  ) -> (bytes: Double, told: Double) {
    let window = WindowSize(steps: steps, streams: 4)
    allocation_counter_start()
    let tape = Tape(model.plan, fitting: [window], atMost: length, derivatives: true)
    let segments = ActivationCheckpointing(
      of: window, length: length, states: states, on: tape, for: model.plan,
      widths: Batch.Widths())
    _ = allocation_counter_stop()
    #expect(segments.length == length)
    let told =
      Tape.bytes(model.plan, fitting: [window], atMost: length, derivatives: true)
      + ActivationCheckpointing.bytes(model.plan, of: window, length: length, states: states)
    return (Double(allocation_counter_bytes()), told)
  }

  @Test func `keeps the memory of a segment and of so many states`() {
    let model = WindowTrial(
      SequenceModelOptions(
        embedding: 3, layers: [LayerOptions(.recurrent(cell: "lstm", LSTM.Options(hidden: 16)))])
    ).model
    // Besides numbers there are targets, losses and the objects themselves.
    let rest = 14e3
    for states in [1, 5, 20] {
      let short = allocated(model, steps: 256, length: 8, states: states)
      let long = allocated(model, steps: 1024, length: 8, states: states)
      #expect(short.told == long.told && abs(short.bytes - long.bytes) < 100, "\(short) \(long)")
      #expect(short.bytes > short.told && short.bytes < short.told + rest, "\(short)")
    }
    // Each further state takes h and c of every stream.
    let state = Double(2 * 16 * 4 * MemoryLayout<Real>.stride)
    let (few, more) = (
      allocated(model, steps: 1024, length: 8, states: 5),
      allocated(model, steps: 1024, length: 8, states: 25)
    )
    #expect(more.told - few.told == 20 * state)
    #expect(abs(more.bytes - few.bytes - 20 * state) < 20 * 200, "\(more.bytes - few.bytes)")
    // √T steps and √T states: twice as much for windows four times as long.
    #expect(
      ActivationCheckpointing.squareRoot(of: 1024) == 32
        && ActivationCheckpointing.squareRoot(of: 1025) == 33)
    let (quarter, whole) = (
      allocated(model, steps: 1024, length: 32, states: nil),
      allocated(model, steps: 4096, length: 64, states: nil)
    )
    #expect(whole.bytes < 2.1 * quarter.bytes && whole.bytes > 1.8 * quarter.bytes)
    #expect(abs(whole.bytes - whole.told) < 2 * rest && abs(quarter.bytes - quarter.told) < rest)
  }
}
