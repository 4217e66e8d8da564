public import Datasets
internal import LinearAlgebra
public import Recurrence
internal import Sequences

/// Computes the log-probability of single lines. Each line is read from the zero state after an end
/// of line or, by a model of sequences, as a sequence with its end.
public final class LineScorer {
  private let model: SequenceModel
  private let weights: ParameterVector
  private let vocabulary: Vocabulary
  private let windows: WindowRunner
  private let batch: Batch
  private let lineEnd: [Int32]
  /// The decoder, for a model of sequences.
  private let sequences: SequenceDecoder?
  private static let window = 64

  /// - Throws: `DataError` if the vocabulary has no end of line.
  public init(
    _ model: SequenceModel, weights: ParameterVector, vocabulary: Vocabulary
  ) throws(DataError) {
    self.model = model
    self.weights = weights
    self.vocabulary = vocabulary
    windows = WindowRunner(model.plan, fitting: [WindowSize(steps: Self.window, streams: 1)])
    batch = Batch(rows: Self.window)
    guard model.interface.isRunning else {
      guard let start = vocabulary.begin, let end = vocabulary.end, model.interface.encoded == nil
      else {
        throw DataError(
          "lines are not sequences of this model: score files with unroll evaluate")
      }
      sequences = SequenceDecoder(model, weights: weights, start: start, end: end)
      lineEnd = []
      return
    }
    sequences = nil
    lineEnd = vocabulary.encode("\n")
    guard !lineEnd.isEmpty, lineEnd != vocabulary.unknown.map({ [$0] }) else {
      throw DataError(
        "the model's vocabulary has no end of line, so lines have no probability: score whole texts "
          + "with unroll evaluate")
    }
  }

  /// Returns −ln p of each line's symbols and of its end; lines that are sequences are scored in
  /// parallel.
  /// - Parameters:
  ///   - lines: The lines to score, without their line breaks.
  ///   - given: The condition of each line; empty for the lines of a text.
  public func score(_ lines: [String], given: [DecoderInput]) -> [Score] {
    guard let sequences else { return lines.map(score) }
    let symbols = lines.map { vocabulary.encode($0) }
    return zip(symbols, sequences.logLikelihoods(of: symbols, given: given)).map {
      Score(lossSum: -$1, targets: $0.count + 1)
    }
  }

  /// Returns −ln p of a line of a text.
  private func score(_ line: String) -> Score {
    let symbols = lineEnd + vocabulary.encode(line + "\n")
    var score = Score(lossSum: 0, targets: 0)
    windows.clear()
    var start = 0
    while start < symbols.count - 1 {
      let steps = min(Self.window, symbols.count - 1 - start)
      batch.begin(steps: steps, streams: 1)
      for t in 0..<steps {
        batch.inputs.start[t] = symbols[start + t]
        batch.targets.start[t] = symbols[start + t + 1]
      }
      windows.run(batch, weights: weights) { pass in
        model.forward(pass)
        score.lossSum += pass.loss.sum
        score.targets += pass.loss.targets
      }
      start += steps
    }
    return score
  }
}
