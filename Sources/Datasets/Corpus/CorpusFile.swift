internal import LinearAlgebra

/// An encoded corpus, mapped into memory and never changed: a file of this program, of llm.c, or of
/// Megatron.
final class CorpusFile: Sendable {
  let header: CorpusHeader
  private let mapped: MappedFile
  private let layout: TokenLayout
  /// The greatest token of a foreign file, all of which is read when it is opened for the first time.
  private let greatestForeign: Int?

  var path: String { mapped.path }

  /// True if the file says nothing of its vocabulary.
  var isForeign: Bool { layout.isForeign }

  /// Returns true if a file is an encoded corpus of any version, or one of another program.
  static func isEncoded(_ path: String) throws(DataError) -> Bool {
    let file = try MappedFile(path)
    return try withExtendedLifetime(file) { () throws(DataError) in try TokenLayout.isKnown(file) }
  }

  /// Maps a file and checks its header and its size. A foreign file without a mark is read from end to
  /// end, for its checksums and its greatest token.
  init(_ path: String) throws(DataError) {
    mapped = try MappedFile(path)
    layout = try TokenLayout(of: mapped)
    guard layout.isForeign else {
      header = layout.header
      greatestForeign = nil
      return
    }
    let facts = try ForeignFacts(mapped, layout)
    var header = layout.header
    header.tokensChecksum = facts.tokensChecksum
    header.indexChecksum = facts.indexChecksum
    self.header = header
    greatestForeign = facts.greatestToken
  }

  /// Checks the checksum of every byte, and that every number is one of a symbol.
  ///
  /// The check leaves a mark beside the file, and is not repeated until the file changes.
  /// - Parameter symbols: the number of different tokens.
  /// - Throws: `DataError` if the file is damaged.
  func checkAll(symbols: Int) throws(DataError) {
    if let greatestForeign { return try check(greatestForeign, symbols) }
    if isMarked { return }
    var found: UInt32 = 0
    var greatest = 0
    mapped.forEachPiece(of: tokens) { piece in
      found = checksum(piece, after: found)
      greatest = max(greatest, greatestToken(in: piece, width: header.tokenWidth))
    }
    let index = mapped.bytes[header.indexOffset..<header.fileSize]
    guard found == header.tokensChecksum,
      checksum(UnsafeRawBufferPointer(rebasing: index)) == header.indexChecksum
    else { throw damaged("its bytes do not have the checksum they were written with") }
    try check(greatest, symbols)
    mark()
  }

  /// Checks that every number is one of a symbol, without checksums.
  func checkNumbers(symbols: Int) throws(DataError) {
    if let greatestForeign { return try check(greatestForeign, symbols) }
    if isMarked { return }
    var greatest = 0
    // Every byte is a symbol of a vocabulary of 256.
    if header.tokenWidth > 1 || symbols < 256 {
      mapped.forEachPiece(of: tokens) {
        greatest = max(greatest, greatestToken(in: $0, width: header.tokenWidth))
      }
    }
    try check(greatest, symbols)
  }

  private func check(_ greatestToken: Int, _ symbols: Int) throws(DataError) {
    guard header.tokenCount == 0 || greatestToken < symbols else {
      if isForeign {
        throw DataError(
          "\(path) has the token \(greatestToken), but the vocabulary has \(symbols) symbols: give "
            + "the vocabulary it was made with")
      }
      throw damaged("it has the symbol \(greatestToken), but the vocabulary has \(symbols) symbols")
    }
    // A foreign index was checked with the tokens.
    if isForeign { return }
    var last = 0
    for entry in 0..<header.fileCount + header.documentCount {
      if entry == header.fileCount { last = 0 }
      let place = index(entry)
      guard (last...header.tokenCount).contains(place) else {
        throw damaged("its index is out of order")
      }
      last = place
    }
    guard header.tokenCount == 0 || header.fileCount > 0 && fileStart(0) == 0 else {
      throw damaged("it has no first file")
    }
  }

  private func damaged(_ what: String) -> DataError {
    DataError(
      "\(path) is damaged (\(what)): remove it, and it is written again from the text, a shard by "
        + "unroll prepare")
  }

  /// The path of a small file with one line, the mark that exactly this file was checked: its size, its
  /// inode, its times and the checksum of its header.
  private var markPath: String { path + ".checked" }
  private var markText: [UInt8] {
    let (stamp, sum) = (mapped.stamp, header.checksum)
    return Array(
      "\(stamp.size) \(stamp.inode) \(stamp.modified) \(stamp.changed) \(sum)\n".utf8)
  }

  private var isMarked: Bool {
    guard let mark = try? MappedFile(markPath) else { return false }
    return mark.bytes.elementsEqual(markText)
  }

  private func mark() {
    // A folder that cannot be written to only means that the file is read again at the next start.
    guard mapped.stamp.isSettled, let file = try? ReplacementFile(markPath) else { return }
    try? file.write(markText.span.bytes)
    try? file.commit()
  }

  /// The bytes of the tokens.
  private var tokens: Range<Int> { layout.tokens }

  func token(_ i: Int) -> Int32 {
    precondition(i >= 0 && i < header.tokenCount, "token \(i) of \(header.tokenCount)")
    switch header.tokenWidth {
    case 1: return Int32(mapped.bytes[layout.tokensStart + i])
    case 2: return Int32(UInt16(littleEndian: load(layout.tokensStart + 2 * i)))
    case 4: return Int32(littleEndian: load(layout.tokensStart + 4 * i))
    default:
      return Int32(truncatingIfNeeded: Int64(littleEndian: load(layout.tokensStart + 8 * i)))
    }
  }

  /// Writes the tokens of `range` into a buffer from `offset` on.
  func copy(_ range: Range<Int>, to buffer: Buffer<Int32>, at offset: Int) {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= header.tokenCount,
      "tokens \(range) of \(header.tokenCount)")
    let tokens = buffer.elements(from: offset, count: range.count)
    let start = layout.tokensStart + range.lowerBound * header.tokenWidth
    switch header.tokenWidth {
    case 1: for i in 0..<range.count { tokens[i] = Int32(mapped.bytes[start + i]) }
    case 2:
      for i in 0..<range.count { tokens[i] = Int32(UInt16(littleEndian: load(start + 2 * i))) }
    case 4: for i in 0..<range.count { tokens[i] = Int32(littleEndian: load(start + 4 * i)) }
    default:
      for i in 0..<range.count {
        tokens[i] = Int32(truncatingIfNeeded: Int64(littleEndian: load(start + 8 * i)))
      }
    }
  }

  /// A use of memory that is announced to the system.
  enum Advice { case soon, done }

  /// Announces that tokens will be read soon, or are no longer needed; changes nothing but speed and memory.
  func advise(_ advice: Advice, _ range: Range<Int>) {
    let start = layout.tokensStart + range.lowerBound * header.tokenWidth
    let bytes = start..<start + range.count * header.tokenWidth
    switch advice {
    case .soon: mapped.prefetch(bytes)
    case .done: mapped.release(bytes)
    }
  }

  /// Returns the first token of a file.
  func fileStart(_ file: Int) -> Int { isForeign ? 0 : index(file) }

  /// Returns the first token of a document.
  func documentStart(_ document: Int) -> Int {
    if let index = layout.index { return min(index.documentStart(document), header.tokenCount) }
    return index(header.fileCount + document)
  }

  /// Returns the first document that starts at token `i` or later, or the number of documents.
  func document(from i: Int) -> Int {
    var (low, high) = (0, header.documentCount)
    while low < high {
      let middle = (low + high) / 2
      if documentStart(middle) < i { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private func index(_ entry: Int) -> Int {
    Int(clamping: UInt64(littleEndian: load(header.indexOffset + 8 * entry)))
  }

  @inline(__always)
  private func load<Number: BitwiseCopyable>(_ offset: Int) -> Number {
    mapped.bytes.load(fromByteOffset: offset, as: Number.self)
  }
}
