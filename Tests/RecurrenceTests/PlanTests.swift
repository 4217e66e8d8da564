import LinearAlgebra
import Recurrence
import Testing

@Suite struct `Plans and tapes` {
  @Test func `each axis has steps and streams of its own`() {
    var plan = Plan()
    let source = plan.axis("source")
    let read = plan.activation(3, on: source)
    let written = plan.activation(5)
    let state = plan.state(2, on: source)
    let tape = Tape(plan, steps: 7, streams: 4, derivatives: true)
    let batch = Batch(rows: 28)
    let gradient = ParameterVector(ParameterLayout(plan))
    batch.begin(steps: 6, streams: 4)
    tape.begin(steps: 2, streams: 3, on: source)
    tape.begin(steps: 6, streams: 4)
    let pass = Pass(batch, on: tape, weights: gradient, gradient: gradient)
    #expect(pass[read].rows == 6 && pass[read].columns == 3)
    #expect(pass[written].rows == 24 && pass[written].columns == 5)
    #expect(pass[state, 1].rows == 3)

    // Nothing overlaps: each view keeps what was written into it.
    let views = [
      pass[read], pass[written], pass[state], pass.d[read], pass.d[written], pass.d[state],
    ]
    for (k, view) in views.enumerated() { view.fill(Real(k + 1)) }
    for (k, view) in views.enumerated() {
      for i in 0..<view.rows { #expect(view[i].elements.allSatisfy { $0 == Real(k + 1) }) }
    }
    // The state's last step goes on, on its own axis.
    tape.turn()
    tape.begin(steps: 1, streams: 3, on: source)
    #expect(pass.before(state, 0)[2, 1] == 3)
    // Room for masked states and for derivatives is made only where it is asked for.
    func bytes(derivatives: Bool, resets: Bool) -> Double {
      Tape.bytes(plan, steps: 7, streams: 4, derivatives: derivatives, resets: resets)
    }
    #expect(bytes(derivatives: false, resets: false) < bytes(derivatives: false, resets: true))
    #expect(bytes(derivatives: true, resets: false) < bytes(derivatives: true, resets: true))
  }

  @Test func `passing memory has a row a stream, or the rows of the largest even block`() {
    func rows(_ rows: ScratchRows, steps: Int, streams: Int) -> Double {
      var plan = Plan()
      _ = plan.scratch(3, rows: rows)
      return Tape.bytes(plan, steps: steps, streams: streams, derivatives: false)
        / Double(3 * MemoryLayout<Real>.stride)
    }
    #expect(rows(.fixed(9), steps: 35, streams: 20) == 9)
    #expect(rows(.streams, steps: 35, streams: 20) == 20)
    #expect(rows(.blocks(of: 400), steps: 35, streams: 20) == 350)
    #expect(rows(.blocks(of: 350), steps: 35, streams: 20) == 350)
    #expect(rows(.blocks(of: 349), steps: 35, streams: 20) == 234)
    #expect(rows(.blocks(of: 1024), steps: 35, streams: 20) == 700)
    #expect(rows(.blocks(of: 64), steps: 1, streams: 1) == 1)
    #expect(rows(.blocks(of: 64), steps: .max, streams: 5) == 64)
  }

  @Test func `parameters lie on cache lines, the output layer first, the embedding last`() {
    let model = LanguageModel(
      ModelOptions(
        embedding: 3, layers: [LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 5)))]),
      vocabulary: 7, seed: 1)
    let layout = ParameterLayout(model.plan)
    #expect(layout.entries.first?.name.hasPrefix("decoder.") == true)
    #expect(layout.entries.last?.name == "encoder.weight")
    #expect(layout.entries.last?.isRowSparse == true)
    var end = 0
    for entry in layout.entries {
      #expect(entry.offset * MemoryLayout<Real>.stride % 64 == 0 && entry.offset >= end)
      end = entry.range.upperBound
    }
    #expect(end <= layout.count)
    #expect(layout.learnt == 7 * 3 + 3 * 5 * (3 + 5 + 2) + 7 * 5 + 7)
  }
}
