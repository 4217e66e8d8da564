/// The places in a corpus at which documents begin, and states are reset.
enum DocumentStarts: Equatable, Sendable {
  /// Nowhere.
  case none
  /// The places in the index of each file.
  case index
  /// After each end-of-document token, and at the start of each file.
  case after(Int32)
}

extension Corpus {
  /// True if documents may begin in this text.
  public var hasDocuments: Bool {
    switch documents {
    case .none: false
    case .index: parts.contains { !$0.documents.isEmpty }
    case .after: true
    }
  }

  /// The number of documents that begin here.
  public var documentCount: Int {
    switch documents {
    case .none: return 0
    case .index: return parts.reduce(0) { $0 + $1.documents.count }
    case .after: return documentStarts.count
    }
  }

  /// The first symbol of each document that begins here.
  public var documentStarts: [Int] {
    var starts: [Int] = []
    forEachDocumentStart(in: 0..<count) { starts.append($0) }
    return starts
  }

  /// Calls `body` with the first symbol of each document that begins in a range, in order.
  @inline(__always)
  func forEachDocumentStart(in range: Range<Int>, _ body: (Int) -> Void) {
    guard documents != .none else { return }
    forEachPart(of: range) { part, piece in
      let tokens = part.tokens(piece)
      switch documents {
      case .none: break
      case .index:
        var document = part.file.document(from: tokens.lowerBound)
        while document < part.file.header.documentCount {
          let start = part.file.documentStart(document)
          guard start < tokens.upperBound else { break }
          body(piece.lowerBound + start - tokens.lowerBound)
          document += 1
        }
      case .after(let symbol):
        for i in tokens where i == 0 || part.file.token(i - 1) == symbol {
          body(piece.lowerBound + i - tokens.lowerBound)
        }
      }
    }
  }

  /// Returns the first symbol in a range at which a document begins; nil if there is none.
  func firstDocumentStart(in range: Range<Int>) -> Int? {
    guard documents != .none else { return nil }
    var first: Int?
    forEachPart(of: range) { part, piece in
      guard first == nil else { return }
      let tokens = part.tokens(piece)
      first = part.documentStart(in: tokens, documents).map {
        piece.lowerBound + $0 - tokens.lowerBound
      }
    }
    return first
  }
}

extension Corpus.Part {
  /// The documents of the index that begin in this part.
  fileprivate var documents: Range<Int> {
    file.document(from: range.lowerBound)..<file.document(from: range.upperBound)
  }

  /// Returns the first token in a range of the file at which a document begins; nil if there is none.
  @inline(__always)
  fileprivate func documentStart(in tokens: Range<Int>, _ documents: DocumentStarts) -> Int? {
    switch documents {
    case .none: return nil
    case .index:
      let document = file.document(from: tokens.lowerBound)
      guard document < file.header.documentCount else { return nil }
      let start = file.documentStart(document)
      return start < tokens.upperBound ? start : nil
    case .after(let symbol):
      return tokens.first { $0 == 0 || file.token($0 - 1) == symbol }
    }
  }
}
