import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// Training that feeds steps what the model itself predicts, in place of the targets.
@Suite struct `Scheduled sampling` {
  typealias Case = (name: String, options: SequenceModelOptions, interface: TaskSignature)

  private static func gru(_ hidden: Int, isFed: Bool = false) -> LayerOptions {
    LayerOptions(
      `Models of sequences`.gru(hidden), surroundings: RecurrentLayerOptions(feedsTargets: isFed))
  }
  private static let symbols = TaskSignature.Input.symbols(SequenceTrial.symbols)
  private static func lines(source: Int = 0, condition: Int = 0) -> TaskSignature {
    TaskSignature(
      input: symbols, output: .symbols(SequenceTrial.symbols), condition: condition, source: source,
      ends: TaskSignature.Ends(symbol: 2, longest: 8))
  }
  private static func pairs(_ attention: AttentionOptions?) -> Case {
    var encoded = gru(3)
    encoded.bidirectional = .concat
    return (
      "pairs, attention \(attention?.kind.rawValue ?? "none")",
      SequenceModelOptions(
        embedding: 3, layers: [gru(5), LayerOptions(`Models of sequences`.lstm(4))],
        encoder: EncoderOptions(
          embedding: 4, layers: [encoded], context: .both,
          attention: attention)),
      lines(source: 6)
    )
  }

  /// Models whose steps read what the step before asks for.
  private static let readers: [Case] = [
    (
      "lines", SequenceModelOptions(embedding: 3, layers: [gru(5), LayerOptions(.linear(4))]),
      lines()
    ),
    (
      "symbols themselves, fed to a layer above too",
      SequenceModelOptions(
        embedding: nil, layers: [LayerOptions(`Models of sequences`.lstm(5)), gru(4, isFed: true)],
        shortcut: true), lines(condition: 2)
    ),
    (
      "several steps back",
      SequenceModelOptions(
        embedding: 3,
        layers: [
          LayerOptions(
            .recurrent(cell: "skip", Skip.Options(hidden: 5, delays: [2, 3])),
            surroundings: RecurrentLayerOptions(initialState: .learnt)),
          LayerOptions(.recurrent(cell: "dense", Dense.Options(hidden: 4, taps: 3))),
        ]), lines()
    ),
    ("halting", SequenceModelOptions(embedding: 3, layers: [gru(5)], end: .halt), lines()),
    pairs(nil), pairs(AttentionOptions(.additive)),
    pairs(AttentionOptions(.multiplicative, at: .input)),
    (
      "numbers", SequenceModelOptions(embedding: nil, layers: [gru(5)]),
      TaskSignature(
        input: .frames(4), output: .numbers(4), ends: TaskSignature.Ends(longest: 8))
    ),
    (
      "labels", SequenceModelOptions(embedding: nil, layers: [gru(5, isFed: true)]),
      TaskSignature(
        input: .frames(4), output: .labels(4), ends: TaskSignature.Ends(longest: 8))
    ),
  ]
  private static var cases: [(Case, readsTargets: Bool)] {
    readers.map { ($0, true) } + `Feeding back targets`.cases.map { ($0, false) }
  }

  /// A trial whose steps read what the step before asks for, if they are to.
  private func trial(_ row: (Case, readsTargets: Bool), dropout: Double = 0) -> SequenceTrial {
    var options = row.0.options
    options.dropout = dropout
    let model = SequenceModel(options, interface: row.0.interface, seed: 1)
    let trial = SequenceTrial(model, spread: 1.5)
    guard row.readsTargets else { return trial }
    let batch = trial.batch
    for row in batch.streams..<batch.rows {
      let before = row - batch.streams
      if batch.widths.features > 0 {
        batch.featureRows[row].copy(batch.valueRows[before])
      } else {
        batch.inputs.elements()[row] = max(batch.targets.elements()[before], 0)
      }
    }
    return trial
  }

  private func sample(
    _ trial: SequenceTrial, _ choice: ScheduledSampling.Choice, _ probability: Double,
    readsTargets: Bool, seed: UInt64 = 3
  ) {
    let sampling = ScheduledSampling(
      choice, of: trial.model as! SequenceModel, readsTargets: readsTargets, in: trial.batch,
      on: trial.tape, seed: seed)
    trial.tape.clearCarried()
    sampling.feed(
      trial.batch, targetsWith: probability, weights: trial.weights, gradient: trial.gradient)
  }

  private func read(_ batch: Batch) -> [Real] {
    batch.inputs.elements(count: batch.rows).map { Real($0) } + Array(batch.features.elements())
  }
  private func asked(_ batch: Batch) -> [Real] {
    batch.targets.elements(count: batch.rows).map { Real($0) } + Array(batch.values.elements())
  }

  @Test func `with the target for certain is training on targets, to the bit`() {
    for row in Self.cases {
      let (plain, sampled) = (trial(row, dropout: 0.3), trial(row, dropout: 0.3))
      let loss = plain.run()
      sample(sampled, .sample, 1, readsTargets: row.readsTargets)
      #expect(sampled.run() == loss, "\(row.0.name)")
      #expect(
        sampled.gradient.buffer.elements().elementsEqual(plain.gradient.buffer.elements()),
        "\(row.0.name)")
    }
  }

  @Test func `never with the target is a loop that reads each prediction at the next step`() {
    for row in Self.cases {
      let (name, _, interface) = row.0
      let trial = trial(row)
      let before = (asked(trial.batch), read(trial.batch))
      let expected = row.readsTargets ? loop(row) : nil
      sample(trial, .greedy, 0, readsTargets: row.readsTargets)
      #expect(asked(trial.batch) == before.0, "\(name): what is asked for has changed")
      #expect((read(trial.batch) != before.1) == row.readsTargets, "\(name)")
      if let expected {
        let off = zip(read(trial.batch), expected).map { abs($0 - $1) }.max() ?? 0
        #expect(off < 1e-4, "\(name): off by \(off)")
      } else {
        // `predict` feeds predictions to layers in evaluation.
        let model = trial.model as! SequenceModel
        func outputs(_ run: (Pass) -> Void) -> [Real] {
          trial.tape.clearCarried()
          let pass = trial.tape.begin(trial.batch, weights: trial.weights)
          run(pass)
          return (0..<SequenceTrial.steps).flatMap { t in
            let y = model.outputs(at: t, pass)
            return (0..<y.rows).filter { t < SequenceTrial.lengths[$0] }.flatMap {
              Array(y[$0].elements)
            }
          }
        }
        let fed = outputs { model.read($0) }
        let other = self.trial(row)
        #expect(interface.output.width * 11 == fed.count)
        let predicted = outputs { pass in
          let plain = trial.tape.pass(over: other.batch, weights: trial.weights)
          _ = pass
          model.predict(plain)
        }
        let off = zip(fed, predicted).map { abs($0 - $1) }.max() ?? 0
        #expect(off < 1e-4, "\(name): off by \(off)")
      }
    }
  }

  /// Returns the inputs of a window after each prediction has become the input of the next step.
  private func loop(_ row: (Case, readsTargets: Bool)) -> [Real] {
    let trial = trial(row)
    let (batch, model) = (trial.batch, trial.model as! SequenceModel)
    for t in 0..<batch.steps - 1 {
      // A layer that is fed targets is fed what is read at the next step.
      let other = self.trial(row)
      for row in 0..<batch.rows - batch.streams where other.batch.targets.elements()[row] >= 0 {
        if batch.widths.values > 0 {
          other.batch.valueRows[row].copy(batch.featureRows[row + batch.streams])
        } else {
          other.batch.targets.elements()[row] = batch.inputs.elements()[row + batch.streams]
        }
      }
      _ = other.batch.inputs.elements().update(fromContentsOf: batch.inputs.elements())
      _ = other.batch.features.elements().update(fromContentsOf: batch.features.elements())
      let pass = trial.tape.begin(other.batch, weights: trial.weights)
      model.read(pass)
      let y = model.outputs(at: t, pass)
      for s in 0..<batch.streams where t + 1 < SequenceTrial.lengths[s] {
        let next = (t + 1) * batch.streams + s
        if batch.widths.values > 0 {
          for j in 0..<y.columns {
            let isLabel = if case .labels = row.0.interface.output { true } else { false }
            batch.featureRows[next, j] = isLabel ? (y[s, j] > 0 ? 1 : 0) : y[s, j]
          }
        } else {
          let symbols = y[s].elements.indices.filter { $0 != 2 }
          batch.inputs.elements()[next] = Int32(symbols.max { y[s, $0] < y[s, $1] }!)
        }
      }
    }
    return read(batch)
  }

  #if REAL_IS_DOUBLE
    @Test func `has the derivatives of its loss where what is fed is held`() {
      for row in Self.cases {
        let trial = trial(row, dropout: 0.3)
        sample(trial, .sample, 0.4, readsTargets: row.readsTargets)
        for (parameter, error, _) in trial.errors() {
          #expect(error < 1e-6, "\(row.0.name): \(parameter) is off by \(error)")
        }
      }
    }
  #endif

  @Test func `feeds a stream the same, whatever streams lie beside it`() {
    let row = (Self.readers[0], readsTargets: true)
    let together = trial(row)
    sample(together, .sample, 0.5, readsTargets: true)
    for s in 0..<SequenceTrial.streams {
      let alone = trial(row)
      let (batch, length) = (alone.batch, SequenceTrial.lengths[s])
      let all = trial(row).batch
      batch.begin(steps: length, streams: 1, firstStream: s)
      batch.resets.clear(0..<length)
      for t in 0..<length {
        batch.inputs.elements()[t] = all.inputs.elements()[t * all.streams + s]
        batch.targets.elements()[t] = all.targets.elements()[t * all.streams + s]
      }
      sample(alone, .sample, 0.5, readsTargets: true)
      let expected = (0..<length).map {
        together.batch.inputs.elements()[$0 * SequenceTrial.streams + s]
      }
      #expect(Array(batch.inputs.elements(count: length)) == expected)
    }
  }

  @Test func `feeds predictions as often as it is told, drawn as they are likely, never an end`() {
    let model = SequenceModel(
      SequenceModelOptions(embedding: 3, layers: [Self.gru(5)]), interface: Self.lines(), seed: 1)
    let weights = ParameterVector(ParameterLayout(model.plan))
    weights.update { weights in
      // The probabilities of all steps are those of the bias.
      let bias = weights.elements(of: weights.layout.entry(named: "decoder.bias")!)
      bias[0] = 1
    }
    let gradient = ParameterVector(weights.layout)
    let streams = 4000
    let batch = Batch(rows: 3 * streams, streams: streams)
    let tape = Tape(model.plan, steps: 3, streams: streams, derivatives: true, resets: true)
    func fed(epoch: Int, _ probability: Double) -> [Int32] {
      batch.begin(steps: 3, streams: streams)
      batch.epoch = epoch
      batch.inputs.elements().update(repeating: 6)
      batch.targets.elements().update(repeating: 6)
      let sampling = ScheduledSampling(
        .sample, of: model, readsTargets: true, in: batch, on: tape, seed: 1)
      sampling.feed(batch, targetsWith: probability, weights: weights, gradient: gradient)
      return Array(batch.inputs.elements())
    }
    let (first, again, later) = (fed(epoch: 1, 0.25), fed(epoch: 1, 0.25), fed(epoch: 2, 0.25))
    #expect(first == again && first != later)
    #expect(first[..<streams].allSatisfy { $0 == 6 }, "the first step of a window")
    let e = 2.718281828
    for step in 1...2 {
      let counts = first[step * streams..<(step + 1) * streams].reduce(into: [Int32: Int]()) {
        $0[$1, default: 0] += 1
      }
      #expect(counts[2] == nil)
      for symbol: Int32 in [0, 1, 3, 4, 5, 6] {
        let p = (symbol == 0 ? e : 1) / (e + 5)
        let expected = Double(streams) * (0.75 * p + (symbol == 6 ? 0.25 : 0))
        let found = Double(counts[symbol] ?? 0)
        #expect(abs(found - expected) < 4.5 * expected.squareRoot(), "\(symbol): \(counts)")
      }
    }
  }

  @Test func `reaches windows that are computed in segments`() {
    for index in [1, 3] {
      let row = (`Feeding back targets`.cases[2 * index - 2], readsTargets: false)
      guard !row.0.options.layers.contains(where: { $0.bidirectional != nil }) else { continue }
      let whole = trial(row)
      sample(whole, .greedy, 0, readsTargets: false)
      let loss = whole.run()
      let parted = trial(row)
      sample(parted, .greedy, 0, readsTargets: false)
      let size = WindowSize(steps: SequenceTrial.steps, streams: SequenceTrial.streams)
      let segments = ActivationCheckpointing(
        of: size, length: 2, on: parted.tape, for: parted.model.plan, widths: parted.batch.widths)
      parted.gradient.clear()
      parted.tape.clearCarried()
      segments.differentiate(
        parted.model, parted.batch, weights: parted.weights, gradient: parted.gradient)
      #expect(abs(parted.tape.loss.sum - loss) < 1e-5 * loss)
      let plain = trial(row)
      #expect(abs(plain.run() - loss) > 1e-3 * loss, "nothing depends on what is fed")
    }
  }
}
