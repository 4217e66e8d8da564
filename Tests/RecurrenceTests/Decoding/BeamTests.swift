import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// Beams that are too narrow for everything, against a search in plain loops.
@Suite struct `Beams` {
  private static let symbols = 6

  private let model: SequenceModel
  private let weights: ParameterVector

  init() {
    let gru = LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 5)))
    model = SequenceModel(
      SequenceModelOptions(embedding: 3, layers: [gru], condition: .initialState),
      interface: TaskSignature(
        input: .symbols(Self.symbols), output: .symbols(Self.symbols), condition: 2), seed: 1)
    weights = ParameterVector(ParameterLayout(model.plan))
    weights.update { weights in
      for entry in weights.layout.entries {
        Philox(seed: 2, name: entry.name).fillUniform(weights[entry], scale: 1.5)
      }
    }
  }

  private func decoder(end: Int32) -> SequenceDecoder {
    SequenceDecoder(model, weights: weights, start: 0, end: end)
  }

  /// The symbols of what a beam finds, the best first.
  private func search(
    _ given: DecoderInput, _ decoders: [SequenceDecoder], beam: Int, longest: Int,
    _ normalisation: LengthNormalisation
  ) -> [[Int32]] {
    typealias Found = (symbols: [Int32], likelihood: Double)
    var live: [Found] = [([], 0)]
    var ended: [Found] = []
    func score(_ one: Found, length: Int) -> Double {
      normalisation.score(one.likelihood, length: length)
    }
    for _ in 0..<longest {
      // What has a symbol as its end has the likelihood of the sequence that goes on with it.
      let all = live.flatMap { past in
        decoders.indices.map { v -> Found in
          let likelihood = decoders[v].logLikelihoods(of: [past.symbols], given: [given])[0]
          return (past.symbols + [Int32(v)], likelihood)
        }
      }
      let chosen = all.sorted { $0.likelihood > $1.likelihood }.prefix(beam - ended.count)
      ended += chosen.filter { $0.symbols.last == 1 }
      live = chosen.filter { $0.symbols.last != 1 }
      let best = ended.map { score($0, length: $0.symbols.count) }.max() ?? -.infinity
      if !live.contains(where: { score($0, length: longest) > best }) { break }
    }
    return (ended.isEmpty ? live : ended)
      .sorted { score($0, length: $0.symbols.count) > score($1, length: $1.symbols.count) }
      .map { $0.symbols.last == 1 ? $0.symbols.dropLast() : $0.symbols }
  }

  @Test(arguments: [2, 3, 5], [0, 1, 4])
  func `find what plain loops find`(beam: Int, alpha: Double) {
    let decoders = (0..<Self.symbols).map { decoder(end: Int32($0)) }
    let normalisation = LengthNormalisation(alpha: alpha)
    let random = Philox(seed: 3, name: "conditions")
    let given = (0..<40).map { k in
      DecoderInput(condition: (0..<2).map { Real(8 * random.uniform(UInt64(2 * k + $0)) - 4) })
    }
    let found = decoders[1].search(
      given, beam: beam, maximumLength: 7, normalisation: normalisation)
    for (one, hypotheses) in zip(given, found) {
      #expect(
        hypotheses.map(\.symbols)
          == search(one, decoders, beam: beam, longest: 7, normalisation))
    }
    #expect(Set(found.map { $0[0].symbols }).count > 2, "or all this would say little")
  }

  @Test func `put the first symbol first among equals`() {
    weights.update { $0.buffer.clear() }
    let found = decoder(end: 5).search(
      [DecoderInput(condition: [0, 0])], beam: 3, maximumLength: 1)
    #expect(found[0].map(\.symbols) == [[0], [1], [2]])
  }

  @Test func `compare lengths by ((5 + n) / 6)^α`() {
    // Wu 2016: a single symbol counts as it is, seven count as two with α = 1.
    for alpha in [0, 0.7, 3] {
      #expect(LengthNormalisation(alpha: alpha).score(-3, length: 1) == -3)
    }
    #expect(LengthNormalisation(alpha: 1).score(-3, length: 7) == -1.5)
    #expect(LengthNormalisation(alpha: 2).score(-4, length: 7) == -1)
    let ended = Hypothesis(symbols: [2, 3, 2, 3, 2, 3], logLikelihood: -3, isFinished: true)
    #expect(LengthNormalisation(alpha: 1).score(ended) == -1.5)
  }
}
