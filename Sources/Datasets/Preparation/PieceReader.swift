/// A part of a document as it is in memory, 4 MiB or less.
struct DocumentPart {
  /// The place in the text.
  var range: Range<Int>
  /// The part of the documents (training, validation …) to which its document belongs.
  var part: Int
  /// True if the document began before, or if texts have no documents.
  var continues: Bool
  /// True if the document ends here.
  var ends: Bool
  /// True if a last line without an end mark ends all the same, because its text does.
  var endsLine: Bool
}

/// A reader of the documents of a piece.
struct PieceReader {
  let settings: PreparationSettings
  /// The text may be any bytes; otherwise it has to be UTF-8.
  let readsBytes: Bool
  let hasUniversalNewlines: Bool

  init(_ settings: PreparationSettings, _ tokenizer: any Tokenizer) {
    self.settings = settings
    readsBytes = tokenizer.readsBytes
    hasUniversalNewlines = tokenizer.hasUniversalNewlines
  }

  /// Hands over the parts of all documents of a piece, in order, without empty ones.
  /// - Throws: `DataError` if a file cannot be read, a text is not UTF-8, or a line not JSON.
  func forEachPart(
    of piece: TextPiece,
    _ body: (_ text: Span<UInt8>, DocumentPart) throws(DataError) -> Void
  ) throws(DataError) {
    for item in piece.items {
      var bytes: [UInt8]
      if let sent = item.bytes {
        bytes = sent
      } else {
        bytes = []
        bytes.reserveCapacity(item.count)
        try PlainSource(item.path).read(item.start..<item.start + item.count, into: &bytes)
      }
      if item.isJSONLines {
        try forEachLine(of: item, bytes.span, body)
      } else {
        if !readsBytes, let wrong = firstInvalidByte(of: bytes.span) {
          guard settings.invalid == .replace else { throw try invalid(item, bytes.span, at: wrong) }
          bytes = Array(String(decoding: bytes, as: UTF8.self).utf8)
        }
        try forEachDocument(of: item, bytes.span, body)
      }
    }
  }

  private func forEachDocument(
    of item: TextPiece.Item, _ text: Span<UInt8>,
    _ body: (Span<UInt8>, DocumentPart) throws(DataError) -> Void
  ) throws(DataError) {
    let first = item.start == 0 && !readsBytes ? markLength(of: text) : 0
    var place = item.documentStart
    var start = first
    var continues = item.continuesDocument
    func hand(_ end: Int, isLast: Bool) throws(DataError) {
      let part = DocumentPart(
        range: start..<end, part: settings.part(file: item.file, place: place),
        continues: continues || settings.document == .none, ends: !isLast || item.endsDocument,
        endsLine: !isLast || item.endsFile)
      if start < end { try forEachFitting(part, of: text, body) }
      start = end
      place = item.start + end
      continues = false
    }
    if settings.document == .line || settings.document == .blankLine {
      var marker = DocumentMarker(settings.document)
      if continues { marker.continuesDocument() } else { _ = marker.beginsFile() }
      var lines = LineScanner(universal: hasUniversalNewlines, position: first)
      while let line = lines.next(in: text) {
        let begins = marker.begins(line, of: text)
        if begins, line.content.lowerBound > first {
          try hand(line.content.lowerBound, isLast: false)
        }
      }
    }
    try hand(text.count, isLast: true)
  }

  /// Cuts what is longer than a piece, such as a text in JSON or one in which wrong bytes were replaced.
  private func forEachFitting(
    _ part: DocumentPart, of text: Span<UInt8>,
    _ body: (Span<UInt8>, DocumentPart) throws(DataError) -> Void
  ) throws(DataError) {
    var rest = part
    while rest.range.count > settings.pieceSize {
      let start = rest.range.lowerBound
      let window = text.extracting(start..<start + settings.pieceSize)
      var fitting = rest
      fitting.range = start..<start + forcedEnd(in: window)
      (fitting.ends, fitting.endsLine) = (false, false)
      try body(text, fitting)
      rest.range = fitting.range.upperBound..<rest.range.upperBound
      rest.continues = true
    }
    try body(text, rest)
  }

  private func forEachLine(
    of item: TextPiece.Item, _ text: Span<UInt8>,
    _ body: (Span<UInt8>, DocumentPart) throws(DataError) -> Void
  ) throws(DataError) {
    let field = Array(settings.field.utf8)
    var lines = LineScanner(
      universal: false, position: item.start == 0 ? markLength(of: text) : 0)
    var number = 0
    while let line = lines.next(in: text) {
      number += 1
      if text.isBlank(line.content) { continue }
      let document: [UInt8]?
      do throws(JSONLine.Failure) {
        document = try JSONLine.string(field, of: text, in: line.content)
      } catch {
        let before = try linesBefore(item)
        throw DataError(
          "\(item.path), line \(before + number) is not JSON with the text in the field "
            + "\"\(settings.field)\" (\(error.reason), byte \(error.place)): correct the line, or name "
            + "another field with --field")
      }
      guard let document, !document.isEmpty else { continue }
      let place = item.start + line.content.lowerBound
      try forEachFitting(
        DocumentPart(
          range: 0..<document.count, part: settings.part(file: item.file, place: place),
          continues: settings.document == .none, ends: true, endsLine: true),
        of: document.span, body)
    }
  }

  private func invalid(
    _ item: TextPiece.Item, _ text: Span<UInt8>, at wrong: Int
  ) throws(DataError) -> DataError {
    // The start of a file says more, if it is the start.
    if item.start == 0 {
      do throws(DataError) { try requireUTF8(text, of: item.path) } catch {
        return DataError(error.message.replacingLast("tokenizer: byte", by: "--invalid replace"))
      }
    }
    var line = try linesBefore(item)
    for i in 0...wrong where i == 0 || text[i - 1] == newline { line += 1 }
    return DataError(
      "\(item.path), line \(line) (byte \(item.start + wrong)) is not UTF-8: convert the file, for "
        + "example with iconv, or use --invalid replace")
  }

  /// Returns the number of lines of a text before a part.
  private func linesBefore(_ item: TextPiece.Item) throws(DataError) -> Int {
    if let known = item.linesBefore { return known }
    let source = try PlainSource(item.path)
    var (count, place) = (0, 0)
    while place < item.start {
      var bytes: [UInt8] = []
      let end = min(place + 1 << 20, item.start)
      try source.read(place..<end, into: &bytes)
      for byte in bytes where byte == newline { count += 1 }
      place = end
    }
    return count
  }
}

extension String {
  /// Returns the string with another end, if it ends so.
  fileprivate func replacingLast(_ end: String, by other: String) -> String {
    hasSuffix(end) ? dropLast(end.count) + other : self
  }
}
