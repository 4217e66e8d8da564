internal import Glibc

extension Corpus {
  /// Opens the encoded form of a text, and encodes the text first if that is missing or out of date.
  ///
  /// All ranks that share a cache folder call this, one of them with `writing`, and the others after it
  /// has returned. The writer encodes again unless vocabulary, documents, and the sizes and times of the
  /// files are unchanged, and the cached file's checksums hold. The checksums are computed once, and
  /// again when the file changes. The others check every number, the sizes and the vocabulary.
  /// - Throws: `DataError` if the text cannot be read or is not UTF-8 (bytes need not be), if the cache
  ///   cannot be written, or if a reader finds no current file there.
  public init(
    _ text: TextFiles, vocabulary: Vocabulary, document: DocumentBoundary = .none, cache: String,
    writing: Bool
  ) throws(DataError) {
    let path = Self.path(text, vocabulary, document, cache)
    var note: String?
    if writing {
      let expected = Self.header(text, vocabulary, document)
      let isThere = access(path, F_OK) == 0
      do throws(DataError) {
        let file = try CorpusFile(path)
        if file.header.isMade(like: expected) {
          try file.checkAll(symbols: vocabulary.count)
          self.init(file, 0..<file.header.tokenCount, name: text.name)
          return
        }
      } catch {
        if isThere {
          note =
            "\(path) was damaged or of another version, and is written again from "
            + "\(text.name)."
        }
      }
      try Self.encode(text, vocabulary, document, to: path, expected)
    }
    try self.init(contentsOf: path, vocabulary: vocabulary, name: text.name)
    self.note = note
    guard parts[0].file.header.sourceSizes == text.sizes else {
      throw DataError(
        "\(path) was encoded from an earlier version of \(text.name): start again, and the text "
          + "is encoded again")
    }
  }

  /// Opens an encoded corpus without its text: a file of this program, llm.c's `.bin`, or Megatron's
  /// `.bin` beside its `.idx`. Those two do not say which vocabulary they were made with.
  /// - Throws: `DataError` if the file is missing, damaged, or encoded with another vocabulary.
  public init(
    contentsOf path: String, vocabulary: Vocabulary, name: String? = nil
  ) throws(DataError) {
    let file = try CorpusFile(path)
    guard file.isForeign || file.header.vocabularyHash == vocabulary.hash else {
      throw DataError(
        "\(path) was encoded with another vocabulary: remove it, or use the vocabulary it was made "
          + "with")
    }
    try file.checkNumbers(symbols: vocabulary.count)
    self.init(file, 0..<file.header.tokenCount, name: name ?? path)
  }

  private static func path(
    _ text: TextFiles, _ vocabulary: Vocabulary, _ document: DocumentBoundary, _ cache: String
  ) -> String {
    var fingerprint = Fingerprint()
    text.identify(into: &fingerprint)
    fingerprint.add(vocabulary.hash)
    fingerprint.add(document.rawValue)
    return "\(cache)/\(text.stem)-\(fingerprint.hexadecimal).tokens"
  }

  private static func header(
    _ text: TextFiles, _ vocabulary: Vocabulary, _ document: DocumentBoundary
  ) -> CorpusHeader {
    var header = CorpusHeader()
    header.vocabularyHash = vocabulary.hash
    header.sourceSizes = text.sizes
    header.sourceTimes = text.times
    header.documentKind = document.code
    return header
  }

  private static func encode(
    _ text: TextFiles, _ vocabulary: Vocabulary, _ document: DocumentBoundary, to path: String,
    _ header: CorpusHeader
  ) throws(DataError) {
    let tokenizer = vocabulary.tokenizer
    var writer = try TokenWriter(path, symbols: vocabulary.count)
    var documents = DocumentMarker(document)
    var starts: [Int] = []
    var files: [Int] = []
    var byteCount = 0
    try text.forEach(utf8: !tokenizer.readsBytes, keepingMark: tokenizer.readsBytes) {
      (bytes) throws(DataError) in
      files.append(writer.count)
      byteCount += bytes.count
      if documents.beginsFile() { starts.append(writer.count) }
      var lines = LineScanner(universal: tokenizer.hasUniversalNewlines)
      // The part of the text that is next to be encoded: a line, or a document so far.
      var part = 0..<0
      while let line = lines.next(in: bytes) {
        if documents.begins(line, of: bytes) {
          try encode(bytes, part, vocabulary, &writer)
          part = line.content.lowerBound..<line.content.lowerBound
          starts.append(writer.count)
        }
        part = part.lowerBound..<line.end
        if tokenizer.cuts == .lines {
          try encode(bytes, part, vocabulary, &writer)
          part = line.end..<line.end
        }
      }
      try encode(bytes, part, vocabulary, &writer)
    }
    var header = header
    header.byteCount = byteCount
    try writer.finish(header, files: files, documents: starts)
  }

  private static func encode(
    _ text: Span<UInt8>, _ part: Range<Int>, _ vocabulary: Vocabulary, _ writer: inout TokenWriter
  ) throws(DataError) {
    guard !part.isEmpty else { return }
    try vocabulary.tokenizer.encode(
      text.extracting(part), with: vocabulary, endingLastLine: true
    ) { (token) throws(DataError) in try writer.append(token) }
  }
}

extension CorpusHeader {
  /// Returns true if the same text and vocabulary would be encoded to this.
  fileprivate func isMade(like other: CorpusHeader) -> Bool {
    vocabularyHash == other.vocabularyHash && sourceSizes == other.sourceSizes
      && sourceTimes == other.sourceTimes && documentKind == other.documentKind
  }
}

extension TextFiles {
  /// The first file's name, for the names of files that are made from the text.
  var stem: String {
    let name = name.split(separator: "/").last ?? "text"
    return String(name.prefix(40).map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" })
  }
}
