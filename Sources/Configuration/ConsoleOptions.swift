/// The section `console`: the progress display of a run.
public struct ConsoleOptions: Codable, Equatable, Sendable {
  public enum Progress: String, Codable, CaseIterable, Sendable {
    /// A bar on a terminal, lines otherwise.
    case auto
    /// One line that is redrawn.
    case bar
    /// One line after another, as for a log file.
    case lines
    /// Warnings and the result only.
    case none
  }

  public var progress = Progress.auto
  /// The interval between lines, as a time, or in steps or epochs.
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
