import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// Models of padded sequences: what they read, how layers are put together, and what they end in.
@Suite struct `Models of sequences` {
  static let symbols = TaskSignature.Input.symbols(SequenceTrial.symbols)
  static let frames = TaskSignature.Input.frames(SequenceTrial.frame)
  static let symbolsOfBothSides = TaskSignature.Output.symbols(SequenceTrial.symbols)

  static func lstm(_ hidden: Int) -> LayerOptions.Kind {
    .recurrent(cell: "lstm", LSTM.Options(hidden: hidden))
  }
  static func gru(_ hidden: Int) -> LayerOptions.Kind {
    .recurrent(cell: "gru", GRU.Options(hidden: hidden))
  }

  /// Options and interfaces that between them use every way of putting a model together.
  static let cases: [(name: String, options: SequenceModelOptions, interface: TaskSignature)] =
    [
      (
        "symbols without an embedding",
        SequenceModelOptions(embedding: nil, layers: [LayerOptions(gru(5))]),
        TaskSignature(input: symbols, output: .symbols(6))
      ),
      (
        "frames and numbers", SequenceModelOptions(embedding: nil, layers: [LayerOptions(lstm(5))]),
        TaskSignature(input: frames, output: .numbers(3))
      ),
      (
        "frames and labels, one answer a sequence",
        SequenceModelOptions(
          embedding: nil, layers: [LayerOptions(.linear(3)), LayerOptions(gru(5))],
          output: OutputOptions(bias: .none)),
        TaskSignature(input: frames, output: .labels(6), asksOnce: true)
      ),
      (
        "nothing to read", SequenceModelOptions(embedding: nil, layers: [LayerOptions(lstm(5))]),
        TaskSignature(input: .nothing, output: .numbers(1), condition: 2)
      ),
      (
        "shortcut",
        SequenceModelOptions(embedding: 3, layers: [LayerOptions(lstm(5))], shortcut: true),
        TaskSignature(input: symbols, output: .symbols(6))
      ),
      (
        "shortcut of frames",
        SequenceModelOptions(embedding: nil, layers: [LayerOptions(gru(5))], shortcut: true),
        TaskSignature(input: frames, output: .labels(6))
      ),
      (
        "both directions side by side",
        SequenceModelOptions(
          embedding: 3,
          layers: [
            LayerOptions(lstm(5), bidirectional: .concat),
            LayerOptions(gru(4), bidirectional: .concat),
          ]),
        TaskSignature(input: symbols, output: .symbols(6))
      ),
      (
        "both directions added",
        SequenceModelOptions(embedding: nil, layers: [LayerOptions(gru(5), bidirectional: .sum)]),
        TaskSignature(input: symbols, output: .symbols(6))
      ),
      (
        "both directions of a tied embedding",
        SequenceModelOptions(
          embedding: 5,
          layers: [
            LayerOptions(
              lstm(3), bidirectional: .concat,
              surroundings: RecurrentLayerOptions(initialState: .learnt)),
            LayerOptions(.linear(5)),
          ], tied: true),
        TaskSignature(input: symbols, output: symbolsOfBothSides)
      ),
      (
        "a summary of both directions of symbols below others",
        SequenceModelOptions(
          embedding: nil,
          layers: [
            LayerOptions(gru(3), dropout: 0.3, bidirectional: .concat),
            LayerOptions(lstm(5), bidirectional: .sum), LayerOptions(gru(4)),
          ]),
        TaskSignature(input: symbols, output: .labels(6), asksOnce: true)
      ),
      (
        "a summary of both directions",
        SequenceModelOptions(
          embedding: nil,
          layers: [
            LayerOptions(gru(6), bidirectional: .sum),
            LayerOptions(lstm(5), bidirectional: .concat),
          ]),
        TaskSignature(input: frames, output: .symbols(6), asksOnce: true)
      ),
      (
        "a condition at every step",
        SequenceModelOptions(embedding: 3, layers: [LayerOptions(gru(5)), LayerOptions(lstm(4))]),
        TaskSignature(input: symbols, output: .symbols(6), condition: 2)
      ),
      (
        "a condition at the first step",
        SequenceModelOptions(embedding: 3, layers: [LayerOptions(lstm(5))], condition: .firstInput),
        TaskSignature(input: symbols, output: .symbols(6), condition: 2)
      ),
      (
        "a condition as the initial state",
        SequenceModelOptions(
          embedding: 3, layers: [LayerOptions(lstm(5)), LayerOptions(gru(4))],
          condition: .initialState),
        TaskSignature(input: symbols, output: .symbols(6), condition: 2)
      ),
      (
        "a condition as the initial state of both directions",
        SequenceModelOptions(
          embedding: nil, layers: [LayerOptions(gru(5), bidirectional: .concat)],
          condition: .initialState),
        TaskSignature(input: frames, output: .labels(6), condition: 2)
      ),
      (
        "classes through embeddings beside numbers",
        SequenceModelOptions(
          embedding: 3, layers: [LayerOptions(gru(5)), LayerOptions(lstm(4))], conditionEmbedding: 3
        ),
        TaskSignature(input: symbols, output: .symbols(6), condition: 2, classes: [3, 4])
      ),
      (
        "classes as the initial state",
        SequenceModelOptions(
          embedding: 3, layers: [LayerOptions(lstm(5))], condition: .initialState,
          conditionEmbedding: 2),
        TaskSignature(input: symbols, output: .symbols(6), classes: [3])
      ),
      (
        "a class as a row with a single 1, at the first step",
        SequenceModelOptions(embedding: 3, layers: [LayerOptions(gru(5))], condition: .firstInput),
        TaskSignature(input: symbols, output: .symbols(6), condition: 1, classes: [3])
      ),
    ] + SummaryCases.all + EncoderCases.all + EndCases.all

  #if REAL_IS_DOUBLE
    @Test(arguments: cases.indices)
    func `have the derivatives of their loss`(index: Int) {
      let (name, options, interface) = Self.cases[index]
      // Attention is nearly even where weights are small, and its derivatives next to nothing.
      let trial = SequenceTrial(
        SequenceModel(options, interface: interface, seed: 1),
        spread: options.encoder?.attention == nil ? 0.5 : 1.5)
      for (parameter, error, size) in trial.errors(isOfFourthOrder: true) {
        #expect(size > 0, "\(name): \(parameter) has no gradient")
        #expect(error < 1e-6, "\(name): \(parameter) is off by \(error)")
      }
    }
  #endif

  @Test(arguments: cases.indices)
  func `find the same loss of each sequence alone, without padding`(index: Int) {
    let (name, options, interface) = Self.cases[index]
    let model = SequenceModel(options, interface: interface, seed: 1)
    let together = SequenceTrial(model)
    let sum = together.run()
    let gradient = Array(together.gradient.buffer.elements())
    // Whatever padding holds changes nothing.
    for t in 2..<SequenceTrial.steps {
      let row = t * SequenceTrial.streams + 1
      if case .symbols = interface.input { together.batch.inputs.elements()[row] = 6 }
      for j in 0..<together.batch.widths.features {
        together.batch.features.elements()[row * together.batch.widths.features + j] = 1e6
      }
    }
    if let source = together.batch.source {
      for s in 0..<source.streams {
        for t in Int(source.lengths.elements()[s])..<source.steps {
          let row = t * source.streams + s
          if interface.source > 0 { source.inputs.elements()[row] = 6 }
          for j in 0..<source.widths.features { source.featureRows[row, j] = 1e6 }
        }
      }
    }
    #expect(together.run() == sum, "\(name): padding is seen")
    let same = zip(together.gradient.buffer.elements(), gradient).allSatisfy {
      abs($0 - $1) <= 1e-5 * max(abs($1), 1)
    }
    #expect(same, "\(name): padding is learnt from")

    // One after the other, each exactly as long as it is.
    var alone = 0.0
    var total = [Double](repeating: 0, count: gradient.count)
    for s in 0..<SequenceTrial.streams {
      let one = SequenceTrial(model)
      take(s, of: SequenceTrial(model).batch, into: one.batch)
      alone += one.run()
      for (i, g) in one.gradient.buffer.elements().enumerated() { total[i] += Double(g) }
    }
    #expect(abs(alone - sum) < 1e-5 * sum, "\(name): \(alone) alone, \(sum) together")
    let furthest = zip(total, gradient).map { abs($0 - Double($1)) }.max()!
    #expect(furthest < 1e-4, "\(name): gradients alone and together differ by \(furthest)")
  }

  /// Stream s of a batch as a batch of its own, without what lies behind its end.
  private func take(_ s: Int, of all: Batch, into one: Batch) {
    let length = Int(all.lengths.elements()[s])
    one.begin(steps: length, streams: 1, firstStream: s)
    one.totals.elements()[0] = all.totals.elements()[s]
    one.resets.clear(0..<length)
    let (features, values) = (all.widths.features, all.widths.values)
    for t in 0..<length {
      let row = t * all.streams + s
      one.inputs.elements()[t] = all.inputs.elements()[row]
      one.targets.elements()[t] = all.targets.elements()[row]
      for j in 0..<features {
        one.features.elements()[t * features + j] = all.features.elements()[row * features + j]
      }
      for j in 0..<values {
        one.values.elements()[t * values + j] = all.values.elements()[row * values + j]
      }
    }
    if let source = all.source, let shorter = one.source {
      let length = Int(source.lengths.elements()[s])
      shorter.begin(steps: length, streams: 1)
      shorter.resets.clear(0..<length)
      for t in 0..<length {
        let row = t * source.streams + s
        shorter.inputs.elements()[t] = source.inputs.elements()[row]
        for j in 0..<source.widths.features {
          shorter.featureRows[t, j] = source.featureRows[row, j]
        }
      }
    }
    for j in 0..<all.widths.condition {
      one.condition.elements()[j] = all.condition.elements()[s * all.widths.condition + j]
    }
    for j in 0..<all.widths.classes {
      one.classes.elements()[j] = all.classes.elements()[s * all.widths.classes + j]
    }
  }

  @Test func `summarise with the backward state at the first place, not at the padded end`() {
    // With a sum as its only layer, the forward and the backward direction must be equal where a
    // sequence is the same from both ends and both have the same weights.
    let options = SequenceModelOptions(
      embedding: nil, layers: [LayerOptions(Self.gru(5), bidirectional: .concat)])
    let model = SequenceModel(
      options, interface: TaskSignature(input: Self.symbols, output: .symbols(6), asksOnce: true),
      seed: 1)
    let trial = SequenceTrial(model)
    trial.weights.update { weights in
      let layout = weights.layout
      for entry in layout.entries where entry.name.hasSuffix("_reverse") {
        let twin = layout.entry(named: String(entry.name.dropLast("_reverse".count)))!
        for k in 0..<entry.count {
          weights.elements(of: entry)[k] = weights.elements(of: twin)[k]
        }
      }
    }
    // Each sequence reads the same from both ends; padding does not.
    let inputs = trial.batch.inputs.elements()
    for (s, length) in SequenceTrial.lengths.enumerated() {
      for t in 0..<length {
        inputs[t * SequenceTrial.streams + s] = Int32(min(t, length - 1 - t) + s)
      }
    }
    trial.run(training: false)
    let pass = trial.tape.pass(over: trial.batch, weights: trial.weights)
    let y = pass[model.top]
    for (s, length) in SequenceTrial.lengths.enumerated() {
      let row = y[(length - 1) * SequenceTrial.streams + s]
      for j in 0..<5 {
        #expect(row[j] == row[5 + j], "sequence \(s), unit \(j): \(row[j]) and \(row[5 + j])")
      }
    }
  }

  @Test func `say which parts do not fit the data`() {
    let layers = [LayerOptions(Self.gru(5))]
    let frames = TaskSignature(input: Self.frames, output: .numbers(1))
    #expect(SequenceModelOptions(embedding: 3, layers: layers).incompatibility(with: frames) != nil)
    #expect(
      SequenceModelOptions(embedding: nil, layers: layers).incompatibility(with: frames) == nil)
    let tied = SequenceModelOptions(embedding: 5, layers: layers, tied: true)
    #expect(
      tied.incompatibility(with: TaskSignature(input: Self.symbols, output: .symbols(6))) != nil)
    #expect(tied.incompatibility(with: TaskSignature(vocabulary: 7)) == nil)
    let nothing = TaskSignature(input: .nothing, output: .numbers(1))
    #expect(
      SequenceModelOptions(embedding: nil, layers: layers, shortcut: true).incompatibility(
        with: nothing)
        != nil)
    let residual = SequenceModelOptions(
      embedding: nil, layers: [LayerOptions(Self.gru(5), residual: true)])
    #expect(residual.incompatibility(with: frames) != nil)
  }
}
