/// The limits of a vocabulary that is counted in the training text.
public struct VocabularyOptions: Codable, Sendable, Equatable {
  /// The largest number of symbols, including `<unk>` and `<eos>`; nil for no limit.
  public var size: Int?
  /// The smallest number of occurrences of a symbol.
  public var minCount: Int

  public init(size: Int? = nil, minCount: Int = 1) {
    self.size = size
    self.minCount = minCount
  }

  private enum Key: String, CodingKey {
    case size
    case minCount = "min_count"
  }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    size = try values.decodeIfPresent(Int.self, forKey: .size)
    minCount = try values.decodeIfPresent(Int.self, forKey: .minCount) ?? 1
    if let size, size < 3 {
      throw DecodingError.dataCorruptedError(
        forKey: .size, in: values,
        debugDescription:
          "a vocabulary of \(size) has no room for <unk>, <eos> and a symbol: give 3 or more")
    }
    if minCount < 1 {
      throw DecodingError.dataCorruptedError(
        forKey: .minCount, in: values,
        debugDescription: "\(minCount) occurrences are too few: give 1 or more")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    try values.encodeIfPresent(size, forKey: .size)
    try values.encode(minCount, forKey: .minCount)
  }
}
