internal import Glibc
public import LinearAlgebra

/// What is known of a sequence before its first symbol.
public struct DecoderInput: Sendable {
  /// What an encoder reads; empty for a model without one.
  public var source: [Int32]
  /// What the model is conditioned on; empty for a model that is not.
  public var condition: [Real]
  /// The classes that the model is conditioned on; empty for a model that is not.
  public var classes: [Int32]
  /// The input of an encoder that reads frames; none for any other.
  public var frames: Frames

  public init(
    source: [Int32] = [], frames: Frames = Frames(), condition: [Real] = [], classes: [Int32] = []
  ) {
    self.source = source
    self.frames = frames
    self.condition = condition
    self.classes = classes
  }

  /// The most symbols that are looked for unless something else is asked for, the end included:
  /// twice the steps of its own source and ten.
  public var greatestLength: Int { 2 * sourceSteps + 10 }

  /// The steps of what an encoder reads.
  public var sourceSteps: Int { frames.width > 0 ? frames.steps : source.count }
}

/// A sequence of frames of numbers.
public struct Frames: Equatable, Sendable {
  /// The numbers of a frame; 0 where there are no frames.
  public var width: Int
  /// The frames one after the other.
  public var numbers: [Real]

  public init(width: Int = 0, numbers: [Real] = []) {
    precondition(width > 0 ? numbers.count.isMultiple(of: width) : numbers.isEmpty, "half a frame")
    self.width = width
    self.numbers = numbers
  }

  public var steps: Int { width > 0 ? numbers.count / width : 0 }
}

/// A sequence that a model may have meant.
public struct Hypothesis: Equatable, Sendable {
  /// Without the symbol that ends a sequence.
  public var symbols: [Int32]
  /// ln p of the symbols, and of the end where there is one, in nats.
  public var logLikelihood: Double
  /// Whether it has come to its end, not to the greatest length.
  public var isFinished: Bool

  public init(symbols: [Int32], logLikelihood: Double, isFinished: Bool) {
    self.symbols = symbols
    self.logLikelihood = logLikelihood
    self.isFinished = isFinished
  }

  /// The symbols that the likelihood is of.
  public var length: Int { symbols.count + (isFinished ? 1 : 0) }
}

/// How hypotheses of different lengths are compared (Wu 2016):
///
///     score = ln p / ((5 + n) / 6)^α
///
/// n counts the end. With α = 0 short ones win, as each symbol costs likelihood.
public struct LengthNormalisation: Sendable {
  public var alpha: Double

  public init(alpha: Double) {
    precondition(alpha >= 0, "a length normalisation of \(alpha)")
    self.alpha = alpha
  }

  public func score(_ logLikelihood: Double, length: Int) -> Double {
    logLikelihood / Glibc.pow((5 + Double(length)) / 6, alpha)
  }

  public func score(_ hypothesis: Hypothesis) -> Double {
    score(hypothesis.logLikelihood, length: hypothesis.length)
  }
}
