internal import LinearAlgebra

/// An encoded corpus, mapped into memory and never changed.
final class CorpusFile: Sendable {
  let header: CorpusHeader
  private let mapped: MappedFile

  var path: String { mapped.path }

  /// Maps a file and checks its header and its size.
  init(_ path: String) throws(DataError) {
    mapped = try MappedFile(path)
    header = try CorpusHeader(mapped.bytes, of: path)
  }

  /// Whether every byte is as it was written; reads all of them.
  var isIntact: Bool {
    let tokens = mapped.bytes[CorpusHeader.size..<tokensEnd]
    let index = mapped.bytes[header.indexOffset..<header.fileSize]
    return checksum(UnsafeRawBufferPointer(rebasing: tokens)) == header.tokensChecksum
      && checksum(UnsafeRawBufferPointer(rebasing: index)) == header.indexChecksum
  }

  private var tokensEnd: Int { CorpusHeader.size + header.tokenCount * header.tokenWidth }

  func token(_ i: Int) -> Int32 {
    precondition(i >= 0 && i < header.tokenCount, "token \(i) of \(header.tokenCount)")
    switch header.tokenWidth {
    case 1: return Int32(mapped.bytes[CorpusHeader.size + i])
    case 2: return Int32(UInt16(littleEndian: load(CorpusHeader.size + 2 * i)))
    default: return Int32(littleEndian: load(CorpusHeader.size + 4 * i))
    }
  }

  /// Writes the tokens of `range` into a buffer from `offset` on.
  func copy(_ range: Range<Int>, to buffer: Buffer<Int32>, at offset: Int) {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= header.tokenCount,
      "tokens \(range) of \(header.tokenCount)")
    let tokens = buffer.elements(from: offset, count: range.count)
    let start = CorpusHeader.size + range.lowerBound * header.tokenWidth
    switch header.tokenWidth {
    case 1: for i in 0..<range.count { tokens[i] = Int32(mapped.bytes[start + i]) }
    case 2:
      for i in 0..<range.count { tokens[i] = Int32(UInt16(littleEndian: load(start + 2 * i))) }
    default: for i in 0..<range.count { tokens[i] = Int32(littleEndian: load(start + 4 * i)) }
    }
  }

  /// Where a file starts.
  func fileStart(_ file: Int) -> Int { index(file) }

  /// Where a document starts.
  func documentStart(_ document: Int) -> Int { index(header.fileCount + document) }

  /// The first document that starts at token `i` or later, or the number of documents.
  func document(from i: Int) -> Int {
    var (low, high) = (0, header.documentCount)
    while low < high {
      let middle = (low + high) / 2
      if documentStart(middle) < i { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private func index(_ entry: Int) -> Int {
    Int(UInt64(littleEndian: load(header.indexOffset + 8 * entry)))
  }

  @inline(__always)
  private func load<Number: BitwiseCopyable>(_ offset: Int) -> Number {
    mapped.bytes.load(fromByteOffset: offset, as: Number.self)
  }
}
