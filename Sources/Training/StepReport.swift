public import Inference

/// The results of one step, the same on every rank except for times.
public struct StepReport: Sendable {
  /// The number of steps so far, including this one.
  public let step: Int
  public let epoch: Int
  /// The number of targets so far, over all ranks.
  public let tokens: Int
  /// The loss of this window, over all ranks.
  public let score: Score
  public let learningRate: Double
  /// The norm of the gradient before clipping.
  public let gradientNorm: Double
  package let verdict: Coordinator.Verdict
  /// The standard deviations by which the loss is above the mean of those before, if it is a spike.
  public let spike: Double?
  package let time: Stopwatch
  /// The gradient diagnosis of this step; nil if there was none, and on every rank except the root.
  public let gradients: GradientReport?
  /// The seconds that each rank has read and computed, by rank.
  package let ranks: [Double]
  /// The cost of the sum of gradients to this rank.
  package let traffic: Traffic

  /// True if the weights were updated.
  public var isUpdate: Bool { verdict == .update }
  /// The rank that has computed longest.
  package var slowestRank: Int { ranks.indices.max { ranks[$0] < ranks[$1] } ?? 0 }
  /// The seconds that the slowest rank has computed over their mean, less one.
  package var imbalance: Double {
    let mean = ranks.reduce(0, +) / Double(max(ranks.count, 1))
    return mean > 0 ? ranks[slowestRank] / mean - 1 : 0
  }
  /// The seconds that this rank has waited for the slowest one.
  package var waitSeconds: Double {
    min(max(ranks[slowestRank] - time.busy, 0), time.communication)
  }
  /// Targets per second, over all ranks.
  public var tokensPerSecond: Double { Double(score.targets) / max(time.total, 1e-9) }
}

/// Measures the seconds that the parts of a step take on this rank.
package struct Stopwatch: Sendable {
  private let clock = ContinuousClock()
  private var last: ContinuousClock.Instant
  /// Seconds in which the window is read.
  package var data = 0.0
  package var compute = 0.0
  package var communication = 0.0
  var update = 0.0

  init() { last = clock.now }

  /// The seconds before the ranks meet.
  var busy: Double { data + compute }
  package var total: Double { busy + communication + update }

  /// Skips the seconds since the last lap.
  mutating func restart() { last = clock.now }

  /// Returns the seconds since the last lap.
  mutating func lap() -> Double {
    let now = clock.now
    defer { last = now }
    return (now - last) / .seconds(1)
  }
}
