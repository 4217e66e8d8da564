/// The section `checkpoint`: the interval between checkpoints, and the number to keep.
public struct CheckpointOptions: Codable, Equatable, Sendable {
  /// The interval between checkpoints, as a time, or in steps or epochs.
  public var every = Interval.seconds(600)
  /// The number of latest checkpoints to keep, besides the best. At least two, because the last one
  /// may be half-written when the machine fails.
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
