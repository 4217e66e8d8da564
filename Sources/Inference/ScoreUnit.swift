package import Datasets
internal import Formats
internal import Recurrence

/// The unit in which a score is displayed.
package enum ScoreUnit {
  case bitsPerCharacter, bitsPerByte, perplexity, accuracy, nats, squaredError
  /// Squared errors of numbers plus nats of ends.
  case mixed

  /// - Parameter hasEnds: True if a separate output predicts the ends of sequences.
  package init(_ dataset: Dataset, hasEnds: Bool) {
    switch dataset.interface.output {
    case .numbers: self = hasEnds ? .mixed : .squaredError
    case .labels: self = .nats
    case .symbols where dataset.outputs != dataset.vocabulary || dataset.interface.asksOnce:
      self = .accuracy
    case .symbols:
      switch dataset.vocabulary.tokenizer.unit {
      case .bitsPerByte: self = .bitsPerByte
      case .bitsPerCharacter: self = .bitsPerCharacter
      case .perplexity: self = .perplexity
      }
    }
  }

  /// The unit of the loss itself.
  package var lossWords: String {
    switch self {
    case .squaredError: "squared error"
    case .mixed: "squared error and nats of ends"
    default: "nats"
    }
  }

  /// Returns the loss in this unit, such as `2.113 bits per character`; nil if the unit is that of
  /// the loss itself.
  package func words(_ score: Score) -> String? {
    switch self {
    case .nats, .squaredError, .mixed: nil
    case .accuracy: "accuracy \(fixed(100 * score.accuracy, 2)) %"
    case .bitsPerByte: "\(fixed(score.bits, 3)) bits per byte"
    case .bitsPerCharacter: "\(fixed(score.bits, 3)) bits per character"
    case .perplexity: "perplexity \(fixed(score.perplexity, 2))"
    }
  }
}

extension ScoreUnit {
  /// Returns the loss in bits per byte, such as `1.042 bits per byte`; nil if `words` says it already, or
  /// targets are not text.
  package func byteWords(_ score: Score) -> String? {
    guard self == .perplexity || self == .bitsPerCharacter else { return nil }
    return score.bitsPerByte.map { "\(fixed($0, 3)) bits per byte" }
  }
}

extension Score {
  /// For trees: the accuracy at the roots.
  package var rootWords: String? { rootAccuracy.map { "of roots \(fixed(100 * $0, 2)) %" } }
}
