internal import CZlib

/// The first 128 bytes of an encoded corpus, little endian:
///
///     0 "UNROLLTK" · 8 version · 12 token width · 16 tokens · 24 vocabulary hash · 32 hash of the
///     texts' sizes · 40 hash of their times · 48 files · 56 documents · 64 CRC-32 of the tokens ·
///     68 CRC-32 of the index · 72 kind of documents · 76 zero · 80 bytes of text, all ones if unknown ·
///     124 CRC-32 of the bytes before
///
/// Then come the tokens, padded to 8 bytes, and the index: for every file and then for every document
/// the place of its first token, as 64-bit numbers.
struct CorpusHeader: Equatable {
  static let size = 128
  private static let magic = Array("UNROLLTK".utf8)
  private static let version: UInt32 = 2

  private static let unknown = UInt64.max

  var tokenWidth = 1
  var tokenCount = 0
  var vocabularyHash: UInt64 = 0
  var sourceSizes: UInt64 = 0
  var sourceTimes: UInt64 = 0
  var fileCount = 0
  var documentCount = 0
  var tokensChecksum: UInt32 = 0
  var indexChecksum: UInt32 = 0
  var documentKind: UInt32 = 0
  /// The bytes of the text that the tokens stand for; nil if unknown.
  var byteCount: Int?
  /// The header's own checksum, if it was read from a file.
  private(set) var checksum: UInt32 = 0

  var indexOffset: Int { Self.size + (tokenCount * tokenWidth + 7) / 8 * 8 }
  var indexSize: Int { 8 * (fileCount + documentCount) }
  var fileSize: Int { indexOffset + indexSize }

  init() {}

  /// Returns true if a file with these bytes is an encoded corpus of any version.
  static func begins(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.prefix(magic.count).elementsEqual(magic)
  }

  /// Reads a header.
  /// - Throws: `DataError` if the bytes are no header of this version, or damaged.
  init(_ bytes: UnsafeRawBufferPointer, of path: String) throws(DataError) {
    func word(_ offset: Int) -> UInt32 {
      UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    func long(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    guard bytes.count >= Self.size, bytes.prefix(8).elementsEqual(Self.magic) else {
      throw DataError(
        "\(path) is not an encoded corpus: remove it, and it is written again from the text, a shard "
          + "by unroll prepare")
    }
    guard word(8) == Self.version else {
      throw DataError(
        "\(path) was encoded by another version: remove it, and it is written again from the text, a "
          + "shard by unroll prepare")
    }
    func damaged() -> DataError {
      DataError(
        "\(path) is damaged or incomplete (\(bytes.count) bytes): remove it, and it is written "
          + "again from the text, a shard by unroll prepare")
    }
    // Checked before anything is computed with them: no file has more tokens, files or documents than
    // bytes.
    guard word(124) == Datasets.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<124])),
      [1, 2, 4].contains(word(12)), DocumentBoundary.allCases.indices.contains(Int(word(72))),
      [16, 48, 56].allSatisfy({ long($0) <= UInt64(bytes.count) }),
      long(80) <= UInt64(Int.max) || long(80) == Self.unknown
    else { throw damaged() }
    tokenWidth = Int(word(12))
    tokenCount = Int(truncatingIfNeeded: long(16))
    vocabularyHash = long(24)
    sourceSizes = long(32)
    sourceTimes = long(40)
    fileCount = Int(truncatingIfNeeded: long(48))
    documentCount = Int(truncatingIfNeeded: long(56))
    tokensChecksum = word(64)
    indexChecksum = word(68)
    documentKind = word(72)
    byteCount = long(80) == Self.unknown ? nil : Int(long(80))
    checksum = word(124)
    guard bytes.count == fileSize else { throw damaged() }
  }

  var bytes: [UInt8] {
    var bytes = Self.magic
    func append(_ number: some FixedWidthInteger) {
      withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }
    append(Self.version)
    append(UInt32(tokenWidth))
    for number in [UInt64(tokenCount), vocabularyHash, sourceSizes, sourceTimes] { append(number) }
    for number in [UInt64(fileCount), UInt64(documentCount)] { append(number) }
    for number in [tokensChecksum, indexChecksum, documentKind, 0] { append(number) }
    append(byteCount.map { UInt64($0) } ?? Self.unknown)
    bytes += [UInt8](repeating: 0, count: 124 - bytes.count)
    append(bytes.withUnsafeBytes { Datasets.checksum($0) })
    return bytes
  }
}

/// Returns the CRC-32 (as in gzip and PNG) of bytes that follow others with the checksum `before`.
func checksum(_ bytes: UnsafeRawBufferPointer, after before: UInt32 = 0) -> UInt32 {
  guard let start = bytes.baseAddress, !bytes.isEmpty else { return before }
  let first = start.assumingMemoryBound(to: UInt8.self)
  return UInt32(truncatingIfNeeded: crc32_z(UInt(before), first, bytes.count))
}
