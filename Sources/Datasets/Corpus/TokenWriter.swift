/// A writer of an encoded corpus, token by token, each of 1, 2 or 4 bytes.
struct TokenWriter {
  private let file: ReplacementFile
  private let width: Int
  private var pending: [UInt8] = []
  private static let pieceSize = 1 << 18
  private(set) var count = 0
  private(set) var tokensChecksum: UInt32 = 0

  /// Creates the file.
  /// - Parameter symbols: the number of different tokens, which decides their width.
  init(_ path: String, symbols: Int) throws(DataError) {
    file = try ReplacementFile(path)
    width = symbols <= 1 << 8 ? 1 : symbols <= 1 << 16 ? 2 : 4
    pending.reserveCapacity(Self.pieceSize + 4)
    let header = [UInt8](repeating: 0, count: CorpusHeader.size)
    try file.write(header.span.bytes)
  }

  @inline(__always)
  mutating func append(_ token: Int32) throws(DataError) {
    let bits = UInt32(bitPattern: token)
    pending.append(UInt8(truncatingIfNeeded: bits))
    if width > 1 { pending.append(UInt8(truncatingIfNeeded: bits >> 8)) }
    if width > 2 {
      pending.append(UInt8(truncatingIfNeeded: bits >> 16))
      pending.append(UInt8(truncatingIfNeeded: bits >> 24))
    }
    count += 1
    if pending.count >= Self.pieceSize { try flush() }
  }

  private mutating func flush() throws(DataError) {
    tokensChecksum = pending.withUnsafeBytes { checksum($0, after: tokensChecksum) }
    try file.write(pending.span.bytes)
    pending.removeAll(keepingCapacity: true)
  }

  /// Completes the header, writes it and the index, and puts the file in its place.
  mutating func finish(
    _ header: CorpusHeader, files: [Int], documents: [Int]
  ) throws(DataError) {
    try flush()
    var header = header
    header.tokenWidth = width
    header.tokenCount = count
    header.tokensChecksum = tokensChecksum
    header.fileCount = files.count
    header.documentCount = documents.count

    let padding = header.indexOffset - CorpusHeader.size - count * width
    let zeros = [UInt8](repeating: 0, count: padding)
    try file.write(zeros.span.bytes)
    let index = (files + documents).map { UInt64($0).littleEndian }
    header.indexChecksum = index.withUnsafeBytes { checksum($0) }
    try file.write(index.span.bytes)
    let bytes = header.bytes
    try file.write(bytes.span.bytes, at: 0)
    try file.commit()
  }
}
