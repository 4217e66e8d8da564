/// The interval between events of training: `1000` (steps), `90s`, `10m`, `2h` or `epoch`.
public enum Interval: Codable, Equatable, Sendable {
  case steps(Int)
  case seconds(Int)
  case epoch

  /// Parses an interval in the form of a configuration; nil if the text is none.
  public init?(_ text: String) {
    if text == "epoch" {
      self = .epoch
      return
    }
    guard let unit = text.last.flatMap({ Self.unit($0) }), let count = Int(text.dropLast()) else {
      return nil
    }
    let (seconds, overflow) = count.multipliedReportingOverflow(by: unit)
    guard count >= 1, !overflow else { return nil }
    self = .seconds(seconds)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let steps = try? container.decode(Int.self), steps >= 1 {
      self = .steps(steps)
      return
    }
    guard let text = try? container.decode(String.self), let interval = Interval(text) else {
      let name = container.codingPath.map(\.stringValue).joined(separator: ".")
      throw DecodingError.dataCorruptedError(
        in: container,
        debugDescription:
          "\(name) is a number of steps (1000), a time (30s, 10m, 2h) or epoch; write one of these")
    }
    self = interval
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .steps(let steps): try container.encode(steps)
    case .epoch: try container.encode("epoch")
    case .seconds(let seconds):
      // The largest unit that divides the time: 600 seconds are 10m.
      let unit = "hms".first { seconds.isMultiple(of: Self.unit($0) ?? 1) } ?? "s"
      try container.encode("\(seconds / (Self.unit(unit) ?? 1))\(unit)")
    }
  }

  private static func unit(_ letter: Character) -> Int? {
    switch letter {
    case "s": 1
    case "m": 60
    case "h": 3600
    default: nil
    }
  }
}
