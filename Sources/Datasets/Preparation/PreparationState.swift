internal import FoundationEssentials

/// The identity of a preparation: a folder holds the shards of one.
struct PreparationIdentity: Codable, Equatable {
  var version = 1
  var settings: PreparationSettings
  /// The name of a tokenizer, or the hash of its vocabulary.
  var tokenizer: String
  var inputs: [PreparedInputs.Given]

  /// Returns the name of a setting that differs; nil if none does.
  func difference(from other: PreparationIdentity) -> String? {
    let (a, b) = (settings, other.settings)
    let pairs: [(String, Bool)] = [
      ("another version of unroll", version == other.version),
      ("another tokenizer", tokenizer == other.tokenizer),
      ("other texts, or texts that have changed since", inputs == other.inputs),
      ("another --document", a.document == b.document),
      ("another --no-end-token", a.hasEndTokens == b.hasEndTokens),
      ("another --split", a.split == b.split), ("another --seed", a.seed == b.seed),
      ("another --shard-tokens", a.shardTokens == b.shardTokens),
      ("another --format", a.format == b.format), ("other settings", a == b),
    ]
    return pairs.first { !$0.1 }?.0
  }
}

/// The place in the texts from which a preparation goes on, and the sizes of the files there.
struct PreparationState: Codable {
  var identity: PreparationIdentity
  var vocabularyHash: UInt64
  var position = TextPosition()
  var consumed = 0
  /// The shards of each part of the documents.
  var parts: [ShardWriter.State]
  /// The count of each token, as little-endian numbers of 64 bits.
  var counts = Data()
  var bytes = 0
  var seconds = 0.0
}

/// The contents of `manifest.json`: all that is known of a folder of shards.
public struct PreparationManifest: Codable, Sendable, Equatable {
  public struct Part: Codable, Sendable, Equatable {
    public var documents = 0
    public var tokens = 0
    public var bytes = 0
    public var shards: [Shard] = []

    public init() {}
  }

  public struct Frequency: Codable, Sendable, Equatable {
    public let id: Int
    public let symbol: String
    public let count: Int
  }

  public struct TokenizerFacts: Codable, Sendable, Equatable {
    public let kind: String
    public let symbols: Int
    /// The hash of the vocabulary, as in the header of every shard.
    public let hash: String
    public let endOfDocument: Int?

    private enum CodingKeys: String, CodingKey {
      case kind, symbols, hash
      case endOfDocument = "end_of_document"
    }
  }

  /// The name of the tokenizer, or the hash of its vocabulary, as it was given.
  var identity: PreparationIdentity
  public var tokenizer: TokenizerFacts
  public var parts: [String: Part] = [:]
  /// The tokens that occur most often, the most frequent first.
  public var mostFrequent: [Frequency] = []
  /// The number of `<unk>`; nil if the vocabulary has none.
  public var unknown: Int?

  private enum CodingKeys: String, CodingKey {
    case identity = "preparation"
    case tokenizer, parts, unknown
    case mostFrequent = "most_frequent"
  }

  public var tokens: Int { parts.values.reduce(0) { $0 + $1.tokens } }
  public var bytes: Int { parts.values.reduce(0) { $0 + $1.bytes } }
  public var documents: Int { parts.values.reduce(0) { $0 + $1.documents } }
  /// The names of the parts, `train` first.
  public var names: [String] { identity.settings.parts }
}

/// Returns JSON with sorted keys, the same bytes for the same value.
func sortedJSON(_ value: some Encodable) -> [UInt8] {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  guard let data = try? encoder.encode(value) else {
    preconditionFailure("strings and finite numbers cannot fail to be encoded")
  }
  return Array(data) + [newline]
}
