internal import Datasets
internal import Formats
internal import Recurrence

/// The unit in which a person reads a loss.
enum Unit {
  case bitsPerCharacter, bitsPerByte, perplexity, accuracy, nats, squaredError
  /// Squared errors of numbers and nats of ends together.
  case mixed

  /// - Parameter hasEnds: whether ends of sequences are predicted by an output of their own.
  init(_ dataset: Dataset, hasEnds: Bool) {
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

  /// What the loss itself is measured in.
  var lossWords: String {
    switch self {
    case .squaredError: "squared error"
    case .mixed: "squared error and nats of ends"
    default: "nats"
    }
  }

  /// The loss in this unit, such as `2.113 bits per character`; nil where it is the loss itself.
  func words(_ score: Score) -> String? {
    switch self {
    case .nats, .squaredError, .mixed: nil
    case .accuracy: "accuracy \(fixed(100 * score.accuracy, 2)) %"
    case .bitsPerByte: "\(fixed(score.bits, 3)) bits per byte"
    case .bitsPerCharacter: "\(fixed(score.bits, 3)) bits per character"
    case .perplexity: "perplexity \(fixed(score.perplexity, 2))"
    }
  }
}

extension Score {
  /// Of trees, the accuracy at roots.
  var rootWords: String? { rootAccuracy.map { "of roots \(fixed(100 * $0, 2)) %" } }
}
