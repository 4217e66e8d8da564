/// What one step did, the same on every rank but for its times.
public struct StepReport: Sendable {
  /// Steps taken so far, this one included.
  public let step: Int
  public let epoch: Int
  /// Targets seen so far over all ranks.
  public let tokens: Int
  /// The loss of this window over all ranks.
  public let score: Score
  public let learningRate: Double
  /// The norm of the gradient before clipping.
  public let gradientNorm: Double
  let verdict: Coordinator.Verdict
  let time: Stopwatch
  /// What a diagnosis found at this step; nil where there was none, and on every rank but the root.
  public let gradients: GradientReport?

  /// Whether the weights changed.
  public var isUpdate: Bool { verdict == .update }
  /// Targets over all ranks in a second.
  public var tokensPerSecond: Double { Double(score.targets) / max(time.total, 1e-9) }
}

/// The seconds that the parts of a step took on this rank.
struct Stopwatch: Sendable {
  private let clock = ContinuousClock()
  private var last: ContinuousClock.Instant
  var compute = 0.0
  var communication = 0.0
  var update = 0.0

  init() { last = clock.now }

  var total: Double { compute + communication + update }

  /// Leaves out the seconds since the last lap.
  mutating func restart() { last = clock.now }

  /// The seconds since the last lap.
  mutating func lap() -> Double {
    let now = clock.now
    defer { last = now }
    return (now - last) / .seconds(1)
  }
}
