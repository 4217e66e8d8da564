import LinearAlgebra
import Recurrence
import Sequences
import Testing

@Suite struct `Plans and tapes` {
  @Test func `each axis has steps and streams of its own`() {
    var plan = Plan()
    let source = Axis.source
    let read = plan.activation(3, on: source)
    let written = plan.activation(5)
    let state = plan.state(2, on: source)
    let tape = Tape(plan, steps: 7, streams: 4, derivatives: true)
    let batch = Batch(rows: 28)
    let gradient = ParameterVector(ParameterLayout(plan))
    batch.begin(steps: 6, streams: 4)
    tape.layOut(steps: 2, streams: 3, on: source)
    let pass = tape.begin(batch, weights: gradient, gradient: gradient)
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
    tape.carryStates()
    tape.layOut(steps: 1, streams: 3, on: source)
    #expect(pass.before(state, 0)[2, 1] == 3)
    // Room for masked states and for derivatives is made only where it is asked for.
    func bytes(derivatives: Bool, resets: Bool) -> Double {
      Tape.bytes(plan, steps: 7, streams: 4, derivatives: derivatives, resets: resets)
    }
    #expect(bytes(derivatives: false, resets: false) < bytes(derivatives: false, resets: true))
    #expect(bytes(derivatives: true, resets: false) < bytes(derivatives: true, resets: true))
  }

  @Test func `a state carries as many steps as it is read late, through windows that are shorter`()
  {
    var plan = Plan()
    let state = plan.state(3, lags: [1, 4])
    let tape = Tape(plan, steps: 2, streams: 2, derivatives: true)
    let batch = Batch(rows: 4)
    let gradient = ParameterVector(ParameterLayout(plan))
    func window(_ first: Int, steps: Int, _ body: (Pass) -> Void) {
      batch.begin(steps: steps, streams: 2)
      let pass = tape.begin(batch, weights: gradient, gradient: gradient)
      for t in 0..<steps {
        for s in 0..<2 {
          for j in 0..<3 { pass[state, t][s, j] = Real(100 * s + 10 * (first + t) + j) }
        }
      }
      body(pass)
      tape.carryStates()
    }
    window(1, steps: 2) { #expect($0.before(state, 0, lag: 4)[1, 2] == 0) }
    window(3, steps: 1) { _ in }
    window(4, steps: 2) { pass in
      #expect(pass.before(state, 0, lag: 4)[1, 2] == 0)
      #expect(pass.before(state, 1, lag: 4)[1, 2] == 112)
      #expect(pass.before(state, 0)[0, 1] == 31)
      #expect(pass.before(state, lag: 4)[3, 2] == 112)
    }
    // Stream by stream, the earliest step first; taken up again, nothing has changed.
    let kept = tape.carriedByStream(state, streams: 2)
    let firsts = (0..<8).map { kept.elements()[3 * $0] }
    #expect(firsts == [20, 30, 40, 50, 120, 130, 140, 150])
    tape.clearCarried()
    tape.carry(state, byStream: kept, streams: 2)
    window(6, steps: 1) { pass in
      #expect(pass.before(state, 0, lag: 4)[1, 0] == 120)
      #expect(pass.before(state, 0)[1, 0] == 150)
    }
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

  @Test func `a derivative that rolls has two steps, and what is stepTemporary one`() {
    var plan = Plan()
    plan.scope.layer = "lower"
    let kept = plan.activation(2)
    let rolling = plan.state(3, derivative: .rolling)
    plan.scope.layer = "upper"
    let stepTemporary = plan.stepTemporary(5)
    let shown = plan.state(4, named: "s")
    let tape = Tape(plan, steps: 7, streams: 6, derivatives: true)
    let batch = Batch(rows: 42)
    let gradient = ParameterVector(ParameterLayout(plan))
    batch.begin(steps: 7, streams: 6)
    let pass = tape.begin(batch, weights: gradient, gradient: gradient)

    // Written at every step, each place holds what was written there last, and nothing else moves.
    pass.d[kept].fill(-1)
    pass.d[shown].fill(-2)
    for t in 0..<7 {
      pass[stepTemporary, t].fill(Real(10 + t))
      pass.d[rolling, t].fill(Real(t))
    }
    for t in 0..<7 {
      #expect(pass[stepTemporary, t][5, 4] == 16)
      #expect(pass.d[rolling, t][5, 2] == (t % 2 == 0 ? 6 : 5))
      #expect(pass.d.before(rolling, t)[5, 2] == (t % 2 == 0 ? 5 : 6))
    }
    for row in 0..<42 { #expect(pass.d[kept][row, 1] == -1 && pass.d[shown][row, 3] == -2) }
    tape.layOut(steps: 6, streams: 6)
    #expect(pass.d[rolling, 5][0, 0] == 0)

    // A window has 7 · 6 tokens; a state has a step more, and of what rolls there are two steps.
    let values = 6 * (7 * 2 + 8 * 3 + 5 + 8 * 4)
    let derivatives = 6 * (7 * 2 + 2 * 3 + 8 * 4)
    let bytes = Tape.bytes(plan, steps: 7, streams: 6, derivatives: true)
    #expect(bytes == Double((values + derivatives) * MemoryLayout<Real>.stride))
    for (resets, past) in [(false, 0), (true, 1)] {
      let numbers = plan.numbersPerToken(resets: resets)
      #expect(numbers.map(\.layer) == ["lower", "upper"])
      #expect(numbers.map(\.values) == [2 + 3 + past * 3, 4 + past * 4])
      #expect(numbers.map(\.derivatives) == [2, 4])
    }
  }

  // Of second-order, the matrix of 9 × 9 is nine numbers a unit.
  @Test(
    arguments: [
      ("elman", 2, 1), ("lstm", 6, 1), ("gru", 5, 1), ("gru-reset-before", 5, 1),
      ("update-gru", 3, 1), ("min-gru", 3, 1), ("min-lstm", 4, 1), ("leaky", 3, 1),
      ("multiplicative", 5, 1), ("mlstm", 9, 1), ("second-order", 11, 1), ("dense", 2, 1),
      ("deep-transition", 4, 1),
    ])
  func `a cell keeps for the way back what it reads there`(
    cell: String, values: Int, derivatives: Int
  ) throws {
    // In numbers a unit; the cell's output and its derivative included.
    let type = try #require(cells[cell])
    func keeps<Cell: RecurrentCell>(_ cell: Cell.Type) throws {
      var plan = Plan()
      _ = Cell(try #require(Cell.variants(hidden: 9).first), in: &plan)
      let numbers = plan.numbersPerToken(resets: false)
      #expect(
        numbers.map(\.values) == [9 * values] && numbers.map(\.derivatives) == [9 * derivatives])
    }
    try keeps(type)
  }

  @Test func `parameters lie on cache lines, the output layer first, the embedding last`() {
    let model = SequenceModel(
      SequenceModelOptions(
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
