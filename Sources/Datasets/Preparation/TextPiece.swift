/// A part of the texts that one rank encodes at once: parts of files, about 4 MiB together.
///
/// Pieces end at places that depend on the texts only, not on the ranks.
public struct TextPiece: Sendable {
  /// A part of one text.
  struct Item: Sendable, Equatable {
    /// The number of the file among the inputs.
    var file: Int
    var path: String
    /// The first byte of the part, in the unpacked text.
    var start: Int
    /// The number of bytes.
    var count: Int
    /// The bytes, of a packed file or standard input; nil for a part of a file that every rank can read.
    var bytes: [UInt8]?
    /// The place at which the first document begins: before `start`, if the part continues it.
    var documentStart: Int
    /// True if the part's last document ends with it.
    var endsDocument: Bool
    /// True if the text ends with it.
    var endsFile: Bool
    var isJSONLines: Bool
    /// The number of lines of the text before the part; nil if it has to be counted.
    var linesBefore: Int?

    var continuesDocument: Bool { documentStart < start }
  }

  var items: [Item] = []
  /// The place in the texts after the piece.
  var after = TextPosition()
  /// The bytes of files that were used up with this piece, packed as they are.
  public internal(set) var consumed = 0

  /// The bytes of text.
  public var size: Int { items.reduce(0) { $0 + $1.count } }
}

/// A place in the texts between two pieces.
struct TextPosition: Codable, Sendable, Equatable {
  var file = 0
  var place = 0
  /// The place in this file at which the present document begins.
  var documentStart = 0
  var lines = 0
  /// A checksum of standard input so far, so that it can be told from another text.
  var checksum: UInt32 = 0
}

extension TextPiece {
  /// The message that carries the piece to another rank.
  public var message: [UInt8] {
    var message = MessageWriter()
    message.add(items.count)
    for item in items {
      for number in [item.file, item.start, item.count, item.documentStart] { message.add(number) }
      message.add(
        (item.endsDocument ? 1 : 0) + (item.endsFile ? 2 : 0) + (item.isJSONLines ? 4 : 0))
      message.add(item.linesBefore ?? -1)
      message.add(Array(item.path.utf8))
      message.add(item.bytes == nil ? 0 : 1)
      if let bytes = item.bytes { message.add(bytes) }
    }
    return message.bytes
  }

  /// Reads what `message` writes.
  public init(message bytes: [UInt8]) {
    var message = MessageReader(bytes)
    for _ in 0..<message.number() {
      let (file, start, count) = (message.number(), message.number(), message.number())
      let (documentStart, flags, lines) = (message.number(), message.number(), message.number())
      let path = String(decoding: message.bytes(), as: UTF8.self)
      items.append(
        Item(
          file: file, path: path, start: start, count: count,
          bytes: message.number() == 0 ? nil : message.bytes(), documentStart: documentStart,
          endsDocument: flags & 1 != 0, endsFile: flags & 2 != 0, isJSONLines: flags & 4 != 0,
          linesBefore: lines < 0 ? nil : lines))
    }
  }
}
