/// The time without progress of any rank after which the watchdog ends the job: `60s`, `10m` or `2h`; 0 for no
/// watchdog.
public struct WatchdogOptions: Codable, Equatable, Sendable {
  /// The time in seconds; nil for no watchdog.
  public var seconds: Int? = 600

  /// The shortest time in seconds, so that a busy machine is not taken for one that hangs.
  private static let least = 5

  public init() {}

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let number = try? container.decode(Int.self), number == 0 {
      seconds = nil
      return
    }
    guard let text = try? container.decode(String.self), case .seconds(let time)? = Interval(text),
      time >= Self.least
    else {
      throw DecodingError.dataCorruptedError(
        in: container,
        debugDescription:
          "watchdog is a time of \(Self.least)s or more (60s, 10m, 2h), or 0 for none; write one of these"
      )
    }
    seconds = time
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if let seconds {
      try container.encode(Interval.seconds(seconds))
    } else {
      try container.encode(0)
    }
  }
}
