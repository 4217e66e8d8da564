internal import Names

/// A request on the command line that is impossible.
public struct UsageError: Error, Equatable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = oneLine(description) }
}
