internal import Datasets
internal import Recurrence

/// How much of a window is kept from the way there for the way back: `recompute`.
///
/// Written as `none`, as `sqrt`, or as a number of steps.
public enum Recomputation: Equatable, Sendable {
  /// Everything.
  case none
  /// The states at every ⌈√T⌉-th of T steps; what lies between is computed twice (Chen 2016).
  case squareRoot
  /// The states at every so many steps.
  case every(Int)

  /// The steps that are kept at once of windows of up to so many; nil for all of them.
  func length(of steps: Int) -> Int? {
    switch self {
    case .none: nil
    case .squareRoot: Segments.squareRoot(of: steps)
    case .every(let length): length
    }
  }
}

extension Recomputation: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let steps = try? container.decode(Int.self), steps >= 1 {
      self = .every(steps)
      return
    }
    switch try? container.decode(String.self) {
    case "none": self = .none
    case "sqrt": self = .squareRoot
    default:
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "recompute is none, sqrt or a number of steps from 1 on")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .none: try container.encode("none")
    case .squareRoot: try container.encode("sqrt")
    case .every(let steps): try container.encode(steps)
    }
  }
}
