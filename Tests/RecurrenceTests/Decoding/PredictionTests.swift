import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// Layers that are fed the targets of the steps before, where those are not known.
@Suite struct `Feeding back targets` {
  static let symbols = TaskSignature.Input.symbols(SequenceTrial.symbols)
  static let frames = TaskSignature.Input.frames(SequenceTrial.frame)

  private static func jordan(_ hidden: Int) -> LayerOptions {
    LayerOptions(
      .recurrent(cell: "jordan", Jordan.Options(hidden: hidden, outputs: 4, teacherForcing: true)))
  }
  private static func fed(_ kind: LayerOptions.Kind) -> LayerOptions {
    LayerOptions(kind, surroundings: RecurrentLayerOptions(feedsTargets: true))
  }

  /// Layers that are fed targets, alone, above and below others, for outputs of every kind.
  static let cases: [(name: String, options: SequenceModelOptions, interface: TaskSignature)] = [
    (
      "jordan, tags", SequenceModelOptions(embedding: 3, layers: [jordan(5)]),
      TaskSignature(input: symbols, output: .symbols(6))
    ),
    (
      "jordan above both directions, tags",
      SequenceModelOptions(
        embedding: 3,
        layers: [LayerOptions(`Models of sequences`.gru(4), bidirectional: .concat), jordan(5)]),
      TaskSignature(input: symbols, output: .symbols(6))
    ),
    (
      "a gru below an lstm, tags",
      SequenceModelOptions(
        embedding: 3,
        layers: [
          fed(`Models of sequences`.gru(5)), LayerOptions(`Models of sequences`.lstm(4)),
        ]), TaskSignature(input: symbols, output: .symbols(6))
    ),
    (
      "two layers, tags",
      SequenceModelOptions(
        embedding: 3, layers: [jordan(5), fed(`Models of sequences`.lstm(4))], shortcut: true),
      TaskSignature(input: symbols, output: .symbols(6))
    ),
    (
      "jordan, numbers", SequenceModelOptions(embedding: nil, layers: [jordan(5)]),
      TaskSignature(input: frames, output: .numbers(3))
    ),
    (
      "a gru, labels",
      SequenceModelOptions(embedding: nil, layers: [fed(`Models of sequences`.gru(5))]),
      TaskSignature(input: frames, output: .labels(3))
    ),
  ]

  #if REAL_IS_DOUBLE
    @Test(arguments: cases.indices) func `has the derivatives of the loss`(index: Int) {
      let (name, options, interface) = Self.cases[index]
      let trial = SequenceTrial(SequenceModel(options, interface: interface, seed: 1))
      for (parameter, error, size) in trial.errors() {
        #expect(size > 0, "\(name): \(parameter) has no gradient")
        #expect(error < 1e-6, "\(name): \(parameter) is off by \(error)")
      }
    }
  #endif

  /// The numbers of a batch that say what is asked for.
  private func asked(_ batch: Batch) -> [Real] {
    batch.targets.elements(count: batch.rows).map { Real($0) } + Array(batch.values.elements())
  }

  @Test func `is refused where a symbol fed back would not be kept exactly`() {
    var fed = LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 4)))
    fed.surroundings.feedsTargets = true
    let jordan = LayerOptions(
      .recurrent(cell: "jordan", Jordan.Options(hidden: 4, teacherForcing: true)))
    for layer in [fed, jordan] {
      func incompatibility(_ symbols: Int) -> String? {
        SequenceModelOptions(embedding: 3, layers: [layer]).incompatibility(
          with: TaskSignature(vocabulary: symbols))
      }
      #expect(incompatibility(1 << 24) == nil)
      #expect(incompatibility((1 << 24) + 1)?.contains("16777216") == true)
      #expect(incompatibility((1 << 24) + 1)?.contains("data.vocabulary.size") == true)
    }
    let plain = LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 4)))
    #expect(
      SequenceModelOptions(embedding: 3, layers: [plain]).incompatibility(
        with: TaskSignature(vocabulary: (1 << 24) + 1)) == nil)
  }

  @Test(arguments: cases.indices)
  func `predictions are those of a loop that loaders each to the next step`(index: Int) {
    let (name, options, interface) = Self.cases[index]
    let model = SequenceModel(options, interface: interface, seed: 1)
    // Large weights, so that what is fed decides.
    let trial = SequenceTrial(model, spread: 2.5)
    let (steps, streams) = (SequenceTrial.steps, SequenceTrial.streams)
    let before = asked(trial.batch)
    func pass() -> Pass {
      trial.tape.clearCarried()
      return trial.tape.begin(trial.batch, weights: trial.weights)
    }
    func outputs(_ pass: Pass, _ t: Int) -> [Real] {
      let y = model.outputs(at: t, pass)
      return (0..<streams).filter { t < SequenceTrial.lengths[$0] }.flatMap {
        Array(y[$0].elements)
      }
    }

    let predicted = pass()
    let right = model.predict(predicted)
    let found = (0..<steps).map { outputs(predicted, $0) }
    #expect(asked(trial.batch) == before, "\(name): what is asked for has changed")

    let given = pass()
    model.read(given)
    let forced = (0..<steps).map { outputs(given, $0) }

    // The plain loop: what the window predicts at t takes the place of what is asked for there.
    let targets = Array(trial.batch.targets.elements(count: trial.batch.rows))
    var hits = 0
    for t in 0..<steps {
      let now = pass()
      model.read(now)
      let expected = outputs(now, t)
      let off = zip(found[t], expected).map { abs($0 - $1) }.max() ?? 0
      #expect(found[t].count == expected.count && off < 1e-4, "\(name): step \(t) is off by \(off)")
      let y = model.outputs(at: t, now)
      for s in 0..<streams where t < SequenceTrial.lengths[s] {
        let row = t * streams + s
        switch interface.output {
        case .symbols:
          let best = y[s].elements.indices.max { y[s, $0] < y[s, $1] }!
          if targets[row] == Int32(best) { hits += 1 }
          trial.batch.targets.elements()[row] = Int32(best)
        case .numbers: trial.batch.valueRows[row].copy(y[s])
        case .labels:
          for j in 0..<y.columns { trial.batch.valueRows[row, j] = y[s, j] > 0 ? 1 : 0 }
        }
      }
    }
    #expect(right == hits, "\(name)")
    #expect(found[0] == forced[0] && found != forced, "\(name): nothing depends on what is fed")
  }

  @Test(arguments: [jordan(5), fed(`Models of sequences`.lstm(5))])
  func `a series on its own is fed what it has predicted`(layer: LayerOptions) {
    let width = SequenceTrial.frame
    let model = SequenceModel(
      SequenceModelOptions(embedding: nil, layers: [layer]),
      interface: TaskSignature(input: Self.frames, output: .numbers(width)), seed: 2)
    let weights = drawWeights(model.plan, spread: 1)
    let run = SeriesGenerator(model, weights: weights)
    var frames: [Real] = [0.5, -0.25, 1, 0.125]
    run.read(frames)
    for steps in 1...5 {
      // A window that asks at each step for what it reads at the next.
      let batch = Batch(
        rows: steps, streams: 1, widths: Batch.Widths(features: width, values: width))
      batch.begin(steps: steps, streams: 1)
      batch.targets.elements().update(repeating: 0)
      _ = batch.features.elements().update(fromContentsOf: frames)
      _ = batch.values.elements().update(fromContentsOf: frames.dropFirst(width))
      let tape = Tape(model.plan, steps: steps, streams: 1, derivatives: false)
      let pass = tape.begin(batch, weights: weights)
      model.read(pass)
      let expected = Array(model.outputs(at: steps - 1, pass)[0].elements)
      let next = run.next()
      for (a, b) in zip(next, expected) { #expect(abs(a - b) <= 1000 * Real.ulpOfOne) }
      frames += next
    }
  }

  @Test func `is refused where there is no target of the step before`() {
    let once = TaskSignature(input: Self.symbols, output: .symbols(6), asksOnce: true)
    let tags = TaskSignature(input: Self.symbols, output: .symbols(6))
    func incompatibility(_ layers: [LayerOptions], _ interface: TaskSignature) -> String? {
      SequenceModelOptions(embedding: 3, layers: layers).incompatibility(with: interface)
    }
    var both = Self.jordan(5)
    both.bidirectional = .concat
    let above = LayerOptions(`Models of sequences`.gru(5), bidirectional: .sum)
    #expect(incompatibility([Self.jordan(5)], once)?.contains("one target") == true)
    #expect(incompatibility([both], tags)?.contains("bidirectional") == true)
    #expect(incompatibility([Self.jordan(5), above], tags)?.contains("layer 1") == true)
    #expect(incompatibility([above, Self.jordan(5)], tags) == nil)
    let encoder = EncoderOptions(
      embedding: 4, layers: [Self.fed(`Models of sequences`.gru(5))])
    let options = SequenceModelOptions(
      embedding: 3, layers: [LayerOptions(`Models of sequences`.gru(5))], encoder: encoder)
    #expect(options.incompatibility?.contains("feedback: target") == true)
  }
}
