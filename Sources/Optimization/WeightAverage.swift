public import LinearAlgebra
public import Recurrence

/// An average of the weights, which often evaluates better than the weights themselves.
///
/// A running average:
///
///     a ← a + (1 − d)(w − a),   d = min(decay, (1 + t)/(warmup + t))
///
/// t is the number of updates of the average before this one. The average starts as a copy of the
/// weights, so it needs no bias correction. The warm-up makes it forget the first, random weights
/// quickly: with the default of 10, d is 0.1 at first and reaches 0.999 after 9000 updates (Polyak
/// & Juditsky 1992; the warm-up is TensorFlow's `ExponentialMovingAverage`).
///
/// With a trigger, the weights themselves until validation has stopped improving (`AverageTrigger`), and then
/// the mean of all later weights, as PyTorch's `ASGD` has it:
///
///     a ← a + (w − a)/max(1, t)
///
/// An `AveragingOptimizer` keeps an average by itself, and this object is the place of it.
public final class WeightAverage {
  /// The options: `average: {decay: 0.999, warmup: 10}`, or `average: {trigger: 5}`.
  public struct Options: Codable, Sendable, Equatable {
    public var decay = 0.999
    /// The warm-up; 0 or 1 for none.
    public var warmup = 10
    /// The number of evaluations without progress after which a mean of all weights begins; nil for a running
    /// average from the start.
    public var trigger: Int?

    private enum CodingKeys: String, CodingKey { case decay, warmup, trigger }

    public init() {}

    /// Decodes only the keys that the kind of average has, so that a strict decoder finds the others.
    public init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      trigger = try container.decode(.trigger, "a whole number of at least 1") { $0 >= 1 }
      if trigger != nil { return }
      decay = try container.decodeShare(.decay, or: decay)
      warmup = try container.decodeCount(.warmup, or: warmup)
    }

    public func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      if let trigger { return try container.encode(trigger, forKey: .trigger) }
      try container.encode(decay, forKey: .decay)
      try container.encode(warmup, forKey: .warmup)
    }
  }

  /// The average, saved beside the weights; up to date after `refresh`.
  public let vector: ParameterVector
  /// The number of updates so far; set when a run is resumed.
  public var updates = 0
  private let options: Options
  /// The optimizer that keeps the average; nil for this object.
  private let keeper: (any AveragingOptimizer)?

  /// Starts from a copy of the weights.
  /// - Parameters:
  ///   - options: The decay and warm-up of a running average, or the trigger of a mean.
  ///   - weights: The weights to copy, whose layout, slice and precision the average has too.
  ///   - keeper: The optimizer that keeps the average; nil for one of these options.
  ///   - memory: The memory of the average; nil for its own.
  public init(
    _ options: Options, of weights: ParameterVector, keptBy keeper: (any AveragingOptimizer)? = nil,
    in memory: Buffer<Real>? = nil
  ) {
    self.options = options
    self.keeper = keeper
    vector = ParameterVector(weights.layout, buffer: memory)
    vector.slice = weights.slice
    vector.precision = weights.precision
    vector.buffer.copy(from: weights.buffer)
  }

  /// The fraction of the average that the next update keeps.
  public var decay: Double {
    if options.trigger != nil { return 1 - 1 / Double(max(1, updates)) }
    return min(options.decay, Double(1 + updates) / Double(max(options.warmup, 1) + updates))
  }

  /// Updates the average, or this rank's slice of it; call it after each update of the weights.
  /// - Parameters:
  ///   - weights: The weights after the update, in the layout of the average.
  ///   - isTriggered: True if validation has stopped improving; of an average with a trigger.
  public func update(from weights: ParameterVector, isTriggered: Bool = false) {
    precondition(
      weights.layout.count == vector.layout.count,
      "an average of \(vector.layout.count) numbers for \(weights.layout.count) weights")
    if keeper != nil || options.trigger != nil && !isTriggered { return }
    let share = Real(1 - decay)
    vector.update { average in
      average.forEachOwn { entry, block in
        guard !entry.isFrozen else { return }
        let (a, w) = (average.row(block.numbers), weights.row(block.numbers))
        // A mean begins with the weights, to the bit.
        if share == 1 { a.copy(w) } else { approach(a, w, share) }
      }
    }
    updates += 1
  }

  /// True if `vector` follows from the weights and the moments, and no checkpoint has to restore it.
  public var isDerived: Bool { keeper != nil || options.trigger != nil && updates == 0 }

  /// Brings `vector` up to date, or this rank's slice of it, for an evaluation or a checkpoint.
  public func refresh(from weights: ParameterVector) {
    if let keeper { return keeper.average(weights, into: vector) }
    guard isDerived else { return }
    vector.update { average in
      average.forEachOwn { _, block in
        average.row(block.numbers).copy(weights.row(block.numbers))
      }
    }
  }
}

@inline(never) private func approach(_ a: Row, _ w: Row, _ share: Real) {
  for j in 0..<a.count { a[j] += share * (w[j] - a[j]) }
}

/// The moment at which averaging begins: the first evaluation whose loss is above the lowest of all but the
/// last n before it (NT-ASGD; Merity et al. 2017).
public struct AverageTrigger: Codable, Equatable, Sendable {
  /// The last n losses before the next evaluation.
  public private(set) var recent: [Double] = []
  /// The lowest loss before those; nil for none.
  public private(set) var best: Double?
  /// True from the evaluation on that has ended the progress.
  public private(set) var isTriggered = false

  public init() {}

  /// Takes note of a validation loss.
  /// - Parameters:
  ///   - loss: The loss; one that is not finite counts as no progress.
  ///   - patience: The number n of last losses that are kept apart from the lowest before them.
  public mutating func observe(_ loss: Double, patience: Int) {
    while recent.count > patience { retire() }
    // A loss that is not a number is no progress.
    if let best, recent.count == patience, !(loss <= best) { isTriggered = true }
    recent.append(loss.isFinite ? loss : .greatestFiniteMagnitude)
    while recent.count > patience { retire() }
  }

  private mutating func retire() {
    let loss = recent.removeFirst()
    best = min(best ?? loss, loss)
  }
}
