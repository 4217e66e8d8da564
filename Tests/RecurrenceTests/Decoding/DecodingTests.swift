import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// Compares decoding step by step, in which states follow their hypotheses, with runs over whole sequences.
@Suite struct `Decoding` {
  static let start: Int32 = 0
  static let end: Int32 = 1
  static let symbols = 4

  static func layer(_ hidden: Int, _ cell: any CellOptions, _ name: String) -> LayerOptions {
    LayerOptions(.recurrent(cell: name, cell))
  }
  static let gru = layer(5, GRU.Options(hidden: 5), "gru")
  static let lstm = layer(4, LSTM.Options(hidden: 4), "lstm")
  /// Reads two steps back, so that more than the last step has to follow a hypothesis.
  static let skip = layer(5, Skip.Options(hidden: 5, delays: [2]), "skip")
  static let taught = layer(5, Jordan.Options(hidden: 5, teacherForcing: true), "jordan")

  static var models:
    [(name: String, options: SequenceModelOptions, condition: Int, source: Int, frames: Int)]
  {
    ofSymbols.map { ($0, $1, $2, $3, 0) }
      + ofSymbols.filter { $0.source > 0 }.map { name, options, condition, _ in
        var options = options
        options.encoder!.embedding = nil
        return ("of frames: \(name)", options, condition, 0, 3)
      }
  }

  private static var ofSymbols:
    [(name: String, options: SequenceModelOptions, condition: Int, source: Int)]
  {
    let source = EncoderOptions(embedding: 3, layers: [gru])
    var both = source
    both.layers[0].bidirectional = .concat
    return [
      (
        "initial states",
        SequenceModelOptions(embedding: 3, layers: [lstm, skip], encoder: source), 0, 6
      ),
      (
        "additive attention",
        SequenceModelOptions(
          embedding: 3, layers: [lstm],
          encoder: both.entering(context: .both, attention: AttentionOptions(.additive))), 0, 6
      ),
      (
        "multiplicative attention and a condition",
        SequenceModelOptions(
          embedding: 3, layers: [gru, lstm], condition: .firstInput,
          encoder: both.entering(context: .everyStep, attention: AttentionOptions(.multiplicative))),
        2, 6
      ),
      (
        "attention before each step",
        SequenceModelOptions(
          embedding: 3, layers: [lstm, skip],
          encoder: both.entering(attention: AttentionOptions(.additive, at: .input))), 0, 6
      ),
      (
        "a condition alone",
        SequenceModelOptions(embedding: 3, layers: [gru, taught], condition: .initialState), 2, 0
      ),
      (
        "halting",
        SequenceModelOptions(embedding: 3, layers: [lstm, skip], encoder: source, end: .halt),
        0, 6
      ),
      (
        "a length predicted from a source and a condition",
        SequenceModelOptions(
          embedding: 3, layers: [skip, lstm],
          encoder: source.entering(attention: AttentionOptions(.additive)), end: .length()),
        2, 6
      ),
      (
        "a length known to be",
        SequenceModelOptions(embedding: 3, layers: [taught], end: .length(input: .total)), 2, 0
      ),
    ]
  }

  /// A decoder with weights so large that sequences differ much in likelihood, and what it is given.
  private func make(_ index: Int) -> (
    SequenceDecoder, [DecoderInput], SequenceModel, ParameterVector
  ) {
    let (_, options, condition, source, width) = Self.models[index]
    let interface = TaskSignature(
      input: .symbols(Self.symbols), output: .symbols(Self.symbols), condition: condition,
      source: source, sourceFrames: width,
      ends: TaskSignature.Ends(symbol: Int(Self.end), longest: 5))
    let model = SequenceModel(options, interface: interface, seed: 1)
    let weights = drawWeights(model.plan, spread: 2.5)
    let data = Philox(seed: 8, name: "data")
    let given = (0..<70).map { k in
      DecoderInput(
        source: (0..<(source > 0 ? 1 + k % 5 : 0)).map {
          Int32(data.uniform(UInt64(100 * k + $0)) * Double(source))
        },
        frames: Frames(
          width: width,
          numbers: (0..<width * (1 + k % 5)).map {
            Real(4 * data.uniform(UInt64(20_000 + 100 * k + $0)) - 2)
          }),
        condition: (0..<condition).map { Real(data.uniform(UInt64(10_000 + 2 * k + $0)) - 0.5) })
    }
    return (
      SequenceDecoder(model, weights: weights, start: Self.start, end: Self.end), given, model,
      weights
    )
  }

  /// All sequences of at most so many symbols, the end included.
  private func allSequences(_ longest: Int) -> [[Int32]] {
    var all: [[Int32]] = [[]]
    var last: [[Int32]] = [[]]
    for _ in 1..<longest {
      last = last.flatMap { past in [0, 2, 3].map { past + [$0] } }
      all += last
    }
    return all
  }

  @Test(arguments: models.indices)
  func `a beam that holds everything finds the best of all sequences`(index: Int) {
    let (decoder, all, _, _) = make(index)
    let given = Array(all.prefix(6))
    let longest = 4
    let sequences = allSequences(longest)
    for alpha in [0, 1, 2.5] {
      let normalisation = LengthNormalisation(alpha: alpha)
      let found = decoder.search(
        given, beam: 256, maximumLength: longest, normalisation: normalisation)
      for (one, hypotheses) in zip(given, found) {
        let likelihoods = decoder.logLikelihoods(
          of: sequences, given: sequences.map { _ in one })
        let scores = zip(sequences, likelihoods).map {
          normalisation.score($1, length: $0.count + 1)
        }
        let best = scores.indices.max { scores[$0] < scores[$1] }!
        #expect(
          hypotheses[0].symbols == sequences[best], "\(Self.models[index].name), α = \(alpha)")
        #expect(abs(hypotheses[0].logLikelihood - likelihoods[best]) < 1e-4)
        #expect(hypotheses[0].isFinished)
      }
    }
  }

  @Test(arguments: models.indices)
  func `a beam of 1 is greedy`(index: Int) {
    let (decoder, given, _, _) = make(index)
    let greedy = decoder.greedy(given, maximumLength: 7)
    let narrow = decoder.search(given, beam: 1, maximumLength: 7)
    #expect(narrow.map { $0[0].symbols } == greedy.map(\.symbols))
    #expect(narrow.map { $0[0].isFinished } == greedy.map(\.isFinished))
    #expect(narrow.allSatisfy { $0.count == 1 })
    // Otherwise all this would say little.
    #expect(Set(greedy.map(\.symbols)).count > 1)
  }

  @Test(arguments: models.indices)
  func `a hypothesis has the likelihood that its sequence has by itself`(index: Int) {
    let (decoder, given, _, _) = make(index)
    let found = decoder.search(given, beam: 5, maximumLength: 6).flatMap { $0 }
    let owners = decoder.search(given, beam: 5, maximumLength: 6).enumerated().flatMap { k, all in
      all.map { _ in given[k] }
    }
    let drawn = decoder.sample(given, maximumLength: 6, seed: 3)
    for (hypotheses, given) in [(found, owners), (drawn, given)] {
      let pairs = zip(hypotheses, given).filter { $0.0.isFinished }
      #expect(pairs.count > given.count / 5)
      let alone = pairs.map { decoder.logLikelihoods(of: [$0.0.symbols], given: [$0.1])[0] }
      for ((hypothesis, _), likelihood) in zip(pairs, alone) {
        #expect(abs(hypothesis.logLikelihood - likelihood) < 1e-4, "\(Self.models[index].name)")
      }
    }
  }

  @Test(arguments: models.indices)
  func `sequences that are found are found alone too`(index: Int) {
    let (decoder, given, _, _) = make(index)
    let together = decoder.search(given, beam: 3, maximumLength: 6)
    for k in stride(from: 0, to: given.count, by: 9) {
      let alone = decoder.search([given[k]], beam: 3, maximumLength: 6)[0]
      #expect(alone.map(\.symbols) == together[k].map(\.symbols))
    }
    let all = decoder.logLikelihoods(of: together.map { $0[0].symbols }, given: given)
    for k in given.indices where together[k][0].isFinished {
      #expect(abs(all[k] - together[k][0].logLikelihood) < 1e-4)
    }
  }

  @Test(arguments: [0, 1, 3, 5, 6])
  func `what is found of a source is a function of that source alone`(index: Int) {
    let (decoder, given, _, _) = make(index)
    let mixed = given.enumerated().map { k, one in
      var one = one
      one.source = (0..<1 + 5 * k % 23).map { Int32(($0 + k) % 6) }
      return one
    }
    let order = mixed.indices.sorted { (7 * $0 % 11, $0) < (7 * $1 % 11, $1) }
    func check(_ name: String, _ find: ([DecoderInput]) -> [[Hypothesis]]) {
      let together = find(mixed)
      let shuffled = find(order.map { mixed[$0] })
      for (place, k) in order.enumerated() {
        #expect(shuffled[place].map(\.symbols) == together[k].map(\.symbols), "\(name) \(k)")
      }
      for (k, one) in mixed.enumerated() {
        let alone = find([one])[0]
        #expect(alone.map(\.symbols) == together[k].map(\.symbols), "\(name) \(k)")
        #expect(alone.allSatisfy { $0.length <= 2 * one.source.count + 10 })
        for (a, b) in zip(alone, together[k]) {
          #expect(abs(a.logLikelihood - b.logLikelihood) < 1e-3)
        }
      }
    }
    check("greedy") { decoder.greedy($0).map { [$0] } }
    check("beam") { decoder.search($0, beam: 3) }
    check("narrow") { decoder.search($0, beam: 2, normalisation: LengthNormalisation(alpha: 3)) }
  }

  @Test func `a drawn sequence is a function of its number`() {
    let (decoder, given, _, _) = make(1)
    let all = decoder.sample(given, seed: 5)
    let rest = decoder.sample(Array(given[7...]), seed: 5, first: 7)
    #expect(all[7...].map(\.symbols) == rest.map(\.symbols))
    #expect(all.map(\.symbols) != decoder.sample(given, seed: 6).map(\.symbols))
  }

  @Test func `the likelihood of sequences is the loss of training with them`() {
    let (decoder, given, model, weights) = make(1)
    let one = given[4]
    let target: [Int32] = [3, 0, 2]
    let source = Batch(rows: one.source.count, streams: 1)
    source.begin(steps: one.source.count, streams: 1)
    for (t, symbol) in one.source.enumerated() { source.inputs.elements()[t] = symbol }
    let batch = Batch(rows: 4, streams: 1, source: source)
    batch.begin(steps: 4, streams: 1)
    for (t, symbol) in ([Self.start] + target).enumerated() { batch.inputs.elements()[t] = symbol }
    for (t, symbol) in (target + [Self.end]).enumerated() { batch.targets.elements()[t] = symbol }
    let tape = Tape(
      model.plan, fitting: [WindowSize(steps: 4, streams: 1, sourceSteps: one.source.count)],
      derivatives: false)
    model.forward(tape.begin(batch, weights: weights))
    let likelihood = decoder.logLikelihoods(of: [target], given: [one])[0]
    #expect(abs(tape.loss.sum + likelihood) < 1e-5)
  }

  @Test(arguments: [0, 5, 6, 7])
  func `samples follow the distribution`(index: Int) {
    let (decoder, given, _, _) = make(index)
    let draws = 3000
    let sequences = allSequences(2)
    let expected = decoder.logLikelihoods(of: sequences, given: sequences.map { _ in given[0] })
    let drawn = decoder.sample(
      [DecoderInput](repeating: given[0], count: draws), maximumLength: 6, seed: 5)
    for (sequence, likelihood) in zip(sequences, expected) {
      let p = exp(Real(likelihood))
      let share = Real(drawn.count { $0.isFinished && $0.symbols == sequence }) / Real(draws)
      #expect(abs(share - p) < 0.04, "\(sequence): \(share) of the draws, probability \(p)")
    }
    #expect(
      decoder.sample(given, maximumLength: 6, seed: 5)
        == decoder.sample(given, maximumLength: 6, seed: 5))
    #expect(
      decoder.sample(given, maximumLength: 6, Sampling(temperature: 0), seed: 5)
        == decoder.greedy(given, maximumLength: 6))
  }

  @Test func `excluded symbols are never chosen, and lengths are kept`() {
    let (_, given, model, weights) = make(1)
    let decoder = SequenceDecoder(
      model, weights: weights, start: Self.start, end: Self.end, excluded: [2])
    let found =
      decoder.greedy(given, maximumLength: 5) + decoder.sample(given, maximumLength: 5, seed: 1)
      + decoder.search(given, beam: 3, maximumLength: 5).flatMap { $0 }
    #expect(found.allSatisfy { !$0.symbols.contains(2) && $0.length <= 5 })
    #expect(found.contains { $0.symbols.contains(3) })
  }

  @Test func `say for which models no sequences are found`() {
    let symbols = TaskSignature.Input.symbols(4)
    #expect(SequenceDecoder.incompatibility(with: TaskSignature(vocabulary: 4)) == nil)
    #expect(
      SequenceDecoder.incompatibility(with: TaskSignature(input: symbols, output: .numbers(1)))
        != nil
    )
    #expect(
      SequenceDecoder.incompatibility(with: TaskSignature(input: symbols, output: .symbols(5)))
        != nil
    )
  }
}
