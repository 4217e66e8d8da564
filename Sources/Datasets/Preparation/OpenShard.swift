internal import Glibc

/// A shard that is not yet complete: a file of tokens, and one of the first tokens of its documents,
/// which grow until the shard is finished and renamed.
final class OpenShard {
  /// The size of the files at one time, from which a killed preparation goes on.
  struct State: Codable, Equatable {
    var number = 0
    var tokens = 0
    var documents = 0
    var bytes = 0
    var checksum: UInt32 = 0
  }

  private(set) var state: State
  private let format: ShardFormat
  private let width: Int
  private let tokenFile, indexFile: GrowingFile

  /// The bytes before the tokens.
  private static func headerSize(_ format: ShardFormat) -> Int {
    switch format {
    case .unroll: CorpusHeader.size
    case .llmC: LLMCForm.headerSize
    case .megatron: 0
    }
  }

  /// Creates the files, or opens them at an earlier size.
  init(
    _ stem: String, _ state: State, format: ShardFormat, width: Int
  ) throws(DataError) {
    self.state = state
    self.format = format
    self.width = width
    let header = Self.headerSize(format)
    tokenFile = try GrowingFile(
      stem + ".part", size: state.tokens == 0 ? 0 : header + state.tokens * width)
    indexFile = try GrowingFile(stem + ".index.part", size: 8 * state.documents)
    if tokenFile.size == 0, header > 0 {
      try tokenFile.append([UInt8](repeating: 0, count: header)[...])
    }
  }

  /// Adds the first tokens of documents.
  func append(documents starts: [Int]) throws(DataError) {
    var message = MessageWriter()
    for start in starts { message.add(start) }
    try indexFile.append(message.bytes[...])
    state.documents += starts.count
  }

  /// Adds tokens, and the bytes of text that they stand for.
  func append(_ tokens: ArraySlice<UInt8>, bytes: Int) throws(DataError) {
    try tokenFile.append(tokens)
    state.checksum = tokens.withUnsafeBytes { checksum($0, after: state.checksum) }
    state.tokens += tokens.count / width
    state.bytes += bytes
  }

  /// Returns when everything is on the disk.
  func sync() throws(DataError) {
    try tokenFile.sync()
    try indexFile.sync()
  }

  /// Completes the files and gives them their names.
  /// - Parameter stem: the path without its ending.
  func finish(_ stem: String, vocabularyHash: UInt64, document: DocumentBoundary) throws(DataError)
  {
    switch format {
    case .unroll:
      var header = CorpusHeader()
      header.vocabularyHash = vocabularyHash
      header.tokenWidth = width
      header.tokenCount = state.tokens
      header.fileCount = 1
      header.documentCount = state.documents
      header.documentKind = document.code
      header.byteCount = state.bytes
      header.tokensChecksum = state.checksum
      let padding = header.indexOffset - CorpusHeader.size - state.tokens * width
      try tokenFile.append([UInt8](repeating: 0, count: padding + 8)[...])
      // The only file begins at the first token.
      let file = [UInt8](repeating: 0, count: 8)
      var sum = file.withUnsafeBytes { checksum($0) }
      try indexFile.forEachPiece { (piece) throws(DataError) in
        sum = piece.withUnsafeBytes { checksum($0, after: sum) }
        try tokenFile.append(piece[...])
      }
      header.indexChecksum = sum
      try tokenFile.overwrite(header.bytes)
      try tokenFile.finish(stem + format.ending)
    case .llmC:
      let form = LLMCForm.all.first { $0.width == width }!
      var header: [UInt8] = []
      for number in [form.magic, form.version, state.tokens] {
        withUnsafeBytes(of: Int32(number).littleEndian) { header += $0 }
      }
      try tokenFile.overwrite(header)
      try tokenFile.finish(stem + format.ending)
    case .megatron:
      try writeIndex(stem)
    }
  }

  /// The file of documents, which is kept until the place after the shard is saved.
  var indexPath: String { indexFile.path }

  /// Takes back what was done after a place was saved: gives the files of a shard that was finished
  /// since their earlier names.
  static func reopen(_ stem: String, _ format: ShardFormat) throws(DataError) {
    if format == .megatron { unlink(stem + ".idx") }
    let name = stem + format.ending
    if access(stem + ".part", F_OK) != 0, access(name, F_OK) == 0 {
      guard rename(name, stem + ".part") == 0 else { throw .unwritable(name) }
    }
  }

  /// Removes what was begun after a place was saved.
  /// - Returns: false if there was nothing.
  static func remove(_ stem: String, _ format: ShardFormat) -> Bool {
    let endings = [".part", ".index.part", ".idx", format.ending]
    return endings.filter { unlink(stem + $0) == 0 }.count > 0
  }

  /// Writes Megatron's index: a document is a sequence.
  private func writeIndex(_ stem: String) throws(DataError) {
    // A document that goes on from the shard before is a sequence too.
    var starts: [Int] = []
    try indexFile.forEachPiece { (piece) throws(DataError) in
      var message = MessageReader(piece)
      for _ in 0..<piece.count / 8 { starts.append(message.number()) }
    }
    if starts.first != 0 { starts.insert(0, at: 0) }
    // Documents may be empty, but none begins before another.
    let ends = starts.dropFirst() + [state.tokens]
    guard zip(starts, ends).allSatisfy({ 0 <= $0 && $0 <= $1 }) else {
      throw .damagedPreparation(indexFile.path)
    }
    let index = try ReplacementFile(stem + ".idx")
    var bytes = SequenceIndex.magic
    func add(_ number: some FixedWidthInteger) {
      withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }
    func flush() throws(DataError) {
      try index.write(bytes.span.bytes)
      bytes.removeAll(keepingCapacity: true)
    }
    add(UInt64(1))
    bytes.append(width == 2 ? 8 : 4)
    add(UInt64(starts.count))
    add(UInt64(starts.count + 1))
    for (start, end) in zip(starts, ends) { add(Int32(end - start)) }
    try flush()
    for start in starts { add(Int64(start * width)) }
    try flush()
    for i in 0...starts.count { add(Int64(i)) }
    try flush()
    try tokenFile.finish(stem + format.ending)
    // The pair is complete when the index is there.
    try index.commit()
  }
}

/// A file that grows, can be cut to an earlier size, and gets its name when it is complete.
final class GrowingFile {
  let path: String
  private(set) var size: Int
  private var descriptor: Int32

  /// Opens the file, or creates it, with `size` bytes.
  /// - Throws: `DataError` if it is shorter.
  init(_ path: String, size: Int) throws(DataError) {
    self.path = path
    self.size = size
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .unwritable(path) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, Int(status.st_size) >= size else {
      throw DataError(
        "\(path) is shorter than when the preparation ended: remove the folder, and prepare again")
    }
    guard ftruncate(descriptor, size) == 0, lseek(descriptor, size, SEEK_SET) == size else {
      throw .unwritable(path)
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  func append(_ bytes: ArraySlice<UInt8>) throws(DataError) {
    let done = bytes.withUnsafeBytes { all in
      var done = 0
      while done < all.count {
        let written = write(descriptor, all.baseAddress! + done, all.count - done)
        if written < 0 && errno == EINTR { continue }
        if written <= 0 { break }
        done += written
      }
      return done
    }
    guard done == bytes.count else { throw .unwritable(path) }
    size += done
  }

  /// Writes bytes over the first ones.
  func overwrite(_ bytes: [UInt8]) throws(DataError) {
    guard pwrite(descriptor, bytes, bytes.count, 0) == bytes.count else { throw .unwritable(path) }
  }

  /// Hands over all bytes in pieces.
  func forEachPiece(_ body: ([UInt8]) throws(DataError) -> Void) throws(DataError) {
    var place = 0
    while place < size {
      var piece = [UInt8](repeating: 0, count: min(1 << 18, size - place))
      guard pread(descriptor, &piece, piece.count, place) == piece.count else {
        throw .unreadable(path)
      }
      try body(piece)
      place += piece.count
    }
  }

  func sync() throws(DataError) {
    guard fsync(descriptor) == 0 else { throw .unwritable(path) }
  }

  /// Gives the complete file its name.
  func finish(_ name: String) throws(DataError) {
    try sync()
    guard rename(path, name) == 0 else { throw .unwritable(name) }
    guard let slash = name.lastIndex(of: "/") else { return }
    let folder = open(String(name[..<slash]), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw .unwritable(name) }
    defer { close(folder) }
    // Some network file systems cannot sync a folder (EINVAL); nothing more can be done then.
    guard fsync(folder) == 0 || errno == EINVAL else { throw .unwritable(name) }
  }
}
