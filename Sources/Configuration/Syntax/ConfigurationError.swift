internal import Names

/// An error in a configuration: what is wrong, where, and what to do about it, in one sentence.
public struct ConfigurationError: Error, CustomStringConvertible, Sendable {
  /// The place of the error.
  public let origin: ConfigurationOrigin
  /// The problem and the advice.
  public let message: String

  public init(at origin: ConfigurationOrigin, _ message: String) {
    self.origin = origin
    self.message = oneLine(message)
  }

  public var description: String { "\(origin): \(message)" }
}

/// The place where a value of a configuration was written.
public enum ConfigurationOrigin: Sendable, Hashable, CustomStringConvertible {
  /// A position in a file; lines and columns count from 1, columns in Unicode scalars.
  case position(file: String, line: Int, column: Int)
  /// A file as a whole, for example one that cannot be read.
  case file(String)
  /// An assignment on the command line, `key=value`.
  case override(String)

  public var description: String {
    switch self {
    case .position(let file, let line, let column): "\(file):\(line):\(column)"
    case .file(let file): file
    case .override(let assignment): "--set \(assignment)"
    }
  }
}
