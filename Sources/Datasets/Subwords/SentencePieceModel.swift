internal import CSentencePiece

/// A model of SentencePiece, encoded by its library and decoded here, so that bytes stay bytes.
///
/// Threads may share it: the library does not change a model while it encodes.
final class SentencePieceModel: FileModel, @unchecked Sendable {
  let contents: [UInt8]
  let table: SymbolTable
  let file: SentencePieceFile
  /// True if lines can be encoded one by one.
  let isolatesLines: Bool
  /// The places where a text can be cut into words that are encoded one by one.
  private let joints: PieceJoints?
  private let caches = WordCaches()
  private let handle: OpaquePointer
  private let texts: ByteStrings
  /// The number of symbols of the blank that is put in front of a line which begins with its end.
  private let blankCount: Int

  /// Makes a model of the bytes of a file.
  /// - Throws: `DataError` if they are no model.
  init(_ contents: [UInt8], of path: String) throws(DataError) {
    file = try SentencePieceFile(contents.span, of: path)
    isolatesLines = file.isolatesLines
    joints = file.joints
    self.contents = contents
    var table = SymbolTable()
    var texts = ByteStrings()
    for (number, piece) in file.pieces.enumerated() {
      table.insertUnique(piece.text, number)
      texts.append(Self.text(piece, file))
    }
    self.table = table
    self.texts = texts
    var model: OpaquePointer?
    let mistake = Self.message { message, capacity in
      contents.withUnsafeBytes {
        sentencepiece_load($0.baseAddress!, $0.count, &model, message, capacity)
      }
    }
    guard let model, mistake == nil else {
      throw DataError(
        "\(path) is not a model of SentencePiece (\(mistake ?? "it is empty")): give a sound .model"
      )
    }
    handle = model
    blankCount = file.addsBlank ? Self.ids(handle, [newline].span, 0..<1)?.count ?? 1 : 1
  }

  deinit { sentencepiece_free(handle) }

  private static func text(_ piece: SentencePieceFile.Piece, _ file: SentencePieceFile) -> [UInt8] {
    switch piece.kind {
    case .control: return []
    case .unknown: return file.unknownText
    case .byte: return [SentencePieceFile.byte(piece.text)!]
    default:
      var text: [UInt8] = []
      var rest = piece.text[...]
      while let byte = rest.first {
        if rest.starts(with: SentencePieceFile.blank) {
          text.append(UInt8(ascii: " "))
          rest = rest.dropFirst(3)
        } else {
          text.append(byte)
          rest = rest.dropFirst()
        }
      }
      return text
    }
  }

  /// Returns the number of bytes of a symbol's text, nil for the unknown one.
  func byteLength(_ id: Int32) -> Int? {
    id == file.special.unknown ? nil : texts.length(Int(id))
  }

  var special: SpecialNumbers { file.special }

  // MARK: Encoding

  /// Hands the numbers of a text's symbols to `emit`. Words or lines are encoded one by one where that gives
  /// the symbols of the whole.
  /// - Throws: `DataError` if the library refuses the text; what `emit` throws.
  func encode(
    _ text: Span<UInt8>, to emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    if let joints { return try encodeWords(text, joints, emit) }
    guard isolatesLines else { return try encode(text, text.indices, skipping: 0, emit) }
    var start = 0
    while start < text.count {
      // A part has a byte at least, which may be the end of the line before it.
      var end = file.addsBlank ? start + 1 : start
      while end < text.count, text[end] != newline { end += 1 }
      if !file.addsBlank { end = min(end + 1, text.count) }
      // A blank is put before the first line alone: the others are encoded with the end of the line
      // before them, and the blank in front of that is left out.
      let skipped = file.addsBlank && start > 0 ? blankCount - 1 : 0
      try encode(text, start..<end, skipping: skipped, emit)
      start = end
    }
  }

  private func encode(
    _ text: Span<UInt8>, _ range: Range<Int>, skipping skipped: Int,
    _ emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    let ids = try ids(text, range)
    for i in min(skipped, ids.count)..<ids.count { try emit(ids[i]) }
  }

  private func encodeWords(
    _ text: Span<UInt8>, _ joints: PieceJoints, _ emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    try caches.use { (cache) throws(DataError) in
      var end = 0
      while end < text.count {
        let start = end
        repeat { end += 1 } while end < text.count && !joints.isCut(text, end)
        guard end - start <= WordCache.longestWord else {
          try encode(text, start..<end, skipping: 0, emit)
          continue
        }
        let key = WordCache.Key(text, start, end)
        if let known = cache.find(key) {
          for i in known { try emit(cache.symbol(i)) }
        } else {
          let ids = try ids(text, start..<end)
          cache.insert(key, ids[...])
          for id in ids { try emit(id) }
        }
      }
    }
  }

  private func ids(_ text: Span<UInt8>, _ range: Range<Int>) throws(DataError) -> [Int32] {
    guard let ids = Self.ids(handle, text, range) else {
      throw DataError(
        "SentencePiece cannot encode a text of \(range.count) bytes: give shorter ones")
    }
    return ids
  }

  private static func ids(
    _ model: OpaquePointer, _ text: Span<UInt8>, _ range: Range<Int>
  ) -> [Int32]? {
    var (ids, count): (UnsafeMutablePointer<Int32>?, Int) = (nil, 0)
    let mistake = message { message, capacity in
      text.extracting(range).withUnsafeBufferPointer {
        sentencepiece_encode(model, $0.baseAddress, $0.count, &ids, &count, message, capacity)
      }
    }
    guard mistake == nil, let ids else { return nil }
    defer { sentencepiece_release(ids) }
    return Array(UnsafeBufferPointer(start: ids, count: count))
  }

  /// Returns the message of a call that failed, without the library's own numbers of lines.
  static func message(
    _ body: (UnsafeMutablePointer<CChar>, Int) -> Int32
  ) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { message in
      message[0] = 0
      guard body(message.baseAddress!, message.count) != 0 else { return nil }
      let bytes = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      let text = String(decoding: bytes, as: UTF8.self)
      return text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }
  }

  // MARK: Decoding

  /// Returns the text of symbols. A blank that stands for the begin of the text is left out.
  func decode(_ ids: some Sequence<Int32>) -> [UInt8] {
    var text: [UInt8] = []
    let dropsBlanks = file.addsBlank || file.removesBlanks
    var isFirst = dropsBlanks
    for id in ids {
      let piece = texts[Int(id)]
      if isFirst, !piece.isEmpty, file.pieces[Int(id)].text.starts(with: SentencePieceFile.blank) {
        text += piece.dropFirst()
        isFirst = file.removesBlanks && text.isEmpty
      } else {
        text += piece
        if !piece.isEmpty { isFirst = false }
      }
    }
    return text
  }
}
