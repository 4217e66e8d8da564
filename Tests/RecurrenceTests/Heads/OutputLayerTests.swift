import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// The softmax and its cross-entropy, taken in blocks of rows.
@Suite struct `The output layer` {
  private let options = SequenceModelOptions(
    embedding: 3, layers: [LayerOptions(.recurrent(cell: "elman", Elman.Options(hidden: 5)))])

  /// One step of many streams; targets are missing here and there, and from `silent` altogether.
  private func run(
    _ streams: Range<Int>, silent: Range<Int>, bias: Bool
  ) -> (loss: Double, rows: [Real], gradient: [Real]) {
    var options = options
    options.output.bias = bias ? .learnt() : .none
    let trial = WindowTrial(options, streams: streams.count, steps: 1)
    trial.fill(window: 0, streams: streams.count, steps: 1, firstStream: streams.lowerBound)
    for s in streams where s % 7 == 3 || silent.contains(s) {
      trial.batch.targets.start[s - streams.lowerBound] = Batch.noTarget
    }
    let loss = trial.run(training: true)
    return (
      loss, Array(trial.tape.loss.rows.elements(count: streams.count)),
      Array(trial.gradient.buffer.elements())
    )
  }

  @Test(arguments: [0..<0, 1500..<2900], [false, true])
  func `of a window in several blocks equals the sum of its parts`(
    silent: Range<Int>, bias: Bool
  ) {
    // More than two blocks of 1024 rows, cut into 3 × 967; the parts are one block each.
    let whole = run(0..<2900, silent: silent, bias: bias)
    var (loss, rows, gradient) = (0.0, [Real](), [Double]())
    for start in stride(from: 0, to: 2900, by: 290) {
      let part = run(start..<start + 290, silent: silent, bias: bias)
      loss += part.loss
      rows += part.rows
      gradient =
        gradient.isEmpty
        ? part.gradient.map { Double($0) } : zip(gradient, part.gradient).map { $0 + Double($1) }
    }
    #expect((whole.loss - loss).magnitude < 1e-4 * loss)
    // Not the same bits: a product of other shapes may sum in another order.
    for (a, b) in zip(whole.rows, rows) { #expect((a - b).magnitude < 1e-5) }
    let size = gradient.map(\.magnitude).max() ?? 0
    #expect(size > 1)
    for (a, b) in zip(whole.gradient, gradient) {
      #expect((Double(a) - b).magnitude < 1e-4 * size)
    }
  }

  /// With all weights zero every logit is the same, and the first symbol is the one that is predicted.
  @Test(arguments: [false, true])
  func `of equal logits only the first is right`(bias: Bool) {
    var options = options
    options.output.bias = bias ? .learnt() : .none
    let trial = WindowTrial(options, streams: 7, steps: 5)
    trial.fill(window: 0, streams: 7, steps: 5, firstStream: 0)
    trial.weights.update { $0.buffer.clear() }
    let targets = trial.batch.targets.elements(count: 35)
    for row in 0..<35 { targets[row] = row % 3 == 0 ? 0 : row % 5 == 0 ? Batch.noTarget : 2 }
    let right = targets.count { $0 == 0 }
    trial.run(training: false)
    #expect(trial.tape.loss.correct == right)
    trial.tape.clearCarried()
    let pass = trial.tape.pass(over: trial.batch, weights: trial.weights)
    #expect(trial.model.predict(pass) == right)
    // Symbol 2 alone above all others: now only it is right.
    if bias {
      let head = trial.model.head.bias!
      trial.weights.update { $0[head][0, 2] = 1 }
      trial.tape.clearCarried()
      trial.run(training: false)
      #expect(trial.tape.loss.correct == targets.count { $0 == 2 })
    }
  }
}
