/// The checksums and the greatest token of a file that another program wrote, which has neither.
///
/// They are found by reading all of it once. A small file beside it (`.checked`) keeps them, with the
/// size, the inode and the times of the file and of its index, until one of the two changes.
struct ForeignFacts {
  var tokensChecksum: UInt32 = 0
  var indexChecksum: UInt32 = 0
  var greatestToken = 0

  /// Reads the facts, or finds them.
  /// - Throws: `DataError` if a token is negative, or if the index does not fit the tokens.
  init(_ mapped: MappedFile, _ layout: TokenLayout) throws(DataError) {
    let path = mapped.path + ".checked"
    let stamps = Self.words(mapped.stamp) + (layout.index.map { Self.words($0.stamp) } ?? "")
    if let known = Self.read(path, stamps) {
      self = known
      return
    }
    self.init()
    mapped.forEachPiece(of: layout.tokens) { piece in
      tokensChecksum = checksum(piece, after: tokensChecksum)
      greatestToken = max(
        greatestToken, Datasets.greatestToken(in: piece, width: layout.header.tokenWidth))
    }
    let width = layout.header.tokenWidth
    // Without their sign, negative numbers are the greatest.
    if layout.isSigned, greatestToken > Int.max >> (64 - 8 * width) || greatestToken == .max {
      throw .foreign(mapped.path, "it has a negative number, or one too large for a token")
    }
    if let index = layout.index {
      try index.check(tokens: layout.header.tokenCount)
      indexChecksum = index.checksum
    }
    let isSettled = mapped.stamp.isSettled && layout.index?.stamp.isSettled ?? true
    // A folder that cannot be written to only means that the file is read again at the next start.
    guard isSettled, let file = try? ReplacementFile(path) else { return }
    let line = Array("\(stamps)\(tokensChecksum) \(indexChecksum) \(greatestToken)\n".utf8)
    try? file.write(line.span.bytes)
    try? file.commit()
  }

  private init() {}

  private static func words(_ stamp: MappedFile.Stamp) -> String {
    "\(stamp.size) \(stamp.inode) \(stamp.modified) \(stamp.changed) "
  }

  private static func read(_ path: String, _ stamps: String) -> ForeignFacts? {
    guard let file = try? MappedFile(path), file.count < 1000 else { return nil }
    let text = withExtendedLifetime(file) { String(decoding: file.bytes, as: UTF8.self) }
    guard text.hasPrefix(stamps) else { return nil }
    let numbers = text.dropFirst(stamps.count).split(whereSeparator: \.isWhitespace)
    guard numbers.count == 3, let tokens = UInt32(numbers[0]), let index = UInt32(numbers[1]),
      let greatest = Int(numbers[2])
    else { return nil }
    var facts = ForeignFacts()
    (facts.tokensChecksum, facts.indexChecksum, facts.greatestToken) = (tokens, index, greatest)
    return facts
  }
}

extension MappedFile {
  /// Hands over some of the memory in pieces that stay in the cache.
  func forEachPiece(of part: Range<Int>, _ body: (UnsafeRawBufferPointer) -> Void) {
    var start = part.lowerBound
    while start < part.upperBound {
      let end = min(start + 1 << 18, part.upperBound)
      body(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
      // A file that may be larger than the memory is not to stay in that of this process.
      if count > 1 << 26 { release(start..<end) }
      start = end
    }
  }
}

/// Returns the greatest of some tokens, as numbers without a sign.
func greatestToken(in piece: UnsafeRawBufferPointer, width: Int) -> Int {
  func greatest<Number: FixedWidthInteger & UnsignedInteger>(_ type: Number.Type) -> Int {
    var greatest: Number = 0
    for token in piece.bindMemory(to: type) {
      greatest = max(greatest, Number(littleEndian: token))
    }
    return Int(clamping: greatest)
  }
  switch width {
  case 1: return greatest(UInt8.self)
  case 2: return greatest(UInt16.self)
  case 4: return greatest(UInt32.self)
  default: return greatest(UInt64.self)
  }
}
