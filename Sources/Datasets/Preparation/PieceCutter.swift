internal import CZlib

/// A sequence of the pieces of texts, from any place between two pieces on.
///
/// It reads of each text only as much as it needs to find where the piece ends: after a line of JSON
/// or a document of one line; before a document that begins after a blank line; otherwise, and in a
/// document longer than a piece, after the last line that fits, or after white space or between two
/// characters if a single line does not fit.
public final class PieceCutter {
  private let inputs: PreparedInputs
  private let document: DocumentBoundary
  private var position: TextPosition
  private var source: (any ByteSource)?
  /// The bytes of the present packed text that were read and are not yet in a piece.
  private var pending: [UInt8] = []
  private var isAtEnd = false
  private let size: Int

  init(
    _ inputs: PreparedInputs, _ settings: PreparationSettings, from position: TextPosition
  ) throws(DataError) {
    self.inputs = inputs
    document = settings.document
    size = settings.pieceSize
    self.position = position
    guard position.file < inputs.count, position.place > 0,
      isStream(inputs.files[position.file])
    else { return }
    try skip(to: position)
  }

  /// Makes the sequence of all pieces.
  package convenience init(
    _ inputs: PreparedInputs, _ settings: PreparationSettings
  ) throws(DataError) {
    try self.init(inputs, settings, from: TextPosition())
  }

  private func isStream(_ file: PreparedInputs.File) -> Bool {
    file.isStandardInput || file.compression != .none
  }

  /// Returns the next piece; nil after the last.
  /// - Throws: `DataError` if a text cannot be read or is damaged, or has too long a line of JSON.
  public func next() throws(DataError) -> TextPiece? {
    var piece = TextPiece()
    var room = size
    while position.file < inputs.count {
      let file = inputs.files[position.file]
      guard let item = try next(of: file, room: room, isFirst: piece.items.isEmpty) else { break }
      if item.count > 0 { piece.items.append(item) }
      room -= item.count
      if room <= 0 { break }
    }
    guard !piece.items.isEmpty else { return nil }
    piece.after = position
    piece.consumed = consumed
    return piece
  }

  /// The bytes of files that were used up, packed as they are.
  private var consumed: Int {
    let here: Int
    if position.file == inputs.count {
      here = 0
    } else if isStream(inputs.files[position.file]) {
      here = source?.consumed ?? 0
    } else {
      here = position.place
    }
    if position.file != counted.file {
      if position.file < counted.file { counted = (0, 0) }
      for file in counted.file..<position.file { counted.bytes += inputs.files[file].size }
      counted.file = position.file
    }
    return counted.bytes + here
  }
  private var counted = (file: 0, bytes: 0)

  /// Returns a part of the present text of about `room` bytes or less, and goes to the place after it.
  /// - Returns: nil if the text does not fit into the room that is left in a piece.
  private func next(
    of file: PreparedInputs.File, room: Int, isFirst: Bool
  ) throws(DataError) -> TextPiece.Item? {
    let stream = isStream(file)
    let rest: Int
    if stream {
      try fill(file, room + 1)
      rest = isAtEnd ? pending.count : .max
    } else {
      rest = file.size - position.place
    }
    if rest <= room { return take(rest, of: file, isEnd: true, startsDocument: false) }
    if !isFirst { return nil }
    let (end, startsDocument) = try stream ? cut(pending: file) : cut(plain: file)
    return take(end, of: file, isEnd: end == rest, startsDocument: startsDocument)
  }

  /// Makes the item of the next `count` bytes, and goes to the place after them.
  /// - Parameter startsDocument: true if a document begins after them.
  private func take(
    _ count: Int, of file: PreparedInputs.File, isEnd: Bool, startsDocument: Bool
  ) -> TextPiece.Item {
    let stream = isStream(file)
    // A line of JSON is a document, so that none is cut.
    let startsDocument = startsDocument || file.isJSONLines
    let isLast = isEnd && position.file + 1 == inputs.count
    let item = TextPiece.Item(
      file: position.file, path: file.isStandardInput ? "standard input" : file.path,
      start: position.place, count: count, bytes: stream ? Array(pending[..<count]) : nil,
      documentStart: position.documentStart,
      endsDocument: document == .none ? isLast : isEnd || startsDocument,
      endsFile: isEnd, isJSONLines: file.isJSONLines, linesBefore: stream ? position.lines : nil)
    if isEnd {
      position = TextPosition(file: position.file + 1)
      source = nil
      pending = []
      isAtEnd = false
      return item
    }
    position.place += count
    if startsDocument { position.documentStart = position.place }
    if stream {
      advance(over: count)
      pending.removeFirst(count)
    }
    return item
  }

  /// Counts the lines of the next bytes of a stream, and adds them to its checksum.
  private func advance(over count: Int) {
    for i in 0..<count where pending[i] == newline { position.lines += 1 }
    position.checksum = pending.withUnsafeBytes {
      checksum(UnsafeRawBufferPointer(rebasing: $0[..<count]), after: position.checksum)
    }
  }

  // MARK: Streams

  /// Reads the present stream until so many bytes are pending, or it ends.
  private func fill(_ file: PreparedInputs.File, _ count: Int) throws(DataError) {
    if source == nil {
      source = file.isStandardInput ? PlainSource() : try file.compression.open(file.path)
    }
    guard let source else { return }
    while pending.count < count, !isAtEnd {
      isAtEnd = try !source.read(min(1 << 19, count - pending.count), into: &pending)
    }
  }

  /// Reads a stream again up to a place.
  private func skip(to goal: TextPosition) throws(DataError) {
    let file = inputs.files[goal.file]
    position = TextPosition(file: goal.file)
    while position.place < goal.place {
      try fill(file, min(1 << 19, goal.place - position.place))
      let count = pending.count
      guard count > 0 else { break }
      advance(over: count)
      position.place += count
      pending.removeAll(keepingCapacity: true)
    }
    guard position.place == goal.place, position.checksum == goal.checksum else {
      let name = file.isStandardInput ? "standard input" : file.path
      throw DataError(
        "\(name) is not the text that the preparation began with: give the same text, or choose "
          + "another folder with --out")
    }
    position = goal
  }

  private func cut(pending file: PreparedInputs.File) throws(DataError) -> (Int, Bool) {
    var window = size
    while true {
      try fill(file, window + 1)
      let text = Array(pending.prefix(window))
      if let end = end(in: text.span, isStart: position.place == 0, file) { return end }
      guard file.isJSONLines else { return (forcedEnd(in: text.span), false) }
      if isAtEnd, pending.count <= window { return (pending.count, true) }
      window = try wider(window, file)
    }
  }

  /// Returns the place at which a part of a file ends, which is longer than a piece.
  private func cut(plain file: PreparedInputs.File) throws(DataError) -> (Int, Bool) {
    let source = try PlainSource(file.path)
    var window = min(size, file.size - position.place)
    // Most ends are found in the last part of a piece.
    var tail = size / 16
    while true {
      let first = position.place + max(0, window - tail)
      var bytes: [UInt8] = []
      try source.read(first..<position.place + window, into: &bytes)
      let isWhole = first == position.place
      let before = first - position.place
      if let end = end(in: bytes.span, isStart: isWhole && position.place == 0, file) {
        return (before + end.0, end.1)
      }
      if !isWhole {
        tail = window
        continue
      }
      guard file.isJSONLines else { return (forcedEnd(in: bytes.span), false) }
      if window == file.size - position.place { return (window, true) }
      window = min(try wider(window, file), file.size - position.place)
      tail = window
    }
  }

  /// Returns a longer part of JSON lines to look for the end of a line in.
  private func wider(_ window: Int, _ file: PreparedInputs.File) throws(DataError) -> Int {
    guard window < PreparationSettings.longestLine else {
      throw DataError(
        "\(file.path) has a line of JSON longer than \(PreparationSettings.longestLine >> 20) MiB "
          + "after byte \(position.place): divide its text into several lines")
    }
    return 2 * window
  }

  // MARK: Ends

  /// Returns the last place in a text at which a piece should end, and if a document begins there; nil
  /// if there is no such place.
  /// - Parameter isStart: true if the text is the start of a file.
  private func end(
    in text: Span<UInt8>, isStart: Bool, _ file: PreparedInputs.File
  ) -> (Int, Bool)? {
    if file.isJSONLines || document == .line {
      return lastLineStart(in: text) { _ in true }.map { ($0, true) }
    }
    guard document == .blankLine else { return nil }
    let first = isStart ? text.indices.first { whiteSpaceLength(text, $0) == 0 } ?? text.count : -1
    let found = lastLineStart(in: text) { start in
      // The line here has text, and the one before has none.
      if text.isBlank(start..<lineEnd(in: text, from: start)) { return false }
      let before = lineStart(in: text, before: start - 1)
      return before > 0 && before > first && text.isBlank(before..<start - 1)
    }
    return found.map { ($0, true) }
  }
}

/// Returns a place in a document at which it is cut: after its last line, or after white space, or
/// between two characters.
func forcedEnd(in text: Span<UInt8>) -> Int {
  // A line after a blank one may begin a document, which its own part could not know.
  let afterText = lastLineStart(in: text) { start in
    !text.isBlank(lineStart(in: text, before: start - 1)..<start - 1)
  }
  if let end = afterText ?? lastLineStart(in: text, where: { _ in true }) { return end }
  var end = text.count
  while end > text.count / 2, whiteSpaceLength(text, end - 1) != 1 { end -= 1 }
  if end > text.count / 2 { return end }
  end = text.count
  while end > text.count - 4, end > 1, text[end - 1] & 0xC0 == 0x80 { end -= 1 }
  // The character that begins at the last byte may go on after it.
  return end > 1 && text[end - 1] >= 0xC0 ? end - 1 : text.count
}

/// Returns the last place after an end of a line, but not that of the text's end, that satisfies a
/// condition.
private func lastLineStart(in text: Span<UInt8>, where condition: (Int) -> Bool) -> Int? {
  var i = text.count
  while i > 0 {
    if text[i - 1] == newline, condition(i) { return i }
    i -= 1
  }
  return nil
}

private func lineEnd(in text: Span<UInt8>, from start: Int) -> Int {
  var i = start
  while i < text.count, text[i] != newline { i += 1 }
  return i
}

private func lineStart(in text: Span<UInt8>, before end: Int) -> Int {
  var i = end
  while i > 0, text[i - 1] != newline { i -= 1 }
  return i
}
