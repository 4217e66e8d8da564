/// The form of the files of tokens.
public enum ShardFormat: String, Codable, Sendable, CaseIterable {
  /// `.tokens`, with checksums, documents and the hash of the vocabulary.
  case unroll
  /// llm.c's `.bin`.
  case llmC = "llm.c"
  /// Megatron's `.bin` and `.idx`.
  case megatron

  /// The end of the names of files of tokens.
  var ending: String { self == .unroll ? ".tokens" : ".bin" }

  /// Returns the bytes of a token.
  func width(symbols: Int) -> Int {
    switch self {
    case .unroll: symbols <= 1 << 8 ? 1 : symbols <= 1 << 16 ? 2 : 4
    case .llmC: symbols <= 1 << 16 ? 2 : 4
    // As Megatron's tools choose.
    case .megatron: symbols < 65_500 ? 2 : 4
    }
  }
}

/// A part of the documents, such as 0.01 of them for validation.
public struct DocumentShare: Codable, Sendable, Equatable {
  public let name: String
  public let share: Double

  public init(_ name: String, _ share: Double) {
    self.name = name
    self.share = share
  }
}

/// The settings that decide the bytes of shards, beside the tokenizer and the texts.
public struct PreparationSettings: Codable, Sendable, Equatable {
  public var document = DocumentBoundary.file
  /// An end-of-document token follows every document, if the vocabulary has one.
  public var hasEndTokens = true
  /// The parts beside `train`, which is the rest.
  public var split: [DocumentShare] = []
  public var seed: UInt64 = 1
  /// The tokens of a shard.
  public var shardTokens = 100_000_000
  public var format = ShardFormat.unroll
  /// The field of JSON lines that is the text.
  public var field = "text"
  /// True if texts of any name are JSON lines.
  public var readsJSONLines = false
  public var invalid = InvalidText.refuse
  /// The most symbols of a vocabulary that is counted in the text.
  public var vocabularySize: Int?

  /// The largest part of a text that is read, encoded and kept at once. Longer documents are encoded in
  /// such parts.
  package var pieceSize = 1 << 22

  public init() {}

  private enum CodingKeys: String, CodingKey {
    case document, split, seed, format, field, invalid
    case hasEndTokens = "end_token"
    case shardTokens = "shard_tokens"
    case readsJSONLines = "jsonl"
    case vocabularySize = "vocabulary_size"
    case pieceSize = "piece_bytes"
  }

  /// The names of the parts, `train` first.
  public var parts: [String] { ["train"] + split.map(\.name) }

  /// Returns the part of a document: that in which a number in 0..<1 falls that is a function of the
  /// seed, the file and the document's place in it.
  func part(file: Int, place: Int) -> Int {
    guard !split.isEmpty else { return 0 }
    var bits = Fingerprint()
    bits.add(seed)
    bits.add(file)
    bits.add(place)
    // The finaliser of SplitMix64 (Steele, Lea and Flood, 2014), so that all bits count.
    var z = bits.value
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    z ^= z >> 31
    var number = Double(z >> 11) * 0x1p-53
    for (part, share) in split.enumerated() {
      if number < share.share { return part + 1 }
      number -= share.share
    }
    return 0
  }

  /// The longest line of JSON.
  static let longestLine = 1 << 25
}
