/// What the run shows on the console while it trains: the section `console`.
public struct ConsoleOptions: Codable, Equatable, Sendable {
  public enum Progress: String, Codable, CaseIterable, Sendable {
    /// A bar when a person is watching, lines otherwise.
    case auto
    /// One line that is drawn over again.
    case bar
    /// One line after another, as for a log file.
    case lines
    /// Nothing but warnings and the result.
    case none
  }

  public var progress = Progress.auto
  /// The time, the steps or the epochs from one line to the next.
  public var every = Interval.seconds(10)

  enum CodingKeys: String, CodingKey {
    case progress, every
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    progress = try container.decode(.progress, default: progress)
    every = try container.decode(.every, default: every)
  }
}
