/// When checkpoints are written and how many are kept: the section `checkpoint`.
public struct CheckpointOptions: Codable, Equatable, Sendable {
  /// The time, the steps or the epochs from one checkpoint to the next.
  public var every = Interval.seconds(600)
  /// The number of latest checkpoints kept, the best one not counted. Never one: the last may be the
  /// one that is being written when the machine goes down.
  public var keep = 3

  enum CodingKeys: String, CodingKey {
    case every, keep
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    every = try container.decode(.every, default: every)
    keep = try container.decode(.keep, default: keep, atLeast: 2)
  }
}
