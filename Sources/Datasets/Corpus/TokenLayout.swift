/// The places of tokens and documents in a file of encoded text: a shard of this program, llm.c's
/// `.bin`, or Megatron's `.bin` with its `.idx`.
struct TokenLayout {
  /// The counts; without checksums, vocabulary and bytes where the file has none.
  var header: CorpusHeader
  /// The first byte of the tokens.
  var tokensStart: Int
  /// True if the numbers have a sign, which tokens do not use.
  var isSigned = false
  /// True if a file of another program says nothing of its vocabulary and has no checksums.
  var isForeign = false
  /// Megatron's index, which is another file.
  var index: SequenceIndex?

  /// The bytes of the tokens.
  var tokens: Range<Int> { tokensStart..<tokensStart + header.tokenCount * header.tokenWidth }

  /// Finds out which kind of file this is, and checks its counts and sizes.
  /// - Throws: `DataError` if it is of no known kind, damaged or incomplete.
  init(of mapped: MappedFile) throws(DataError) {
    if let index = try SequenceIndex(beside: mapped.path) {
      self = try TokenLayout(sequences: index, of: mapped)
    } else if let layout = try TokenLayout(llmC: mapped) {
      self = layout
    } else {
      let header = try CorpusHeader(mapped.bytes, of: mapped.path)
      self.init(header: header, tokensStart: CorpusHeader.size)
    }
  }

  /// Returns true if a file begins like one of these kinds, whatever follows.
  static func isKnown(_ mapped: MappedFile) throws(DataError) -> Bool {
    if CorpusHeader.begins(mapped.bytes) { return true }
    if mapped.count >= 4 {
      let magic = Int32(littleEndian: mapped.bytes.loadUnaligned(as: Int32.self))
      if LLMCForm.all.contains(where: { $0.magic == magic }) { return true }
    }
    return try SequenceIndex(beside: mapped.path) != nil
  }

  private init(header: CorpusHeader, tokensStart: Int) {
    self.header = header
    self.tokensStart = tokensStart
  }

  /// Makes the layout of a foreign file of one text.
  private init(tokens: Int, width: Int, from start: Int) {
    var header = CorpusHeader()
    header.tokenWidth = width
    header.tokenCount = tokens
    header.fileCount = 1
    self.init(header: header, tokensStart: start)
    isForeign = true
  }

  /// Reads the header of llm.c: 256 numbers of 32 bits (magic, version, count of tokens), then the
  /// tokens, of 16 bits for GPT-2 (20240520, version 1) or 32 for Llama 3 (20240801, version 7).
  /// - Returns: nil for a file of another kind.
  private init?(llmC mapped: MappedFile) throws(DataError) {
    guard mapped.count >= 8 else { return nil }
    let path = mapped.path
    func word(_ i: Int) -> Int {
      Int(Int32(littleEndian: mapped.bytes.loadUnaligned(fromByteOffset: 4 * i, as: Int32.self)))
    }
    let kind = LLMCForm.all.first { $0.magic == word(0) }
    guard let kind else { return nil }
    guard mapped.count >= LLMCForm.headerSize else {
      throw .foreign(path, "its header is incomplete (\(mapped.count) bytes)")
    }
    guard word(1) == kind.version else {
      throw .foreign(path, "version \(word(1)) of llm.c's format \(kind.magic) is not known")
    }
    let count = word(2)
    guard count >= 0, mapped.count == LLMCForm.headerSize + count * kind.width else {
      throw .foreign(
        path,
        "it should have \(count) tokens of \(kind.width) bytes after its header, but has "
          + "\(mapped.count) bytes")
    }
    self.init(tokens: count, width: kind.width, from: LLMCForm.headerSize)
  }

  private init(sequences index: SequenceIndex, of mapped: MappedFile) throws(DataError) {
    let width = index.number.width
    guard mapped.count.isMultiple(of: width) else {
      throw .foreign(
        mapped.path, "its \(mapped.count) bytes are no whole number of tokens of \(width) bytes")
    }
    self.init(tokens: mapped.count / width, width: width, from: 0)
    isSigned = index.number.isSigned
    header.documentCount = index.documentCount
    header.documentKind = DocumentBoundary.line.code
    self.index = index
  }
}

/// The two files of tokens that llm.c reads.
struct LLMCForm {
  let magic: Int
  let version: Int
  /// The bytes of a token.
  let width: Int

  static let headerSize = 1024
  static let all = [
    LLMCForm(magic: 20_240_520, version: 1, width: 2),
    LLMCForm(magic: 20_240_801, version: 7, width: 4),
  ]
}

extension DataError {
  /// Makes the error for a file of tokens that another program wrote.
  static func foreign(_ path: String, _ what: String) -> DataError {
    DataError(
      "\(path) is damaged (\(what)): make it again, or copy it again from where it came from")
  }
}
