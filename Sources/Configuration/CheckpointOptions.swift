/// The section `checkpoint`: the interval between checkpoints, those that are kept, and the way to write them.
public struct CheckpointOptions: Codable, Equatable, Sendable {
  /// The reaction to a checkpoint that cannot be written.
  public enum FailurePolicy: String, Codable, CaseIterable, Sendable {
    /// Training goes on, and the next checkpoint is tried when it is due.
    case proceed = "continue"
    /// The run ends.
    case stop
  }

  /// The interval between checkpoints, as a time, or in steps or epochs.
  public var every = Interval.seconds(600)
  /// The number of latest checkpoints to keep, besides the best. At least two, because the last one
  /// may be half-written when the machine fails.
  public var keep = 3
  /// The number of steps of which every multiple is saved and kept for ever; nil for none.
  public var keepEvery: Int?
  /// True if checkpoints are written from a copy in memory while training goes on.
  public var isAsynchronous = true
  /// The reaction to a checkpoint that cannot be written.
  public var onFailure = FailurePolicy.proceed

  enum CodingKeys: String, CodingKey {
    case every, keep
    case keepEvery = "keep_every"
    case isAsynchronous = "asynchronous"
    case onFailure = "on_failure"
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    every = try container.decode(.every, default: every)
    keep = try container.decode(.keep, default: keep, atLeast: 2)
    keepEvery = try container.decode(.keepEvery, from: 1...largestCount)
    isAsynchronous = try container.decode(.isAsynchronous, default: isAsynchronous)
    onFailure = try container.decode(.onFailure, default: onFailure)
  }
}
