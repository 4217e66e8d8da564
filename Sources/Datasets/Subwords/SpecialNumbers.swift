/// The numbers of symbols with a meaning of their own, in a vocabulary from a file.
public struct SpecialNumbers: Sendable, Equatable {
  /// Text that the vocabulary lacks.
  public var unknown: Int32?
  /// The begin and the end of a sequence.
  public var begin, end: Int32?
  /// The end of a document of a running text.
  public var endOfDocument: Int32?

  public init(
    unknown: Int32? = nil, begin: Int32? = nil, end: Int32? = nil, endOfDocument: Int32? = nil
  ) {
    self.unknown = unknown
    self.begin = begin
    self.end = end
    self.endOfDocument = endOfDocument
  }
}
