/// One or several paths of files and folders.
public struct Paths: Codable, Sendable, Equatable, ExpressibleByArrayLiteral,
  ExpressibleByStringLiteral
{
  public var paths: [String]

  public init(_ paths: [String]) { self.paths = paths }
  public init(arrayLiteral paths: String...) { self.paths = paths }
  public init(stringLiteral path: String) { paths = [path] }

  public init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let path = try? value.decode(String.self) {
      paths = [path]
    } else {
      paths = try value.decode([String].self)
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    if paths.count == 1 { try value.encode(paths[0]) } else { try value.encode(paths) }
  }
}

/// A held-out text: files of its own, or a fraction cut off the end of the training text.
public enum HeldOut: Codable, Sendable, Equatable {
  case text(Paths)
  case fraction(Double)

  public init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let fraction = try? value.decode(Double.self) {
      self = .fraction(fraction)
    } else {
      self = .text(try value.decode(Paths.self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    switch self {
    case .text(let paths): try value.encode(paths)
    case .fraction(let fraction): try value.encode(fraction)
    }
  }

  var fraction: Double? {
    if case .fraction(let fraction) = self { fraction } else { nil }
  }
}

/// Returns ⌈count · fraction⌉, but not one more if only the rounding of the fraction would make it
/// so.
func heldOutCount(_ count: Int, _ fraction: Double) -> Int {
  Int((Double(count) * fraction * (1 - 1e-12)).rounded(.up))
}
