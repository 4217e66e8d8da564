public import LinearAlgebra

/// A text as the numbers of its symbols, which is encoded once into a file and mapped into memory.
public struct Corpus: Sendable {
  let file: CorpusFile
  /// The part of the file's tokens that belongs to this text.
  let range: Range<Int>
  /// The name of this text in error messages.
  public let name: String
  /// A sentence for the user, such as that a damaged file was made anew.
  public internal(set) var note: String?

  init(_ file: CorpusFile, _ range: Range<Int>, name: String) {
    self.file = file
    self.range = range
    self.name = name
  }

  public var count: Int { range.count }

  /// The bytes of the text that the symbols stand for; nil for a part of a file, and if the file does not
  /// say.
  public var byteCount: Int? {
    range == 0..<file.header.tokenCount ? file.header.byteCount : nil
  }

  /// The number of the `i`-th symbol.
  public subscript(i: Int) -> Int32 {
    precondition(i >= 0 && i < count, "symbol \(i) of \(count)")
    return file.token(range.lowerBound + i)
  }

  /// Writes the symbols of `part` into a buffer from `offset` on.
  public func copy(_ part: Range<Int>, to buffer: Buffer<Int32>, at offset: Int = 0) {
    precondition(part.lowerBound >= 0 && part.upperBound <= count, "symbols \(part) of \(count)")
    let start = range.lowerBound + part.lowerBound
    file.copy(start..<start + part.count, to: buffer, at: offset)
  }

  /// Returns a part of this text, which shares its memory.
  public func part(_ part: Range<Int>, name: String) -> Corpus {
    precondition(part.lowerBound >= 0 && part.upperBound <= count, "symbols \(part) of \(count)")
    let start = range.lowerBound + part.lowerBound
    return Corpus(file, start..<start + part.count, name: name)
  }

  /// The symbols of each file, without files that have none here.
  public var files: [Range<Int>] {
    (0..<file.header.fileCount).compactMap { number in
      let isLast = number + 1 == file.header.fileCount
      let end = isLast ? file.header.tokenCount : file.fileStart(number + 1)
      let part = (file.fileStart(number)..<end).clamped(to: range)
      guard !part.isEmpty else { return nil }
      return part.lowerBound - range.lowerBound..<part.upperBound - range.lowerBound
    }
  }

  /// The number of documents that begin here.
  public var documentCount: Int {
    file.document(from: range.upperBound) - file.document(from: range.lowerBound)
  }

  /// The first symbol of each document that begins here.
  public var documentStarts: [Int] {
    (file.document(from: range.lowerBound)..<file.document(from: range.upperBound)).map {
      file.documentStart($0) - range.lowerBound
    }
  }

  /// Counts a symbol, for instance `<unk>`; reads all of the text.
  public func occurrences(of symbol: Int32) -> Int {
    var occurrences = 0
    for i in range where file.token(i) == symbol { occurrences += 1 }
    return occurrences
  }

  /// A fingerprint of the symbols, the documents and the vocabulary, but not of the time or place of the
  /// files.
  public var hash: UInt64 {
    var fingerprint = Fingerprint()
    let header = file.header
    fingerprint.add(header.vocabularyHash)
    fingerprint.add(UInt64(header.tokensChecksum))
    fingerprint.add(UInt64(header.indexChecksum))
    for number in [header.tokenCount, range.lowerBound, range.upperBound] {
      fingerprint.add(number)
    }
    return fingerprint.value
  }

  /// The fingerprint of the vocabulary that the text was encoded with; 0 if the file does not say.
  public var vocabularyHash: UInt64 { file.header.vocabularyHash }
}
