import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// Ends of sequences: training fits a distribution over all sequences, and samples follow it.
@Suite struct `Ends of sequences` {
  static let ends = [EndOfSequence.symbol, .halt, .length()]
  private static let start: Int32 = 0
  private static let end: Int32 = 1
  private static let symbols: [Int32] = [0, 2, 3]
  private static let longest = 3

  /// A model with weights so large that sequences differ much in likelihood.
  private func make(
    _ options: SequenceModelOptions, _ interface: TaskSignature, spread: Double = 2
  ) -> (SequenceModel, ParameterVector) {
    let model = SequenceModel(options, interface: interface, seed: 1)
    return (model, drawWeights(model.plan, spread: spread))
  }

  private func ofSymbols(
    _ end: EndOfSequence, condition: Int = 0
  ) -> (SequenceModel, ParameterVector) {
    let layer = LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 5)))
    return make(
      SequenceModelOptions(embedding: 3, layers: [layer], end: end),
      TaskSignature(
        input: .symbols(4), output: .symbols(4), condition: condition,
        ends: TaskSignature.Ends(symbol: Int(Self.end), longest: Self.longest)))
  }

  /// −ln p as training takes it, of a sequence with its end or without.
  private func loss(
    of sequence: [Int32], ends: Bool, _ model: SequenceModel, _ weights: ParameterVector
  ) -> (nats: Double, targets: Int) {
    let steps = sequence.count + 1
    let batch = Batch(rows: steps, streams: 1)
    batch.begin(steps: steps, streams: 1)
    batch.totals.elements()[0] = Int32(sequence.count)
    let mark = model.options.end == .symbol ? Self.end : Batch.end
    for t in 0..<steps {
      batch.inputs.elements()[t] = t == 0 ? Self.start : sequence[t - 1]
      batch.targets.elements()[t] =
        t < sequence.count ? sequence[t] : ends ? mark : Batch.noTarget
    }
    let tape = Tape(model.plan, steps: steps, streams: 1, derivatives: false)
    model.forward(tape.begin(batch, weights: weights))
    return (tape.loss.sum, tape.loss.targets)
  }

  private func sequences(of length: Int) -> [[Int32]] {
    (0..<length).reduce([[]]) { all, _ in all.flatMap { past in Self.symbols.map { past + [$0] } } }
  }

  @Test(arguments: ends)
  func `give all sequences probabilities that sum to 1`(end: EndOfSequence) {
    let (model, weights) = ofSymbols(end)
    var sum = 0.0
    for length in 0...Self.longest {
      for sequence in sequences(of: length) {
        let (nats, targets) = loss(of: sequence, ends: true, model, weights)
        #expect(targets == length + 1)
        sum += Double(exp(Real(-nats)))
      }
    }
    // Of the longer ones, those that begin alike have together the probability of the beginning.
    var longer = 0.0
    if !end.isLength {
      for beginning in sequences(of: Self.longest + 1) {
        longer += Double(exp(Real(-loss(of: beginning, ends: false, model, weights).nats)))
      }
      // The start, which the end's symbol may follow, is among the symbols; the end itself is not.
      #expect(longer > 0.001)
    }
    #expect(abs(sum + longer - 1) < 1e-5, "\(end): \(sum) and \(longer)")
  }

  @Test(arguments: ends)
  func `have the likelihood in decoding that training maximises`(end: EndOfSequence) {
    let (model, weights) = ofSymbols(end)
    let decoder = SequenceDecoder(model, weights: weights, start: Self.start, end: Self.end)
    let all = (0...Self.longest).flatMap { sequences(of: $0) }
    let found = decoder.logLikelihoods(of: all, given: all.map { _ in DecoderInput() })
    for (sequence, likelihood) in zip(all, found) {
      let nats = loss(of: sequence, ends: true, model, weights).nats
      #expect(abs(nats + likelihood) < 1e-5, "\(end), \(sequence): \(likelihood) and \(-nats)")
    }
  }

  @Test func `never come where they have no probability`() {
    let (model, weights) = ofSymbols(.length())
    let decoder = SequenceDecoder(model, weights: weights, start: Self.start, end: Self.end)
    let none = [DecoderInput](repeating: DecoderInput(), count: 2)
    let found = decoder.logLikelihoods(of: [[2, 3, 2, 3], [2, 3]], given: none)
    #expect(found[0] == -.infinity)
    #expect(found[1].isFinite)
    let (halting, others) = ofSymbols(.halt)
    let second = SequenceDecoder(halting, weights: others, start: Self.start, end: Self.end)
    #expect(
      second.logLikelihoods(of: [[2, Self.end, 3]], given: [DecoderInput()])[0] == -.infinity)
  }

  @Test(arguments: ends)
  func `are drawn symbol by symbol as often as they are likely`(end: EndOfSequence) {
    let (model, weights) = ofSymbols(end)
    let generator = Generator(model, weights: weights, seed: 4)
    let draws = 3000
    var counts: [[Int32]: Int] = [:]
    for _ in 0..<draws {
      generator.restart()
      generator.read(Self.start)
      var drawn: [Int32] = []
      while let symbol = generator.next(), symbol != Self.end, drawn.count <= Self.longest {
        drawn.append(symbol)
      }
      counts[drawn, default: 0] += 1
    }
    for sequence in (0...2).flatMap({ sequences(of: $0) }) {
      let p = exp(Real(-loss(of: sequence, ends: true, model, weights).nats))
      let share = Real(counts[sequence] ?? 0) / Real(draws)
      #expect(abs(share - p) < 0.03, "\(end), \(sequence): \(share) drawn, probability \(p)")
    }
    if end.isLength { #expect(counts.keys.allSatisfy { $0.count <= Self.longest }) }
  }

  @Test func `come after what a start has already`() {
    let (model, weights) = ofSymbols(.length())
    let generator = Generator(model, weights: weights, seed: 4)
    var counts = [0, 0, 0, 0]
    for _ in 0..<1000 {
      generator.restart(atLeast: 2)
      for symbol in [Self.start, 2, 3] { generator.read(symbol) }
      var count = 2
      while let symbol = generator.next(), symbol != Self.end { count += 1 }
      counts[count] += 1
    }
    #expect(counts[0] + counts[1] == 0)
    let p = (2...3).map { length in
      sequences(of: length).reduce(0.0) {
        $0 + Double(exp(Real(-loss(of: $1, ends: true, model, weights).nats)))
      }
    }
    let share = Double(counts[2]) / 1000
    #expect(abs(share - p[0] / (p[0] + p[1])) < 0.06, "\(share) of length 2, probabilities \(p)")
  }

  // MARK: Numbers

  private func ofNumbers(_ end: EndOfSequence) -> (SequenceModel, ParameterVector) {
    let layer = LayerOptions(.recurrent(cell: "lstm", LSTM.Options(hidden: 4)))
    return make(
      SequenceModelOptions(embedding: nil, layers: [layer], end: end),
      TaskSignature(
        input: .frames(2), output: .numbers(2), ends: TaskSignature.Ends(longest: 6)),
      spread: 0.8)
  }

  /// The loss of a series that a model has made itself, which has no error but that of its end.
  private func loss(
    ofSeries series: [Real], after start: [Real], _ model: SequenceModel,
    _ weights: ParameterVector
  ) -> Double {
    let steps = series.count / 2 + 1
    let batch = Batch(rows: steps, streams: 1, widths: Batch.Widths(features: 2, values: 2))
    batch.begin(steps: steps, streams: 1)
    batch.totals.elements()[0] = Int32(steps - 1)
    for (i, number) in (start + series).enumerated() { batch.features.elements()[i] = number }
    for (i, number) in series.enumerated() { batch.values.elements()[i] = number }
    batch.targets.elements()[steps - 1] = Batch.end
    let tape = Tape(model.plan, steps: steps, streams: 1, derivatives: false)
    model.forward(tape.begin(batch, weights: weights))
    return tape.loss.sum
  }

  @Test(arguments: [EndOfSequence.halt, .length()])
  func `stop series of numbers as often as they are likely to`(end: EndOfSequence) {
    let (model, weights) = ofNumbers(end)
    let (start, draws) = ([Real(0.3), -0.7], 1000)
    let run = SeriesGenerator(model, weights: weights, streams: draws, seed: 3)
    run.read((0..<draws).flatMap { _ in start })
    let series = run.untilEnds(atMost: 40)
    var left = 1.0
    for length in 0...5 {
      let alike = series.filter { $0.count == 2 * length }
      let share = Double(alike.count) / Double(draws)
      guard let one = alike.first, end.isLength || Set(alike).count == 1 else { continue }
      let p = Double(exp(Real(-loss(ofSeries: one, after: start, model, weights))))
      #expect(abs(share - p) < 0.04, "\(end), \(length) outputs: \(share), probability \(p)")
      left -= p
    }
    #expect(Set(series.map(\.count)).count > 2)
    #expect(end == .halt || series.allSatisfy { $0.count <= 12 })
    #expect(left > -0.001 && left < 0.9)

    let likeliest = SeriesGenerator(model, weights: weights, temperature: 0)
    likeliest.read(start)
    let one = likeliest.untilEnds(atMost: 40)[0]
    if end == .halt {
      // It ends at the first step at which that is likelier than to go on.
      var goingOn = 0.0
      for length in 0...one.count / 2 {
        let series = Array(one.prefix(2 * length))
        let p = Double(exp(Real(goingOn - loss(ofSeries: series, after: start, model, weights))))
        #expect((p > 0.5) == (length == one.count / 2) || length == 40, "\(p) after \(length)")
        goingOn -= Double(logarithm(Real(1 - p)))
      }
    }
    if end.isLength {
      let losses = (0...6).map { length -> Double in
        // Any series of the length does: that of a free run differs with the length it knows of.
        let forced = SeriesGenerator(model, weights: weights, temperature: 0)
        forced.restart(atLeast: length)
        forced.read(start)
        let series = forced.untilEnds(atMost: 40)[0]
        return series.count == 2 * length
          ? loss(ofSeries: series, after: start, model, weights) : .infinity
      }
      #expect(one.count == 2 * losses.indices.min { losses[$0] < losses[$1] }!)
    }
  }

  @Test func `leave their symbol no part of a smoothed target`() {
    let layer = LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 5)))
    let model = SequenceModel(
      SequenceModelOptions(embedding: 3, layers: [layer], end: .halt),
      interface: EndCases.all[0].interface, seed: 1,
      objective: TrainingObjective(labelSmoothing: 0.3))
    let trial = SequenceTrial(model)
    trial.run()
    let entry = trial.weights.layout.entry(named: "decoder.bias")!
    let gradient = Array(trial.gradient.elements(of: entry)).map { Double($0) }
    #expect(gradient[2] == 0)
    // Probabilities and targets both sum to 1 over the symbols that are left.
    #expect(abs(gradient.reduce(0, +)) < 1e-5)
    #expect(gradient.contains { abs($0) > 0.1 })
  }

  // MARK: Windows

  @Test(arguments: EndCases.all.indices)
  func `have the same loss in windows as whole`(index: Int) {
    let (name, options, interface) = EndCases.all[index]
    guard interface.source == 0 else { return }
    let trial = SequenceTrial(SequenceModel(options, interface: interface, seed: 1))
    let whole = trial.run(training: false)
    let targets = trial.tape.loss.targets
    #expect(targets == SequenceTrial.lengths.reduce(0, +))
    let tape = Tape(
      trial.model.plan, steps: 2, streams: SequenceTrial.streams, derivatives: true, resets: true)
    let segments = ActivationCheckpointing(
      of: WindowSize(steps: SequenceTrial.steps, streams: SequenceTrial.streams), length: 2,
      on: tape, for: trial.model.plan, widths: trial.batch.widths)
    trial.run()
    let gradient = Array(trial.gradient.buffer.elements())
    trial.gradient.clear()
    segments.differentiate(
      trial.model, trial.batch, weights: trial.weights, gradient: trial.gradient)
    let far = zip(gradient, trial.gradient.buffer.elements()).map { abs($0 - $1) }.max()!
    #expect(far < 1e-4, "\(name): gradients of windows are off by \(far)")
    #expect(abs(tape.loss.sum - whole) < 1e-4 * whole, "\(name): \(tape.loss.sum) of \(whole)")
    #expect(tape.loss.targets == targets)
  }

  #if REAL_IS_DOUBLE
    @Test(arguments: EndCases.all.indices)
    func `have the derivatives of their loss in a later window`(index: Int) {
      let (name, options, interface) = EndCases.all[index]
      guard interface.source == 0 else { return }
      let trial = SequenceTrial(SequenceModel(options, interface: interface, seed: 1))
      trial.fill(position: 3)
      for (parameter, error, size) in trial.errors() {
        #expect(size > 0, "\(name): \(parameter) has no gradient")
        #expect(error < 1e-6, "\(name): \(parameter) is off by \(error)")
      }
    }
  #endif
}
