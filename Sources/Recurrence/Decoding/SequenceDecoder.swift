internal import LinearAlgebra
public import Sequences

/// Decodes output sequences from a model by greedy decoding, sampling or beam search, and scores
/// given sequences.
///
/// The source of each sequence is encoded once. Then each step is one forward pass over all
/// hypotheses of several sequences, as parallel streams.
public final class SequenceDecoder {
  let model: SequenceModel
  let weights: ParameterVector
  /// The symbol read at the first step, and the end-of-sequence symbol.
  let start, end: Int32
  /// Symbols that are never decoded, such as `<unk>`.
  let excluded: Set<Int32>
  /// The most hypotheses decoded in parallel.
  private static let streams = 64
  /// The most steps, summed over sequences, that are scored in parallel when there is more than one
  /// sequence.
  private static let steps = 1 << 14

  public init(
    _ model: SequenceModel, weights: ParameterVector, start: Int32, end: Int32,
    excluded: Set<Int32> = []
  ) {
    if let problem = Self.incompatibility(with: model.interface) { preconditionFailure(problem) }
    precondition(!excluded.contains(end), "sequences that must not end")
    precondition(
      model.options.end == .symbol || model.interface.ends?.symbol == Int(end),
      "the end \(end) of a model with the ends \(String(describing: model.interface.ends))")
    self.model = model
    self.weights = weights
    self.start = start
    self.end = end
    self.excluded = excluded
  }

  /// Returns why a model cannot decode sequences, or nil if it can.
  public static func incompatibility(with interface: TaskSignature) -> String? {
    guard case .symbols(let count) = interface.output else {
      return "decoding goes symbol by symbol, and this model predicts numbers or labels"
    }
    guard interface.input == .symbols(count) else {
      return "decoding feeds each predicted symbol back, and this model reads other symbols "
        + "than it predicts"
    }
    return nil
  }

  /// Takes the likeliest symbol at each step.
  /// - Parameters:
  ///   - given: The inputs, one per sequence.
  ///   - maximumLength: The most symbols, including end-of-sequence; nil for each input's own
  ///     `DecoderInput.greatestLength`.
  public func greedy(_ given: [DecoderInput], maximumLength: Int? = nil) -> [Hypothesis] {
    func likeliest(_ logits: Row, _ excluded: Set<Int32>) -> Int32 {
      var best = -1
      for v in 0..<logits.count where !excluded.contains(Int32(v)) {
        if best < 0 || logits[v] > logits[best] { best = v }
      }
      return Int32(best)
    }
    return unroll(given, maximumLength: maximumLength, likeliest: 1 + excluded.count) {
      [excluded] logits, _, step in
      likeliest(logits, step == nil ? [] : excluded)
    }
  }

  /// Samples each symbol from its distribution given the symbols before it (ancestral sampling).
  /// - Parameters:
  ///   - given: The inputs, one per sequence.
  ///   - maximumLength: The most symbols, including end-of-sequence; nil for each input's own
  ///     `DecoderInput.greatestLength`.
  ///   - sampling: The temperature, the excluded symbols and the other options of sampling.
  ///   - seed: The same seed and the same sequence number give the same sample.
  ///   - first: The number of the first sequence, for callers that decode in parts.
  public func sample(
    _ given: [DecoderInput], maximumLength: Int? = nil, _ sampling: Sampling = Sampling(),
    seed: UInt64,
    first: Int = 0
  ) -> [Hypothesis] {
    let lengths = Sampling(temperature: sampling.temperature)
    var sampling = sampling
    sampling.excluded.formUnion(excluded)
    let random = Philox(seed: seed, name: "decode")
    let width = max(
      model.interface.output.width, model.predictedLength.map { $0.longest + 1 } ?? 0)
    let spare = Buffer<Real>(count: width)
    return unroll(given, maximumLength: maximumLength, likeliest: sampling.likeliest) {
      [end] logits, index, step in
      // Sampling overwrites the logits, so it gets a copy.
      let copy = Matrix(spare, rows: 1, columns: logits.count)[0]
      copy.copy(logits)
      let number = random.fineUniform(
        UInt64(first + index) << 32 | UInt64(step ?? Int(UInt32.max)))
      return step == nil
        ? lengths.draw(copy, number) ?? 0 : sampling.draw(copy, number) ?? end
    }
  }

  /// Decodes step by step.
  /// - Parameters:
  ///   - count: The number of likeliest symbols that `choose` needs; nil for all.
  ///   - choose: Returns the next symbol, given the logits, the sequence's index in `given` and the
  ///     step. The step is nil when the logits are those of a length prediction.
  private func unroll(
    _ given: [DecoderInput], maximumLength: Int?, likeliest count: Int?,
    _ choose: (Row, Int, Int?) -> Int32
  ) -> [Hypothesis] {
    var result = [Hypothesis](
      repeating: Hypothesis(symbols: [], logLikelihood: 0, isFinished: false), count: given.count)
    forEachGroup(of: given, copies: 1) { reader, places in
      if let lengths = reader.lengths() {
        let totals = places.enumerated().map { s, place in Int(choose(lengths[s], place, nil)) }
        for (s, place) in places.enumerated() {
          result[place].logLikelihood = Double(lengths[s, totals[s]])
        }
        reader.expect(totals)
      }
      var symbols = [Int32](repeating: start, count: places.count)
      let parents = Array(places.indices)
      let limits = places.map { maximumLength ?? given[$0].greatestLength }
      for step in 0..<limits.max()! {
        let logits = reader.read(symbols, from: parents, likeliest: count)
        for (s, place) in places.enumerated() where !result[place].isFinished && step < limits[s] {
          let symbol = choose(logits[s], place, step)
          result[place].logLikelihood += Double(logits[s, Int(symbol)])
          result[place].logLikelihood -= Double(model.normaliser(logits[s]))
          result[place].isFinished = symbol == end
          if symbol != end { result[place].symbols.append(symbol) }
          symbols[s] = symbol
        }
        if places.indices.allSatisfy({ result[places[$0]].isFinished || step + 1 >= limits[$0] }) {
          break
        }
      }
    }
    return result
  }

  /// Returns ln p of each target sequence, including end-of-sequence, in nats; −∞ if the model can
  /// never produce it.
  public func logLikelihoods(of targets: [[Int32]], given: [DecoderInput]) -> [Double] {
    precondition(targets.count == given.count, "\(targets.count) sequences of \(given.count)")
    var result = [Double](repeating: 0, count: given.count)
    for places in Self.groups(
      of: zip(given, targets).map { ($0.sourceSteps, $1.count + 1) }, most: Self.streams)
    {
      let steps = places.map { targets[$0].count + 1 }.max()!
      let reader = HypothesisReader(
        model, weights, given: places.map { given[$0] }, copies: 1, steps: steps)
      let found = reader.read(places.map { targets[$0] }, start, end: end)
      for (place, likelihood) in zip(places, found) { result[place] = likelihood }
    }
    return result
  }

  /// Runs `body` on groups of sequences that are decoded in parallel; each group has sources of
  /// similar length.
  func forEachGroup(
    of given: [DecoderInput], copies: Int, _ body: (HypothesisReader, [Int]) -> Void
  ) {
    for places in Self.groups(ofSources: given.map(\.sourceSteps), hypotheses: copies) {
      body(
        HypothesisReader(model, weights, given: places.map { given[$0] }, copies: copies, steps: 1),
        places)
    }
  }

  /// Groups sequences to be decoded in parallel, by the lengths of their sources. A group that is
  /// decoded alone forms the same group again.
  public static func groups(ofSources lengths: [Int], hypotheses: Int) -> [[Int]] {
    groups(of: lengths.map { ($0, 1) }, most: max(streams / hypotheses, 1))
  }

  /// Groups at most `most` sequences of similar lengths; fewer if they are long.
  private static func groups(of lengths: [(source: Int, steps: Int)], most: Int) -> [[Int]] {
    let order = lengths.indices.sorted {
      (lengths[$0].source, lengths[$0].steps, $0) < (lengths[$1].source, lengths[$1].steps, $1)
    }
    var groups: [[Int]] = []
    var longest = 0
    for place in order {
      longest = max(longest, lengths[place].steps)
      if let count = groups.last?.count, count < most, longest * (count + 1) <= Self.steps {
        groups[groups.count - 1].append(place)
      } else {
        groups.append([place])
        longest = lengths[place].steps
      }
    }
    return groups
  }
}
