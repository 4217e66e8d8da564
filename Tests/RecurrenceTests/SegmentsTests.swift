import LinearAlgebra
import Recurrence
import Testing

/// Windows that are computed twice in parts.
@Suite struct `Recomputation in time` {
  private static let steps = 11

  /// The losses of three windows, and the gradient of the last, in segments.
  private func segmented(_ trial: Trial, resets: [(Int, Int)]) -> [Real] {
    let window = WindowSize(steps: Self.steps, streams: Trial.streams)
    let length = max(4, trial.model.plan.longestLag)
    let tape = Tape(
      trial.model.plan, fitting: [window], atMost: length, derivatives: true, resets: true)
    let segments = Segments(
      of: window, length: length, on: tape, for: trial.model.plan,
      widths: trial.batch.widths)
    var losses: [Real] = []
    for k in 0..<3 {
      trial.fill(window: k, steps: Self.steps, resets: k == 1 ? resets : [])
      trial.gradient.clear()
      segments.differentiate(
        trial.model, trial.batch, weights: trial.weights, gradient: trial.gradient)
      segments.turn()
      losses.append(Real(tape.loss.sum))
    }
    return losses + Array(trial.gradient.buffer.elements())
  }

  /// The same with everything stored.
  private func stored(_ trial: Trial, resets: [(Int, Int)]) -> [Real] {
    var losses: [Real] = []
    for k in 0..<3 {
      trial.fill(window: k, steps: Self.steps, resets: k == 1 ? resets : [])
      trial.run(training: true)
      trial.tape.turn()
      losses.append(Real(trial.tape.loss.sum))
    }
    return losses + Array(trial.gradient.buffer.elements())
  }

  @Test func `gives the gradient of the whole window, for every cell and option`() {
    forEveryCell(hidden: Trial.hidden) { name, cell, options in
      for resets in [[], [(3, 0), (4, 1), (9, 0)]] {
        var layer = LayerOptions(.recurrent(cell: name, options), dropout: 0.3)
        layer.surroundings.initialState = .learnt
        let model = ModelOptions(
          embedding: Trial.input, layers: [layer, LayerOptions(.linear(3), residual: false)],
          variational: name == "gru", recurrent: ["elman", "lstm", "skip"].contains(name))
        let whole = stored(Trial(model, steps: Self.steps), resets: resets)
        let parts = segmented(Trial(model, steps: Self.steps), resets: resets)
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
      let segments = Segments(
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

  @Test func `keeps the memory of a segment and of the states at the edges`() {
    let model = Trial(
      ModelOptions(
        embedding: 3, layers: [LayerOptions(.recurrent(cell: "lstm", LSTM.Options(hidden: 16)))])
    ).model
    func bytes(_ steps: Int) -> Double {
      Tape.bytes(model.plan, steps: steps, streams: 4, derivatives: true)
    }
    #expect(Segments.squareRoot(of: 1024) == 32 && Segments.squareRoot(of: 1025) == 33)
    #expect(bytes(32) < bytes(1024) / 20)
  }
}
