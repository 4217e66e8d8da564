internal import Glibc

/// A complete shard.
public struct Shard: Codable, Sendable, Equatable {
  public var name: String
  public var tokens: Int
  /// The documents that begin in it.
  public var documents: Int
  /// The bytes of text that the tokens stand for. A document that two shards share is divided in the
  /// ratio of its tokens.
  public var bytes: Int
  /// The CRC-32 of the tokens.
  public var checksum: UInt32
}

/// A writer of the shards of one part of the documents.
///
/// A shard ends with the document in which it reaches its size, but within a document that would make
/// it a quarter larger still; without documents, at its size.
final class ShardWriter {
  struct State: Codable, Equatable {
    var shards: [Shard] = []
    var open: OpenShard.State?
  }

  private(set) var shards: [Shard]
  private var open: OpenShard?
  /// The indices of shards that were finished since the last save.
  private var finished: [String] = []
  private let folder, part: String
  private let settings: PreparationSettings
  private let vocabularyHash: UInt64
  private let width: Int
  private let greatest: Int

  init(
    _ folder: String, part: String, _ settings: PreparationSettings, _ vocabulary: Vocabulary,
    _ state: State
  ) throws(DataError) {
    self.folder = folder
    self.part = part
    self.settings = settings
    vocabularyHash = vocabulary.hash
    width = settings.format.width(symbols: vocabulary.count)
    let size = settings.shardTokens
    greatest = settings.document == .none ? size : size + size / 4
    shards = state.shards
    // The shard that was open when the place was saved may be finished, and others begun.
    var next = state.shards.count
    if let open = state.open {
      try OpenShard.reopen(stem(open.number), settings.format)
      next = open.number + 1
    }
    while OpenShard.remove(stem(next), settings.format) { next += 1 }
    if let state = state.open {
      open = try OpenShard(stem(state.number), state, format: settings.format, width: width)
    }
  }

  var state: State { State(shards: shards, open: open?.state) }

  private func stem(_ number: Int) -> String { "\(folder)/\(Self.name(part, number))" }

  /// Returns the name of a shard without its ending: its part and its number.
  static func name(_ part: String, _ number: Int) -> String {
    let digits = String(number)
    return part + "-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
  }

  /// Adds the tokens of a piece.
  func append(_ piece: EncodedPiece.Part) throws(DataError) {
    var place = 0
    // Tokens of several documents are written at once: those from `written` on, with their bytes of text
    // and the first tokens of documents.
    var (written, bytes) = (0, 0)
    var starts: [Int] = []
    func flush() throws(DataError) {
      guard place > written || bytes > 0 || !starts.isEmpty else { return }
      let shard = try opened()
      try shard.append(piece.tokens[written * width..<place * width], bytes: bytes)
      try shard.append(documents: starts)
      (written, bytes, starts) = (place, 0, [])
    }
    func count() -> Int { (open?.state.tokens ?? 0) + place - written }
    for document in piece.documents {
      if !document.continues {
        if count() >= settings.shardTokens {
          try flush()
          try finish()
        }
        starts.append(count())
      }
      var rest = document
      while count() + rest.tokens > greatest {
        let fitting = greatest - count()
        let share = Int(
          (Double(rest.bytes) * Double(fitting) / Double(rest.tokens)).rounded(.down))
        place += fitting
        bytes += share
        rest.tokens -= fitting
        rest.bytes -= share
        try flush()
        try finish()
      }
      place += rest.tokens
      bytes += rest.bytes
    }
    try flush()
  }

  private func opened() throws(DataError) -> OpenShard {
    if let open { return open }
    var state = OpenShard.State()
    state.number = shards.count
    let shard = try OpenShard(stem(shards.count), state, format: settings.format, width: width)
    open = shard
    return shard
  }

  /// Completes the present shard, if there is one.
  func finish() throws(DataError) {
    guard let open else { return }
    let state = open.state
    try open.finish(
      stem(state.number), vocabularyHash: vocabularyHash, document: settings.document)
    finished.append(open.indexPath)
    shards.append(
      Shard(
        name: Self.name(part, state.number) + settings.format.ending,
        tokens: state.tokens,
        documents: state.documents, bytes: state.bytes, checksum: state.checksum))
    self.open = nil
  }

  func sync() throws(DataError) { try open?.sync() }

  /// Removes files that are of no use once the place is saved.
  func tidy() {
    for path in finished { unlink(path) }
    finished = []
  }
}
