/// The place at which a document begins, and the stream that reads it begins from the initial state.
///
/// Documents only reset states: the text stays one text, and the target of a document's last symbol
/// is the first symbol of the next one. So every symbol but a stream's first is predicted once with any
/// boundary, and losses can be compared.
public enum DocumentBoundary: String, Codable, Sendable, CaseIterable {
  /// No documents: all files are one text.
  case none
  /// The start of each file.
  case file
  /// The start of each file, and the first line with text after lines that have none.
  case blankLine = "blank_line"
  /// The start of each line.
  case line
  /// Of token shards: the documents of their index.
  case reset
  /// Of token shards: after each end-of-document token.
  case endToken = "end_token"

  /// True if the boundary is of texts, and false if of shards; nil if of both.
  var isOfText: Bool? {
    switch self {
    case .none: nil
    case .file, .blankLine, .line: true
    case .reset, .endToken: false
    }
  }

  /// The names of the boundaries of texts or of shards, for messages.
  static func names(ofText: Bool) -> String {
    listed(allCases.filter { $0.isOfText ?? ofText == ofText }.map(\.rawValue), "or")
  }

  var code: UInt32 { UInt32(Self.allCases.firstIndex(of: self)!) }
}

/// A scan of a text for the lines at which documents begin.
struct DocumentMarker {
  let boundary: DocumentBoundary
  /// The present document has had text, and a blank line after that.
  private var hasText = false
  private var isSeparated = false

  init(_ boundary: DocumentBoundary) { self.boundary = boundary }

  /// Begins the next file, and says if a document begins with it.
  mutating func beginsFile() -> Bool {
    hasText = false
    isSeparated = false
    return boundary == .file || boundary == .blankLine
  }

  /// Begins in the midst of a document that has had text.
  mutating func continuesDocument() {
    hasText = true
    isSeparated = false
  }

  /// Returns true if a document begins with this line, the next of the file.
  mutating func begins(_ line: Line, of text: Span<UInt8>) -> Bool {
    switch boundary {
    case .none, .file, .reset, .endToken: return false
    case .line: return true
    case .blankLine:
      if text.isBlank(line.content) {
        isSeparated = hasText
        return false
      }
      defer { (isSeparated, hasText) = (false, true) }
      return isSeparated
    }
  }
}
