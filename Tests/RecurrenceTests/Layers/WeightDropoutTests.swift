import AllocationCounter
import LinearAlgebra
import Recurrence
import Sequences
import Testing

@Suite struct `Dropped weights` {
  private static let rate = 0.4

  /// The layers whose cells have recurrent weights.
  private func forEveryLayerWithWeights(_ body: (String, LayerOptions) throws -> Void) rethrows {
    var count = 0
    try forEveryLayer { what, layer in
      var layer = layer
      layer.weightDropout = Self.rate
      guard recurrentNames(layer).isEmpty == false else { return }
      count += 1
      try body(what, layer)
    }
    #expect(count > 100)
  }

  /// The matrices of a layer through which a state reaches the next, by the names that cells give them.
  private func recurrentNames(_ layer: LayerOptions) -> [String] {
    if case .recurrent(_, let options) = layer.kind,
      (options as? Jordan.Options)?.teacherForcing == true
    {
      return []
    }
    let plan = WindowTrial(layer).model.plan
    return ParameterLayout(plan).entries.filter { !$0.isVector }.map(\.name).filter { name in
      guard let own = name.split(separator: ".").last else { return false }
      return name.hasPrefix("rnn.")
        && [
          "weight_hh", "weight_hn", "weight_hm", "weight_mh", "weight_hf", "weight_fh",
          "weight_yh", "weight_transition", "weight_shortcut",
        ].contains { own.hasPrefix($0) } && !own.contains("feedback")
    }
  }

  /// Sets the weights of a model without dropout to those of another after it.
  private func copyMasked(
    _ trial: WindowTrial, to plain: WindowTrial, _ names: [String], window: Int, epoch: Int
  ) -> [String: [Real]] {
    var masks: [String: [Real]] = [:]
    plain.weights.update { weights in
      for entry in trial.weights.layout.entries {
        let own = weights.layout.entry(named: entry.name)!
        let (from, to) = (trial.weights[entry], weights[own])
        for i in 0..<from.rows { to[i].copy(from[i]) }
        guard names.contains(entry.name) else { continue }
        let random = Philox(seed: 11, name: entry.name + " dropout")
        let memory = Buffer<Real>(count: entry.count)
        let mask = Matrix(memory, rows: entry.rows, columns: entry.columns)
        for i in 0..<entry.rows {
          let row = mask[i]
          random.fillMask(row, rate: Self.rate, stream: i, position: window, epoch: epoch)
          for j in 0..<entry.columns {
            row[j] *= Real(1 / (1 - Self.rate))
            to[i][j] *= row[j]
          }
        }
        masks[entry.name] = Array(memory.elements())
      }
    }
    return masks
  }

  @Test(arguments: [Precision.float32, .bfloat16])
  func `of every cell give the loss and the gradient of the network without them`(
    precision: Precision
  ) {
    if MemoryLayout<Real>.size == 8, precision != .float32 { return }
    forEveryLayerWithWeights { what, layer in
      let names = recurrentNames(layer)
      var plainLayer = layer
      plainLayer.weightDropout = 0
      let (trial, plain) = (WindowTrial(layer), WindowTrial(plainLayer))
      (trial.weights.precision, plain.weights.precision) = (precision, precision)
      // The weights stay the same, and only the masks change.
      for (window, epoch) in [(0, 1), (8, 1), (8, 3)] {
        for each in [trial, plain] {
          each.tape.clearCarried()
          each.fill(window: 0, resets: [(2, 1)])
          (each.batch.window, each.batch.epoch) = (window, epoch)
        }
        let masks = copyMasked(trial, to: plain, names, window: window, epoch: epoch)
        #expect(masks.count == names.count, "\(what)")
        #expect(masks.values.allSatisfy { $0.contains(0) && $0.contains { $0 > 1 } })
        let (loss, expected) = (trial.run(training: true), plain.run(training: true))
        #expect(loss == expected, "\(what): a loss of \(loss) and not \(expected)")
        for entry in trial.weights.layout.entries {
          let own = Array(trial.gradient.elements(of: entry))
          let other = Array(
            plain.gradient.elements(of: plain.weights.layout.entry(named: entry.name)!))
          let mask = masks[entry.name]
          let masked = other.indices.map { (mask?[$0] ?? 1) * other[$0] }
          #expect(own == masked, "\(what) \(entry.name)")
        }
      }
    }
  }

  @Test func `are whole in evaluation`() {
    forEveryLayerWithWeights { what, layer in
      var plainLayer = layer
      plainLayer.weightDropout = 0
      let losses = [layer, plainLayer].map { layer in
        let trial = WindowTrial(layer)
        trial.fill(window: 0)
        let before = trial.run(training: false)
        trial.run(training: true)
        // Not those of the last training window either.
        #expect(trial.run(training: false) == before, "\(what)")
        return before
      }
      #expect(losses[0] == losses[1], "\(what)")
    }
  }

  @Test func `are the same for all streams of a window, wherever they are computed`() {
    let layer = LayerOptions(
      .recurrent(cell: "lstm", LSTM.Options(hidden: 5)), weightDropout: Self.rate)
    func loss(streams: Range<Int>, position: Int = 0, window: Int = 4, seed: UInt64 = 1) -> Double {
      let trial = WindowTrial(
        SequenceModelOptions(embedding: 3, layers: [layer]), streams: 4)
      trial.fill(window: 0, streams: streams.count, firstStream: streams.lowerBound)
      (trial.batch.position, trial.batch.window) = (position, window)
      return trial.run(training: true)
    }
    let whole = loss(streams: 0..<4)
    let parts = loss(streams: 0..<1) + loss(streams: 1..<4)
    #expect((whole / parts - 1).magnitude < 100 * Double(Real.ulpOfOne))
    #expect(loss(streams: 0..<4, position: 8) == whole)
    #expect(loss(streams: 0..<4, window: 5) != whole)
  }

  @Test func `are no part of what a checkpoint has to agree with`() throws {
    let structures = [0, Self.rate].map { rate in
      let layer = LayerOptions(
        .recurrent(cell: "gru", GRU.Options(hidden: 5)), weightDropout: rate)
      return WindowTrial(layer).model.structure
    }
    #expect(structures[0] == structures[1])
    #expect(!structures[0].joined().contains("dropout"))
  }

  @Test func `are none where a cell has no recurrent weights`() {
    for cell in ["dense", "m2rnn", "min-gru", "min-lstm", "echo-state", "second-order"] {
      forEveryCell(hidden: 5) { name, _, options in
        guard name == cell else { return }
        let layer = LayerOptions(.recurrent(cell: name, options), weightDropout: Self.rate)
        #expect(recurrentNames(layer).isEmpty, "\(name)")
        var losses: [Double] = []
        for rate in [0, Self.rate] {
          var own = layer
          own.weightDropout = rate
          let trial = WindowTrial(own)
          trial.fill(window: 0)
          losses.append(trial.run(training: true))
        }
        #expect(losses[0] == losses[1], "\(name)")
      }
    }
  }

  @Test func `and symbols allocate nothing in a step`() {
    let options = SequenceModelOptions(
      embedding: 3,
      layers: ["lstm", "lstm"].map {
        LayerOptions(.recurrent(cell: $0, LSTM.Options(hidden: 5)), weightDropout: Self.rate)
      }, dropout: 0.2, embeddingDropout: 0.3, variational: true)
    let trial = WindowTrial(
      options,
      objective: TrainingObjective(activationRegularization: 2, temporalRegularization: 1))
    func step(_ window: Int) {
      trial.batch.window = window
      trial.weights.update { $0.buffer.start[0] += 0.001 }
      trial.run(training: true)
      trial.tape.carryStates()
    }
    trial.fill(window: 0)
    for window in 0..<3 { step(window) }
    allocation_counter_start()
    step(3)
    #expect(allocation_counter_stop() == 0)
  }

  @Test func `of embeddings drop whole symbols, the same in all rows of a window`() {
    func input(window: Int, epoch: Int = 1, training: Bool = true) -> [[Real]] {
      var plan = Plan()
      let dropout = SymbolDropout(Self.rate, seed: 9, name: "embedding")
      let lookup = Lookup(vocabulary: 60, width: 3, isTied: false, dropout: dropout, in: &plan)
      let embedding = Embedding(lookup, in: &plan)
      let layout = ParameterLayout(plan)
      let weights = ParameterVector(layout)
      weights.update { weights in
        for k in 0..<weights.buffer.count { weights.buffer.start[k] = 1 }
      }
      let tape = Tape(plan, steps: 60, streams: 2, derivatives: true)
      let batch = Batch(rows: 120)
      batch.begin(steps: 60, streams: 2)
      (batch.window, batch.epoch) = (window, epoch)
      for row in 0..<120 { batch.inputs.start[row] = Int32(row % 60) }
      let pass = tape.begin(
        batch, weights: weights, gradient: training ? ParameterVector(layout) : nil)
      embedding.forward(pass)
      return (0..<120).map { Array(pass[embedding.output][$0].elements) }
    }
    let rows = input(window: 0)
    let kept = Real(1 / (1 - Self.rate))
    #expect(rows.allSatisfy { $0 == [0, 0, 0] || $0 == [kept, kept, kept] })
    #expect(Array(rows[..<60]) == Array(rows[60...]))
    let dropped = rows[..<60].count { $0[0] == 0 }
    #expect((10...40).contains(dropped))
    #expect(input(window: 0) == rows)
    #expect(input(window: 1) != rows && input(window: 0, epoch: 2) != rows)
    #expect(input(window: 0, training: false).allSatisfy { $0 == [1, 1, 1] })
  }
}
