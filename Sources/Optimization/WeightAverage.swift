public import LinearAlgebra
public import Recurrence

/// A running average of the weights, which often evaluates better than the weights themselves.
///
///     a ← a + (1 − d)(w − a),   d = min(decay, (1 + t)/(warmup + t))
///
/// t is the number of updates of the average before this one. The average starts as a copy of the
/// weights, so it needs no bias correction. The warm-up makes it forget the first, random weights
/// quickly: with the default of 10, d is 0.1 at first and reaches 0.999 after 9000 updates (Polyak
/// & Juditsky 1992; the warm-up is TensorFlow's `ExponentialMovingAverage`).
public final class WeightAverage {
  /// The options: `average: {decay: 0.999, warmup: 10}`.
  public struct Options: Codable, Sendable, Equatable {
    public var decay = 0.999
    /// The warm-up; 0 or 1 for none.
    public var warmup = 10

    public init() {}

    public init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      decay = try container.decodeShare(.decay, or: decay)
      warmup = try container.decodeCount(.warmup, or: warmup)
    }
  }

  /// The average, saved beside the weights.
  public let vector: ParameterVector
  /// The number of updates so far; set when a run is resumed.
  public var updates = 0
  private let options: Options

  /// Starts from a copy of the weights.
  /// - Parameter memory: The memory of the average; nil for its own.
  public init(_ options: Options, of weights: ParameterVector, in memory: Buffer<Real>? = nil) {
    self.options = options
    vector = ParameterVector(weights.layout, buffer: memory)
    vector.slice = weights.slice
    vector.precision = weights.precision
    vector.buffer.copy(from: weights.buffer)
  }

  /// The fraction of the average that the next update keeps.
  public var decay: Double {
    min(options.decay, Double(1 + updates) / Double(max(options.warmup, 1) + updates))
  }

  /// Updates the average, or this rank's slice of it; call it after each update of the weights.
  public func update(from weights: ParameterVector) {
    precondition(
      weights.layout.count == vector.layout.count,
      "an average of \(vector.layout.count) numbers for \(weights.layout.count) weights")
    let share = Real(1 - decay)
    vector.update { average in
      average.forEachOwn { entry, block in
        guard !entry.isFrozen else { return }
        approach(average.row(block.numbers), weights.row(block.numbers), share)
      }
    }
    updates += 1
  }
}

@inline(never) private func approach(_ a: Row, _ w: Row, _ share: Real) {
  for j in 0..<a.count { a[j] += share * (w[j] - a[j]) }
}
