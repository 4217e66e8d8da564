internal import Names

/// The reaction to a loss or gradient norm that is not finite: `on_nonfinite`.
///
/// Written as one word, `skip`, `rollback` or `stop`, or as `{policy: skip, limit: 10}`.
public struct NonfiniteOptions: Codable, Equatable, Sendable {
  public enum Policy: String, Codable, CaseIterable, Sendable {
    /// Keeps the weights, restores the streams' states, and continues with the next window.
    case skip
    /// Takes the weights of the last checkpoint that was due, and continues with the next window.
    case rollback
    /// Ends the run as diverged.
    case stop
  }

  public var policy = Policy.stop
  /// The number of consecutive skipped steps, or of rollbacks of the run, beyond which the run ends.
  public var limit = 10

  enum CodingKeys: String, CodingKey {
    case policy, limit
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    if let word = try? decoder.singleValueContainer().decode(String.self) {
      guard let policy = Policy(rawValue: word) else {
        throw DecodingError.unknownName(
          UnknownName(word, of: "policy", among: ["skip", "rollback", "stop"]),
          at: decoder.codingPath)
      }
      self.policy = policy
      return
    }
    let container = try decoder.container(keyedBy: CodingKeys.self)
    policy = try container.decode(.policy, default: policy)
    limit = try container.decode(.limit, default: limit, atLeast: 1)
  }
}

/// The reaction to a spike, a loss far above those of the steps before: `on_spike`.
///
/// A loss l is a spike if l > μ + z σ, where μ and σ are the mean and the standard deviation of the losses of
/// the last `window` steps with an update; σ counts as at least μ / 100, so that a loss that hardly varies does
/// not make ordinary windows into spikes.
public struct SpikeOptions: Codable, Equatable, Sendable {
  public enum Policy: String, Codable, CaseIterable, Sendable {
    /// Reports the spike and updates the weights.
    case warn
    /// Keeps the weights, restores the streams' states, and continues with the next window.
    case skip
    /// Takes the weights of the last checkpoint that was due, and continues with the next window.
    case rollback
    /// Ends the run.
    case stop
  }

  public var policy = Policy.warn
  /// The number of standard deviations above the mean.
  public var z = 6.0
  /// The number of steps over which mean and deviation are taken; there is no spike before as many.
  public var window = 200
  /// The number of consecutive skipped steps, or of rollbacks of the run, beyond which the run ends.
  public var limit = 10

  enum CodingKeys: String, CodingKey {
    case policy, z, window, limit
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    policy = try container.decode(.policy, default: policy)
    z = try container.decode(.z, default: z)
    try container.require(z > 0 && z.isFinite, .z, "z must be more than 0")
    window = try container.decode(.window, default: window, from: 2...10_000)
    limit = try container.decode(.limit, default: limit, atLeast: 1)
  }

  /// Returns the standard deviations of a loss above the mean of others; nil if there are fewer than
  /// `window` of them.
  package func deviations(of loss: Double, from others: [Double]) -> Double? {
    guard others.count >= window else { return nil }
    let last = others.suffix(window)
    let mean = last.reduce(0, +) / Double(window)
    let variance = last.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(window)
    let deviation = max(variance.squareRoot(), abs(mean) / 100, .leastNormalMagnitude)
    return (loss - mean) / deviation
  }
}

extension TrainingOptions {
  /// True if a step may be undone by going back to the weights of a checkpoint.
  package var mayRollBack: Bool {
    onNonfinite.policy == .rollback || onSpike?.policy == .rollback
  }
}
