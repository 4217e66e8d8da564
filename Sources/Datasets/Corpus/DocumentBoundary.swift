/// Where a document begins, and with it the state of the stream that reads it.
///
/// Documents only clear states: the text stays one text, and the target of a document's last symbol
/// is the first symbol of the next one. So every symbol but a stream's first is predicted once,
/// whatever the documents, and losses can be compared.
public enum DocumentBoundary: String, Codable, Sendable, CaseIterable {
  /// Nowhere: all files are one text.
  case none
  /// At the start of each file.
  case file
  /// At the start of each file, and at the first line with text after lines that have none.
  case blankLine = "blank_line"
  /// At the start of each line.
  case line

  var code: UInt32 { UInt32(Self.allCases.firstIndex(of: self)!) }
}

/// Collects the places where documents begin.
struct DocumentMarker {
  let boundary: DocumentBoundary
  private(set) var starts: [Int] = []
  /// Of the document that goes on: whether it had text, and a blank line after that.
  private var hasText = false
  private var isSeparated = false

  init(_ boundary: DocumentBoundary) { self.boundary = boundary }

  mutating func beginFile(at token: Int) {
    if boundary == .file || boundary == .blankLine { starts.append(token) }
    hasText = false
    isSeparated = false
  }

  mutating func beginLine(_ line: Line, of text: Span<UInt8>, at token: Int) {
    if boundary == .line { starts.append(token) }
    guard boundary == .blankLine else { return }
    var words = WordScanner(line.content)
    if words.next(in: text) == nil {
      isSeparated = hasText
    } else {
      if isSeparated { starts.append(token) }
      isSeparated = false
      hasText = true
    }
  }
}
