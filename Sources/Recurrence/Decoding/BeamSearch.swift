internal import LinearAlgebra

extension SequenceDecoder {
  /// Finds the best sequences by beam search.
  ///
  /// Each step keeps the `beam` likeliest continuations of all live hypotheses. A hypothesis that
  /// ends leaves the beam, which is narrower by one from then on (Sutskever 2014). The search stops
  /// when the beam is empty, at the maximum length, or when no live hypothesis can score better
  /// than the best finished one. If nothing ends, the hypotheses at the maximum length are the
  /// result. A model with length prediction starts the beam with the likeliest lengths.
  /// - Parameters:
  ///   - given: The inputs, one per sequence.
  ///   - beam: The width of the beam; 1 is greedy decoding.
  ///   - maximumLength: The most symbols, including end-of-sequence; nil for each input's own
  ///     `greatestLength`.
  ///   - normalisation: The rule by which sequences of different lengths are compared.
  /// - Returns: The hypotheses of each sequence, the best first.
  public func search(
    _ given: [DecoderInput], beam: Int, maximumLength: Int? = nil,
    normalisation: LengthNormalisation = LengthNormalisation(alpha: 1)
  ) -> [[Hypothesis]] {
    precondition(beam > 0, "a beam of \(beam)")
    var result = [[Hypothesis]](repeating: [], count: given.count)
    forEachGroup(of: given, copies: beam) { reader, places in
      var beams = places.map { _ in Beam(width: beam, normalisation) }
      if let lengths = reader.lengths() {
        var totals = [Int](repeating: 0, count: lengths.rows)
        for b in beams.indices {
          let begun = beams[b].begin(lengths.slice(rows: b * beam..<b * beam + 1))
          totals.replaceSubrange(b * beam..<b * beam + begun.count, with: begun)
        }
        reader.expect(totals)
      }
      var symbols = [Int32](repeating: start, count: places.count * beam)
      var parents = Array(symbols.indices)
      let limits = places.map { max(maximumLength ?? given[$0].greatestLength, 1) }
      for step in 1...limits.max()! where beams.contains(where: { !$0.isDone }) {
        let logits = reader.read(
          symbols, from: parents, likeliest: beam + excluded.count)
        for b in beams.indices where !beams[b].isDone {
          let rows = b * beam..<(b + 1) * beam
          beams[b].advance(
            logits.slice(rows: rows), end: end, excluded: excluded, longest: limits[b],
            isLast: step == limits[b], model.normaliser)
          for (k, live) in beams[b].live.enumerated() {
            symbols[rows.lowerBound + k] = live.symbols.last!
            parents[rows.lowerBound + k] = rows.lowerBound + live.parent
          }
        }
      }
      for (beam, place) in zip(beams, places) { result[place] = beam.best }
    }
    return result
  }
}

/// The hypotheses of one sequence.
private struct Beam {
  struct Partial {
    var symbols: [Int32]
    var logLikelihood: Double
    /// The index of the hypothesis that this one continues.
    var parent: Int
  }
  private struct Candidate {
    let parent: Int
    let symbol: Int32
    let logLikelihood: Double
  }

  private(set) var live = [Partial(symbols: [], logLikelihood: 0, parent: 0)]
  private(set) var isDone = false
  private var finished: [Hypothesis] = []
  private let width: Int
  private let normalisation: LengthNormalisation

  init(width: Int, _ normalisation: LengthNormalisation) {
    self.width = width
    self.normalisation = normalisation
  }

  /// Starts with the likeliest lengths, one hypothesis each, and returns these lengths.
  mutating func begin(_ lengths: Matrix) -> [Int] {
    let likeliest = best(width, of: lengths, [], \.logSumExp)
    live = likeliest.enumerated().map { k, candidate in
      Partial(symbols: [], logLikelihood: candidate.logLikelihood, parent: k)
    }
    return likeliest.map { Int($0.symbol) }
  }

  /// Extends the live hypotheses by one symbol.
  /// - Parameters:
  ///   - logits: One row per live hypothesis, perhaps followed by unused rows.
  ///   - normaliser: Returns ln Σ exp of a row of logits.
  mutating func advance(
    _ logits: Matrix, end: Int32, excluded: Set<Int32>, longest: Int, isLast: Bool,
    _ normaliser: (Row) -> Real
  ) {
    let candidates = best(width - finished.count, of: logits, excluded, normaliser)
    var next: [Partial] = []
    for candidate in candidates {
      let past = live[candidate.parent].symbols
      if candidate.symbol == end {
        finished.append(
          Hypothesis(
            symbols: past, logLikelihood: candidate.logLikelihood, isFinished: true))
      } else {
        next.append(
          Partial(
            symbols: past + [candidate.symbol], logLikelihood: candidate.logLikelihood,
            parent: candidate.parent))
      }
    }
    live = next
    isDone = isLast || live.isEmpty || !canImprove(longest)
  }

  /// True if a live hypothesis can still score better than all finished ones. A likelihood only
  /// falls, and its divisor is largest at the maximum length.
  private func canImprove(_ longest: Int) -> Bool {
    guard let best = finished.map(normalisation.score).max() else { return true }
    return live.contains { normalisation.score($0.logLikelihood, length: longest) > best }
  }

  /// Returns the likeliest continuations. Among equals, the first hypothesis and the first symbol
  /// win.
  private func best(
    _ count: Int, of logits: Matrix, _ excluded: Set<Int32>, _ normaliser: (Row) -> Real
  ) -> [Candidate] {
    var best: [Candidate] = []
    for (k, hypothesis) in live.enumerated() {
      let row = logits[k]
      let base = hypothesis.logLikelihood - Double(normaliser(row))
      for v in 0..<row.count {
        let likelihood = base + Double(row[v])
        if likelihood == -.infinity { continue }
        if best.count == count, likelihood <= best[count - 1].logLikelihood { continue }
        if excluded.contains(Int32(v)) { continue }
        if best.count == count { best.removeLast() }
        // Equally likely candidates stay in the order in which they were found.
        var (low, high) = (0, best.count)
        while low < high {
          let middle = (low + high) / 2
          if best[middle].logLikelihood >= likelihood { low = middle + 1 } else { high = middle }
        }
        best.insert(Candidate(parent: k, symbol: Int32(v), logLikelihood: likelihood), at: low)
      }
    }
    return best
  }

  /// The finished hypotheses, or the live ones if none has finished; the best first.
  var best: [Hypothesis] {
    let all =
      !finished.isEmpty
      ? finished
      : live.map {
        Hypothesis(symbols: $0.symbols, logLikelihood: $0.logLikelihood, isFinished: false)
      }
    return all.enumerated().sorted { a, b in
      let (x, y) = (normalisation.score(a.element), normalisation.score(b.element))
      return x > y || x == y && a.offset < b.offset
    }.map(\.element)
  }
}
