internal import Glibc
public import LinearAlgebra
public import Sequences

/// The inputs of one sequence that are known before decoding: its source and its condition.
public struct DecoderInput: Sendable {
  /// The symbols that the encoder reads; empty without an encoder.
  public var source: [Int32]
  /// The numbers that the model is conditioned on; empty for none.
  public var condition: [Real]
  /// The classes that the model is conditioned on; empty for none.
  public var classes: [Int32]
  /// The frames that the encoder reads; empty unless its source is frames.
  public var frames: Frames

  public init(
    source: [Int32] = [], frames: Frames = Frames(), condition: [Real] = [], classes: [Int32] = []
  ) {
    self.source = source
    self.frames = frames
    self.condition = condition
    self.classes = classes
  }

  /// The default maximum length of the output, including end-of-sequence: twice the number of
  /// source steps plus ten.
  public var greatestLength: Int { 2 * sourceSteps + 10 }

  /// The number of steps of the source.
  public var sourceSteps: Int { frames.width > 0 ? frames.steps : source.count }
}

/// A candidate output sequence with its likelihood.
public struct Hypothesis: Equatable, Sendable {
  /// The symbols, without end-of-sequence.
  public var symbols: [Int32]
  /// ln p of the symbols, including end-of-sequence if the hypothesis is finished, in nats.
  public var logLikelihood: Double
  /// True if the sequence ended with end-of-sequence, not at the maximum length.
  public var isFinished: Bool

  public init(symbols: [Int32], logLikelihood: Double, isFinished: Bool) {
    self.symbols = symbols
    self.logLikelihood = logLikelihood
    self.isFinished = isFinished
  }

  /// The number of predicted symbols, including end-of-sequence.
  public var length: Int { symbols.count + (isFinished ? 1 : 0) }
}

/// Length normalisation, which makes hypotheses of different lengths comparable (Wu 2016):
///
///     score = ln p / ((5 + n) / 6)^α
///
/// n includes end-of-sequence. With α = 0 short sequences win, because each symbol lowers the
/// likelihood.
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
