/// The tokens of a piece, for each part of the documents.
public struct EncodedPiece: Sendable {
  struct Document: Sendable, Equatable {
    var tokens = 0
    /// The bytes of its text.
    var bytes = 0
    /// True if it began in a piece before.
    var continues: Bool
  }

  /// The documents, or parts of documents, and their tokens, each of the width of the shards.
  struct Part: Sendable, Equatable {
    var documents: [Document] = []
    var tokens: [UInt8] = []
  }

  var parts: [Part]
}

/// An encoder of pieces, which ranks use side by side.
public struct PieceEncoder {
  private let vocabulary: Vocabulary
  private let reader: PieceReader
  private let partCount: Int
  private let width: Int
  private let endToken: Int32?

  public init(_ settings: PreparationSettings, _ vocabulary: Vocabulary) {
    self.vocabulary = vocabulary
    reader = PieceReader(settings, vocabulary.tokenizer)
    partCount = settings.parts.count
    width = settings.format.width(symbols: vocabulary.count)
    endToken =
      settings.hasEndTokens && settings.document != .none ? vocabulary.endOfDocument : nil
  }

  /// Reads and encodes a piece.
  /// - Throws: `DataError` as `PieceReader` does, and for text that the tokenizer cannot encode.
  public func encode(_ piece: TextPiece) throws(DataError) -> EncodedPiece {
    var parts = [EncodedPiece.Part](repeating: EncodedPiece.Part(), count: partCount)
    var ids: [Int32] = []
    try reader.forEachPart(of: piece) { (text, document) throws(DataError) in
      ids.removeAll(keepingCapacity: true)
      try encode(text, document, to: &ids)
      if document.ends, let endToken { ids.append(endToken) }
      let continued = document.continues && !parts[document.part].documents.isEmpty
      if continued {
        let last = parts[document.part].documents.count - 1
        parts[document.part].documents[last].tokens += ids.count
        parts[document.part].documents[last].bytes += document.range.count
      } else {
        parts[document.part].documents.append(
          EncodedPiece.Document(
            tokens: ids.count, bytes: document.range.count, continues: document.continues))
      }
      append(ids, to: &parts[document.part].tokens)
    }
    return EncodedPiece(parts: parts)
  }

  private func encode(
    _ text: Span<UInt8>, _ document: DocumentPart, to ids: inout [Int32]
  ) throws(DataError) {
    let tokenizer = vocabulary.tokenizer
    if tokenizer.cuts == .documents {
      try tokenizer.encode(
        text.extracting(document.range), with: vocabulary, endingLastLine: document.endsLine
      ) { (id) throws(DataError) in ids.append(id) }
      return
    }
    let part = text.extracting(document.range)
    var lines = LineScanner(universal: tokenizer.hasUniversalNewlines)
    while let line = lines.next(in: part) {
      try tokenizer.encode(
        part.extracting(line.whole), with: vocabulary,
        endingLastLine: line.end < part.count || document.endsLine
      ) { (id) throws(DataError) in ids.append(id) }
    }
  }

  private func append(_ ids: [Int32], to tokens: inout [UInt8]) {
    let start = tokens.count
    tokens.append(contentsOf: repeatElement(0, count: ids.count * width))
    tokens.withUnsafeMutableBytes { memory in
      switch width {
      case 1: for i in ids.indices { memory[start + i] = UInt8(truncatingIfNeeded: ids[i]) }
      case 2:
        for i in ids.indices {
          memory.storeBytes(
            of: UInt16(truncatingIfNeeded: ids[i]).littleEndian, toByteOffset: start + 2 * i,
            as: UInt16.self)
        }
      default:
        for i in ids.indices {
          memory.storeBytes(
            of: ids[i].littleEndian, toByteOffset: start + 4 * i, as: Int32.self)
        }
      }
    }
  }
}

extension EncodedPiece {
  /// The message that carries the tokens to another rank.
  public var message: [UInt8] {
    var message = MessageWriter()
    message.add(parts.count)
    for part in parts {
      message.add(part.documents.count)
      for document in part.documents {
        message.add(document.tokens)
        message.add(document.bytes)
        message.add(document.continues ? 1 : 0)
      }
      message.add(part.tokens)
    }
    return message.bytes
  }

  /// Reads what `message` writes.
  public init(message bytes: [UInt8]) {
    var message = MessageReader(bytes)
    parts = []
    for _ in 0..<message.number() {
      var part = Part()
      for _ in 0..<message.number() {
        let (tokens, bytes) = (message.number(), message.number())
        part.documents.append(
          Document(tokens: tokens, bytes: bytes, continues: message.number() != 0))
      }
      part.tokens = message.bytes()
      parts.append(part)
    }
  }
}
