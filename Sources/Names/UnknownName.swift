/// A name that is none of those known, as the underlying error of a `DecodingError`. Its sentence tells the
/// nearest name, or all of them.
public struct UnknownName: Error, CustomStringConvertible {
  public let name: String
  /// The kind of thing that is named, such as `cell`.
  public let kind: String
  public let known: [String]
  /// Other forms of the value, for the end of the sentence; nil for none.
  public let others: String?

  public init(
    _ name: String, of kind: String, among known: some Sequence<String>, or others: String? = nil
  ) {
    self.name = name
    self.kind = kind
    self.known = known.sorted()
    self.others = others
  }

  public var description: String {
    "no \(kind) is called \(name); " + advice + (others.map { "; \($0)" } ?? "")
  }

  /// The nearest name as a question, or all names.
  public var advice: String {
    Suggestion.nearest(name, among: known).map { "did you mean \"\($0)\"?" }
      ?? "choose one of \(known.joined(separator: ", "))"
  }
}

extension DecodingError {
  /// Returns the error for the value of a key that is no known name.
  public static func unknownName(
    _ name: UnknownName, at codingPath: [any CodingKey]
  ) -> DecodingError {
    .dataCorrupted(
      Context(codingPath: codingPath, debugDescription: name.description, underlyingError: name))
  }
}

extension KeyedDecodingContainer {
  /// Returns the error for the value of a key that is no known name.
  /// - Parameters:
  ///   - name: The name that was given.
  ///   - kind: The kind of thing that is named, such as `cell`.
  ///   - known: The names that are possible, in any order.
  ///   - others: Other forms that the value may have, for the end of the sentence; nil for none.
  ///   - key: The key whose value it is.
  public func unknownName(
    _ name: String, of kind: String, among known: some Sequence<String>, or others: String? = nil,
    forKey key: Key
  ) -> DecodingError {
    .unknownName(
      UnknownName(name, of: kind, among: known, or: others), at: codingPath + [key])
  }
}
