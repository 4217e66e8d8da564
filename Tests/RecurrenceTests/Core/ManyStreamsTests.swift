import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// More streams than a block of the output layer has rows.
@Suite struct `Many streams` {
  @Test(arguments: [TaskSignature.Output.symbols(3), .numbers(2), .labels(2)])
  func `have outputs at every step`(output: TaskSignature.Output) {
    let streams = 1100
    let model = SequenceModel(
      SequenceModelOptions(
        embedding: nil, layers: [LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 2)))]),
      interface: TaskSignature(input: .frames(1), output: output), seed: 1)
    let weights = ParameterVector(ParameterLayout(model.plan))
    weights.initialize(seed: 1)
    let tape = Tape(model.plan, steps: 2, streams: streams, derivatives: false)
    let batch = Batch(rows: 2 * streams, streams: streams, widths: Batch.Widths(features: 1))
    batch.begin(steps: 2, streams: streams)
    for row in 0..<batch.rows { batch.features.elements()[row] = Real(row % 7) }
    let pass = tape.begin(batch, weights: weights)
    model.read(pass)
    let last = model.outputs(at: 1, pass)
    #expect(last.rows == streams)
    // Streams that read the same show the same: 1100 = 1 (mod 7), so stream s reads s, then s + 1.
    for s in 7..<streams {
      for j in 0..<last.columns { #expect(last[s, j] == last[s % 7, j]) }
    }
  }
}
