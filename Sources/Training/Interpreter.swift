internal import Datasets
public import LinearAlgebra
public import Recurrence

/// Says what an encoder–decoder makes of sources, line by line.
public struct Interpreter {
  private let decoder: SequenceDecoder
  private let symbols, source: Vocabulary

  /// - Throws: `CheckpointError` where the model has no encoder, too.
  public init(_ checkpoint: Checkpoint, precision: Precision? = nil) throws {
    let (model, weights) = try checkpoint.anyModel(precision: precision)
    let vocabularies = try checkpoint.vocabularies()
    guard let model = model as? SequenceModel, let source = vocabularies.source,
      let start = vocabularies.inputs.begin, let end = vocabularies.inputs.end
    else {
      throw CheckpointError(
        .damaged, checkpoint.path,
        "\(checkpoint.path) has no encoder, so nothing can be made of a source: use unroll generate"
      )
    }
    symbols = vocabularies.inputs
    self.source = source
    decoder = SequenceDecoder(
      model, weights: weights, start: start, end: end,
      excluded: Set([start, symbols.unknown].compactMap(\.self)))
  }

  /// The best of the hypotheses of a beam for each line.
  public func search(
    _ lines: [String], beam: Int, normalisation: LengthNormalisation
  ) -> [String] {
    decoder.search(lines.map(given), beam: beam, normalisation: normalisation).map {
      text($0.first)
    }
  }

  /// A drawn sequence for each line.
  /// - Parameter first: the number of the first line, which what is drawn depends on.
  public func sample(
    _ lines: [String], from first: Int = 0, _ sampling: Sampling, seed: UInt64
  ) -> [String] {
    decoder.sample(lines.map(given), sampling, seed: seed, first: first).map { text($0) }
  }

  /// −ln p of each line and of its end, given its source.
  public func score(_ lines: [String], of sources: [String]) -> [Score] {
    let said = lines.map { symbols.encode($0) }
    return zip(said, decoder.logLikelihoods(of: said, given: sources.map(given))).map {
      Score(nats: -$1, targets: $0.count + 1)
    }
  }

  private func given(_ line: String) -> Given {
    Given(source: source.encode(line) + [source.end].compactMap(\.self))
  }

  private func text(_ hypothesis: Hypothesis?) -> String {
    symbols.decode(hypothesis?.symbols ?? [])
  }
}
