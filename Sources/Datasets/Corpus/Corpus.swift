public import LinearAlgebra

/// A text as the numbers of its symbols, in files that are mapped into memory: the encoded form of
/// texts, or token shards one after another.
public struct Corpus: Sendable {
  /// A part of a file, and its place in the corpus.
  struct Part: Sendable {
    let file: CorpusFile
    /// The tokens of the file that belong to this corpus.
    let range: Range<Int>
    /// The symbol of the corpus that the first of them is.
    let start: Int

    var end: Int { start + range.count }
  }

  /// The parts, one after another; none is empty, except in a corpus of no symbols.
  let parts: [Part]
  /// The number of symbols.
  public let count: Int
  /// The name of this text in error messages.
  public let name: String
  /// The places at which documents begin.
  let documents: DocumentStarts
  /// A sentence for the user, such as that a damaged file was made anew.
  public internal(set) var note: String?

  /// - Precondition: there is a piece, and all were encoded with one vocabulary.
  init(
    _ pieces: [(file: CorpusFile, range: Range<Int>)], name: String,
    documents: DocumentStarts = .index
  ) {
    precondition(!pieces.isEmpty, "a corpus without a file")
    var parts: [Part] = []
    var start = 0
    for (file, range) in pieces where !range.isEmpty {
      parts.append(Part(file: file, range: range, start: start))
      start += range.count
    }
    if parts.isEmpty { parts = [Part(file: pieces[0].file, range: pieces[0].range, start: 0)] }
    self.parts = parts
    self.name = name
    self.documents = documents
    count = start
  }

  init(_ file: CorpusFile, _ range: Range<Int>, name: String) {
    self.init([(file, range)], name: name)
  }

  /// The bytes of the text that the symbols stand for; nil for parts of files, and if a file does not
  /// say.
  public var byteCount: Int? {
    var bytes = 0
    for part in parts {
      let header = part.file.header
      guard part.range == 0..<header.tokenCount, let count = header.byteCount else { return nil }
      bytes += count
    }
    return bytes
  }

  /// The number of the `i`-th symbol.
  public subscript(i: Int) -> Int32 {
    precondition(i >= 0 && i < count, "symbol \(i) of \(count)")
    let part = parts[self.part(at: i)]
    return part.file.token(part.range.lowerBound + i - part.start)
  }

  /// Writes the symbols of `range` into a buffer from `offset` on.
  public func copy(_ range: Range<Int>, to buffer: Buffer<Int32>, at offset: Int = 0) {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= count, "symbols \(range) of \(count)")
    forEachPart(of: range) { part, piece in
      part.file.copy(
        part.tokens(piece), to: buffer, at: offset + piece.lowerBound - range.lowerBound)
    }
  }

  /// Returns a part of this text, which shares its memory.
  public func part(_ range: Range<Int>, name: String) -> Corpus {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= count, "symbols \(range) of \(count)")
    return Corpus(
      parts.map { ($0.file, $0.tokens(range.clamped(to: $0.start..<$0.end))) }, name: name,
      documents: documents)
  }

  /// Returns one text after another as one.
  /// - Precondition: all were encoded with one vocabulary, and their documents begin alike.
  static func joined(_ corpora: [Corpus], name: String) -> Corpus {
    Corpus(
      corpora.flatMap { $0.parts.map { ($0.file, $0.range) } }, name: name,
      documents: corpora[0].documents)
  }

  /// The symbols of each file, without files that have none here.
  public var files: [Range<Int>] {
    parts.flatMap { part in
      let header = part.file.header
      return (0..<header.fileCount).compactMap { number -> Range<Int>? in
        let isLast = number + 1 == header.fileCount
        let end = isLast ? header.tokenCount : part.file.fileStart(number + 1)
        let tokens = (part.file.fileStart(number)..<end).clamped(to: part.range)
        guard !tokens.isEmpty else { return nil }
        let start = part.start + tokens.lowerBound - part.range.lowerBound
        return start..<start + tokens.count
      }
    }
  }

  /// Counts a symbol, for instance `<unk>`; reads all of the text.
  public func occurrences(of symbol: Int32) -> Int {
    var occurrences = 0
    for part in parts {
      for i in part.range where part.file.token(i) == symbol { occurrences += 1 }
    }
    return occurrences
  }

  /// A fingerprint of the symbols, the documents and the vocabulary, but not of the time or place of the
  /// files.
  public var hash: UInt64 {
    var fingerprint = Fingerprint()
    for part in parts {
      let header = part.file.header
      fingerprint.add(header.vocabularyHash)
      fingerprint.add(UInt64(header.tokensChecksum))
      fingerprint.add(UInt64(header.indexChecksum))
      for number in [header.tokenCount, part.range.lowerBound, part.range.upperBound] {
        fingerprint.add(number)
      }
    }
    switch documents {
    case .index: break
    case .none: fingerprint.add("none")
    case .after(let symbol): fingerprint.add(Int(symbol))
    }
    return fingerprint.value
  }

  /// The fingerprint of the vocabulary that the text was encoded with; 0 if the file does not say.
  public var vocabularyHash: UInt64 { parts[0].file.header.vocabularyHash }
}

// MARK: Parts

extension Corpus.Part {
  /// Returns the tokens of the file that are these symbols of the corpus.
  @inline(__always)
  func tokens(_ symbols: Range<Int>) -> Range<Int> {
    let first = range.lowerBound + symbols.lowerBound - start
    return first..<first + symbols.count
  }
}

extension Corpus {
  /// Returns the index of the part with a symbol, or of the last part.
  @inline(__always)
  private func part(at i: Int) -> Int {
    var (low, high) = (0, parts.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if parts[middle].start <= i { low = middle } else { high = middle }
    }
    return low
  }

  /// Calls `body` with each part that has symbols of a range, and these.
  @inline(__always)
  func forEachPart(of range: Range<Int>, _ body: (Part, Range<Int>) -> Void) {
    var place = range.lowerBound
    var number = part(at: place)
    while place < range.upperBound {
      let part = parts[number]
      let piece = place..<min(part.end, range.upperBound)
      body(part, piece)
      place = piece.upperBound
      number += 1
    }
  }

  /// Asks the system to read symbols from the disk, without waiting.
  func prefetch(_ range: Range<Int>) {
    forEachPart(of: range) { part, piece in part.file.advise(.soon, part.tokens(piece)) }
  }

  /// Tells the system that this process needs no memory for symbols that were read.
  func release(_ range: Range<Int>) {
    forEachPart(of: range) { part, piece in part.file.advise(.done, part.tokens(piece)) }
  }
}
