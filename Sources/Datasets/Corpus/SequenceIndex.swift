/// The `.idx` of Megatron's pair of files, little endian, in which nothing is aligned:
///
///     0 "MMIDIDX\0\0" · 9 version 1 (64 bits) · 17 kind of numbers (8 bits) · 18 sequences (64) ·
///     26 entries of documents (64) · 34 lengths of sequences (32 each), their first bytes in the
///     `.bin` (64 each), the first sequence of each document and the number of sequences (64 each) ·
///     and perhaps the mode of each sequence (8 each)
struct SequenceIndex {
  static let magic = Array("MMIDIDX\0\0".utf8)
  static let headerSize = 34

  /// The kinds of numbers by their codes. Tokens are no fractions, so codes 6 and 7 are missing.
  static let numbers: [UInt8: (width: Int, isSigned: Bool)] = [
    1: (1, false), 2: (1, true), 3: (2, true), 4: (4, true), 5: (8, true), 8: (2, false),
  ]

  let number: (width: Int, isSigned: Bool)
  let sequenceCount: Int
  let documentCount: Int
  private let mapped: MappedFile

  var stamp: MappedFile.Stamp { mapped.stamp }
  var path: String { mapped.path }

  /// Opens the index of `NAME.bin`, `NAME.idx`.
  /// - Returns: nil if there is none, or it is another kind of file.
  /// - Throws: `DataError` if its counts do not fit its size.
  init?(beside path: String) throws(DataError) {
    guard path.hasSuffix(".bin") else { return nil }
    let name = path.dropLast(4) + ".idx"
    guard let mapped = try? MappedFile(String(name)),
      mapped.bytes.prefix(Self.magic.count).elementsEqual(Self.magic)
    else { return nil }
    try self.init(mapped)
  }

  private init(_ mapped: MappedFile) throws(DataError) {
    self.mapped = mapped
    let (path, size) = (mapped.path, mapped.count)
    guard size >= Self.headerSize else {
      throw .foreign(path, "its header is incomplete (\(size) bytes)")
    }
    func long(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: mapped.bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    guard long(9) == 1 else { throw .foreign(path, "its version is \(long(9)), not 1") }
    guard let number = Self.numbers[mapped.bytes[17]] else {
      throw .foreign(path, "\(mapped.bytes[17]) is no kind of whole numbers")
    }
    self.number = number
    // No file has more entries than bytes, so sums of these cannot overflow.
    guard long(18) <= UInt64(size), (1...UInt64(size)).contains(long(26)) else {
      throw .foreign(path, "it cannot have \(long(18)) sequences in \(size) bytes")
    }
    sequenceCount = Int(long(18))
    documentCount = Int(long(26)) - 1
    let expected = Self.headerSize + 12 * sequenceCount + 8 * (documentCount + 1)
    guard size == expected || size == expected + sequenceCount else {
      throw .foreign(
        path, "\(sequenceCount) sequences in \(documentCount) documents do not take \(size) bytes")
    }
  }

  /// Checks every entry against the tokens of the `.bin`.
  /// - Throws: `DataError` for a sequence that does not begin where the one before ends, or documents
  ///   out of order.
  func check(tokens: Int) throws(DataError) {
    var end = 0
    for sequence in 0..<sequenceCount {
      let count: Int32 = load(Self.headerSize + 4 * sequence)
      guard start(ofSequence: sequence) == end, count >= 0, Int(count) <= tokens - end else {
        throw .foreign(
          path, "sequence \(sequence) does not follow the one before, or ends after the tokens")
      }
      end += Int(count)
    }
    guard end == tokens else {
      throw .foreign(path, "its sequences have \(end) tokens, but the .bin has \(tokens)")
    }
    var last = 0
    for document in 0...documentCount {
      let sequence = sequence(ofDocument: document)
      guard (last...sequenceCount).contains(sequence), document > 0 || sequence == 0 else {
        throw .foreign(path, "document \(document) begins at sequence \(sequence), out of order")
      }
      last = sequence
    }
    guard last == sequenceCount else {
      throw .foreign(path, "its documents end before its sequences do")
    }
  }

  /// Returns the first token of a document.
  func documentStart(_ document: Int) -> Int {
    let sequence = sequence(ofDocument: document)
    guard (0..<sequenceCount).contains(sequence) else { return Int.max }
    return start(ofSequence: sequence)
  }

  private func start(ofSequence sequence: Int) -> Int {
    let offset: Int64 = load(Self.headerSize + 4 * sequenceCount + 8 * sequence)
    return Int(offset).isMultiple(of: number.width) ? Int(offset) / number.width : -1
  }

  private func sequence(ofDocument document: Int) -> Int {
    let sequence: Int64 = load(Self.headerSize + 12 * sequenceCount + 8 * document)
    return Int(sequence)
  }

  /// A checksum of all of the index.
  var checksum: UInt32 { withExtendedLifetime(mapped) { Datasets.checksum(mapped.bytes) } }

  private func load<Number: FixedWidthInteger & BitwiseCopyable>(_ offset: Int) -> Number {
    withExtendedLifetime(mapped) {
      Number(littleEndian: mapped.bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
    }
  }
}
