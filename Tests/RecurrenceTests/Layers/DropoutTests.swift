import LinearAlgebra
import Recurrence
import Sequences
import Testing

@Suite struct `Dropout masks` {
  private static let width = 40
  private static let streams = 3
  private static let steps = 5

  /// Which numbers survive at each step of each stream, in row t · streams + s.
  private func survivors(
    variational: Bool, position: Int = 0, origin: Int = 0, epoch: Int = 1, seed: UInt64 = 9,
    rate: Double = 0.4
  ) -> [[Bool]] {
    var plan = Plan()
    let embedding = Embedding(vocabulary: 2, width: Self.width, isTied: false, in: &plan)
    let dropout = Dropout(
      rate, variational: variational, seed: seed, name: "layer 3", reading: embedding.output,
      in: &plan)
    let layout = ParameterLayout(plan)
    let weights = ParameterVector(layout)
    weights.update { weights in
      for k in 0..<weights.buffer.count { weights.buffer.start[k] = 1 }
    }
    let tape = Tape(plan, steps: Self.steps, streams: Self.streams, derivatives: true)
    let batch = Batch(rows: Self.steps * Self.streams)
    batch.begin(steps: Self.steps, streams: Self.streams)
    (batch.position, batch.origin, batch.epoch) = (position, origin, epoch)
    let pass = tape.begin(batch, weights: weights, gradient: ParameterVector(layout))
    embedding.forward(pass)
    dropout.forward(pass)
    let y = pass[dropout.output]
    for i in 0..<y.rows {
      for j in 0..<y.columns where y[i, j] != 0 {
        #expect(abs(Double(y[i, j]) - 1 / (1 - rate)) < 1e-6, "survivors are scaled")
      }
    }
    return (0..<y.rows).map { i in (0..<y.columns).map { y[i, $0] != 0 } }
  }

  @Test func `differ from step to step and from stream to stream`() {
    let masks = survivors(variational: false)
    #expect(Set(masks).count == Self.steps * Self.streams)
  }

  @Test func `of variational dropout are one for all steps of a window of a stream`() {
    let masks = survivors(variational: true)
    for t in 1..<Self.steps {
      for s in 0..<Self.streams {
        #expect(masks[t * Self.streams + s] == masks[s], "step \(t) of stream \(s)")
      }
    }
    #expect(Set(masks).count == Self.streams)
    #expect(survivors(variational: true, position: Self.steps) != masks)
    // A window that goes on with what has begun before it.
    #expect(survivors(variational: true, position: Self.steps, origin: Self.steps) == masks)
  }

  @Test func `depend on the position in the stream, the epoch and the seed`() {
    let masks = survivors(variational: false)
    #expect(survivors(variational: false) == masks)
    #expect(survivors(variational: false, epoch: 2) != masks)
    #expect(survivors(variational: false, seed: 8) != masks)
    // Two steps later, the first rows are those of step 2.
    let later = survivors(variational: false, position: 2)
    #expect(Array(later.prefix(3 * Self.streams)) == Array(masks.suffix(3 * Self.streams)))
  }

  @Test func `on the state read change what is learnt from, not what is evaluated, for every cell`()
  {
    forEveryCell(hidden: WindowTrial.hidden) { name, _, options in
      let layer = LayerOptions(.recurrent(cell: name, options), dropout: 0.4)
      // Where no weights can be dropped, only these multiply by a state.
      guard layer.hasRecurrentWeights || ["echo-state", "second-order"].contains(name) else {
        return
      }
      var losses: [[Double]] = []
      for recurrent in [false, true] {
        let trial = WindowTrial(
          SequenceModelOptions(embedding: WindowTrial.input, layers: [layer], recurrent: recurrent))
        trial.fill(window: 0)
        losses.append([trial.run(training: false), trial.run(training: true)])
      }
      #expect(losses[0][0] == losses[1][0] && losses[0][1] != losses[1][1], "\(name) \(options)")
    }
  }

  /// Returns the state as products read it, divided by the state itself, layer by layer: row
  /// t · streams + s from step 1 on, at which no state is zero.
  private func readMasks(
    position: Int = 0, origin: Int = 0, epoch: Int = 1, firstStream: Int = 0
  ) -> [[[Double]]] {
    let cell = LayerOptions(
      .recurrent(cell: "elman", Elman.Options(hidden: Self.width)), dropout: 0.4)
    let trial = WindowTrial(
      SequenceModelOptions(embedding: WindowTrial.input, layers: [cell, cell], recurrent: true))
    trial.fill(window: 0, firstStream: firstStream)
    (trial.batch.position, trial.batch.origin) = (position, origin)
    trial.batch.epoch = epoch
    trial.run(training: true)
    let pass = trial.tape.pass(over: trial.batch, weights: trial.weights, gradient: trial.gradient)
    return trial.model.plan.states.map { h in
      (1..<WindowTrial.steps).flatMap { t in
        (0..<WindowTrial.streams).map { s in
          zip(pass.read(h, t)[s].elements, pass.before(h, t)[s].elements).map { Double($0 / $1) }
        }
      }
    }
  }

  @Test func `on the state read are one for a window of a stream, and others in another layer`() {
    let masks = readMasks()
    let scale = 1 / (1 - 0.4)
    #expect(masks.count == 2)
    for own in masks {
      #expect(own.joined().allSatisfy { $0 == 0 || abs($0 - scale) < 1e-5 })
      let kept = own.map { $0.map { $0 != 0 } }
      for row in WindowTrial.streams..<kept.count {
        #expect(kept[row] == kept[row - WindowTrial.streams])
      }
      #expect(kept[0] != kept[1], "streams")
    }
    func kept(_ masks: [[[Double]]]) -> [[[Bool]]] { masks.map { $0.map { $0.map { $0 != 0 } } } }
    let own = kept(masks)
    #expect(own[0][0] != own[1][0], "layers")
    for other in [kept(readMasks(position: 8)), kept(readMasks(epoch: 2))] {
      for layer in 0..<2 { #expect(other[layer][0] != own[layer][0]) }
    }
    // A part of the window that begins 3 steps into it has the window's masks.
    #expect(kept(readMasks(position: 3, origin: 3)) == own)
    // Stream 0 of those that are counted from 1 is stream 1.
    let neighbour = kept(readMasks(firstStream: 1))
    for layer in 0..<2 { #expect(neighbour[layer][0] == own[layer][1]) }
  }

  @Test func `on what is read come with an embedding, or where they are asked for`() {
    func loss(_ input: TaskSignature.Input, _ embedding: Int?, _ all: Double, _ read: Double?)
      -> Double
    {
      let layer = LayerOptions(.recurrent(cell: "elman", Elman.Options(hidden: 5)), dropout: 0)
      let options = SequenceModelOptions(
        embedding: embedding, layers: [layer], dropout: all, inputDropout: read)
      let interface = TaskSignature(input: input, output: .numbers(2))
      return SequenceTrial(SequenceModel(options, interface: interface, seed: 1)).run()
    }
    let symbols = TaskSignature.Input.symbols(SequenceTrial.symbols)
    #expect(loss(symbols, 3, 0.4, nil) != loss(symbols, 3, 0, nil))
    #expect(loss(symbols, 3, 0.4, 0) == loss(symbols, 3, 0, nil))
    for input in [symbols, .frames(SequenceTrial.frame)] {
      #expect(loss(input, nil, 0.4, nil) == loss(input, nil, 0, nil))
      #expect(loss(input, nil, 0, 0.4) != loss(input, nil, 0, nil))
    }
  }

  @Test func `drop as many as they should`() {
    let masks = survivors(variational: false)
    let kept = masks.joined().count { $0 }
    let expected = 0.6 * Double(masks.count * Self.width)
    #expect(
      abs(Double(kept) - expected) < 5 * (0.24 * Double(masks.count * Self.width)).squareRoot())
  }
}
