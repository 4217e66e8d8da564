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

extension PreparationState {
  /// Returns true if the numbers belong together and to the texts, so that nothing of them can lead outside
  /// of a file.
  func fits(_ inputs: PreparedInputs) -> Bool {
    let settings = identity.settings
    guard parts.count == settings.parts.count, seconds.isFinite,
      isCount([consumed, bytes]), position.fits(inputs)
    else { return false }
    return zip(parts, settings.parts).allSatisfy { part, name in
      guard part.shards.enumerated().allSatisfy({ $1.isShard($0, of: name, settings.format) })
      else { return false }
      guard let open = part.open else { return true }
      return open.number == part.shards.count
        && isCount([open.tokens, open.documents, open.bytes])
    }
  }

  /// Returns the count of each symbol of a vocabulary; nil if they are not those of the shards' tokens.
  func counts(symbols: Int) -> [Int]? {
    guard counts.count == 8 * symbols else { return nil }
    var message = MessageReader(Array(counts))
    let numbers = (0..<symbols).map { _ in message.number() }
    guard isCount(numbers), sum(numbers) == sum(parts.flatMap(\.tokens)) else { return nil }
    return numbers
  }
}

extension ShardWriter.State {
  fileprivate var tokens: [Int] { shards.map(\.tokens) + [open?.tokens ?? 0] }
}

extension Shard {
  /// Returns true if it can be the n-th shard of a part of the documents.
  fileprivate func isShard(_ n: Int, of part: String, _ format: ShardFormat) -> Bool {
    name == ShardWriter.name(part, n) + format.ending && isCount([tokens, documents, bytes])
  }
}

extension TextPosition {
  fileprivate func fits(_ inputs: PreparedInputs) -> Bool {
    guard isCount([file, place, documentStart, lines]), documentStart <= place else { return false }
    if file >= inputs.count { return file == inputs.count && place == 0 }
    let text = inputs.files[file]
    // The length of a stream shows when it is read.
    return text.isStandardInput || text.compression != .none || place <= text.size
  }
}

/// Returns true if numbers can be counts of what is in files; so many of them can be added up.
private func isCount(_ numbers: [Int]) -> Bool {
  numbers.allSatisfy { (0...1 << 48).contains($0) }
}

/// Returns the sum, which wraps around only for numbers that stand in a damaged file.
private func sum(_ numbers: [Int]) -> Int { numbers.reduce(0, &+) }

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

  /// Returns true if the numbers belong together, as they do in a file that was not damaged.
  func isConsistent() -> Bool {
    let settings = identity.settings
    guard Set(parts.keys) == Set(settings.parts), isCount(mostFrequent.map(\.count)),
      isCount([unknown ?? 0])
    else { return false }
    return parts.allSatisfy { name, part in
      isCount([part.documents, part.tokens, part.bytes])
        && part.tokens == sum(part.shards.map(\.tokens))
        && part.shards.enumerated().allSatisfy { $1.isShard($0, of: name, settings.format) }
    }
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
