import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// Series that go on on their own.
@Suite struct `Series that are generated` {
  private func model(
    _ output: (Int) -> TaskSignature.Output
  ) -> (model: SequenceModel, weights: ParameterVector) {
    let model = SequenceModel(
      SequenceModelOptions(
        embedding: nil, layers: [LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 7)))]),
      interface: TaskSignature(input: .frames(3), output: output(3)), seed: 5)
    let weights = ParameterVector(ParameterLayout(model.plan))
    weights.initialize(seed: 5)
    return (model, weights)
  }

  private let told: [Real] = [0.5, -0.25, 1]

  /// The outputs at the last step of a window.
  private func outputs(
    _ model: SequenceModel, _ weights: ParameterVector, _ frames: [Real]
  ) -> [Real] {
    let steps = frames.count / 3
    let batch = Batch(rows: steps, streams: 1, widths: Batch.Widths(features: 3, values: 3))
    batch.begin(steps: steps, streams: 1)
    batch.targets.elements().update(repeating: Batch.noTarget)
    _ = batch.features.elements().update(fromContentsOf: frames)
    let tape = Tape(model.plan, steps: steps, streams: 1, derivatives: false)
    let pass = tape.begin(batch, weights: weights)
    model.read(pass)
    return Array(model.outputs(at: steps - 1, pass)[0].elements)
  }

  @Test func `States are those of a window that has read them`() {
    let (model, weights) = model { .numbers($0) }
    let run = SeriesGenerator(model, weights: weights)
    for _ in 0..<2 {
      run.read(told)
      var frames = told
      for _ in 0..<4 {
        let expected = outputs(model, weights, frames)
        let found = run.next()
        for (a, b) in zip(found, expected) { #expect(abs(a - b) <= 100 * Real.ulpOfOne) }
        frames += found
      }
      run.restart()
    }
  }

  @Test func `Labels are drawn one by one with their probabilities`() {
    let (model, weights) = model { .labels($0) }
    let logits = outputs(model, weights, told)
    for temperature in [1, 0.25] {
      var counts = [0.0, 0, 0]
      let run = SeriesGenerator(model, weights: weights, seed: 8, temperature: temperature)
      for _ in 0..<4_000 {
        run.restart()
        run.read(told)
        let drawn = run.next()
        #expect(drawn.allSatisfy { $0 == 0 || $0 == 1 })
        for j in 0..<3 { counts[j] += Double(drawn[j]) }
      }
      for j in 0..<3 {
        let probability = Double(sigmoid(logits[j] / Real(temperature)))
        #expect(abs(counts[j] / 4_000 - probability) < 0.03, "\(counts) of \(logits)")
      }
    }
    #expect(logits.contains { $0 > 0 } && logits.contains { $0 < 0 }, "\(logits)")
    let certain = SeriesGenerator(model, weights: weights, temperature: 0)
    certain.read(told)
    #expect(certain.next() == logits.map { $0 > 0 ? 1 : 0 })
  }

  @Test func `The same seed draws the same series`() {
    let (model, weights) = model { .labels($0) }
    func series(_ seed: UInt64) -> [[Real]] {
      let run = SeriesGenerator(model, weights: weights, seed: seed)
      run.read(told)
      return (0..<30).map { _ in run.next() }
    }
    #expect(series(3) == series(3) && series(3) != series(4))
  }
}
