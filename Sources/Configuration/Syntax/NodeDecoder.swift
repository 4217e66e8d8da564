internal import Formats
internal import Names

/// Decodes one value of a configuration; a nil node is an absent value.
struct NodeDecoder: Decoder {
  let node: ConfigurationNode?
  let path: [any CodingKey]
  let record: KeyRecord
  let userInfo: [CodingUserInfoKey: Any]

  init(
    node: ConfigurationNode?, path: [any CodingKey], record: KeyRecord,
    userInfo: [CodingUserInfoKey: Any]
  ) {
    self.node = node
    self.path = path
    self.record = record
    self.userInfo = userInfo
  }

  var codingPath: [any CodingKey] { path }

  /// Records the type that this value is decoded as, where it decodes itself.
  func noteType(_ type: any Decodable.Type) { record.note(type, at: path) }
  var isNull: Bool { node?.isNull ?? true }

  func below(_ key: any CodingKey, _ node: ConfigurationNode?) -> NodeDecoder {
    NodeDecoder(node: node, path: path + [key], record: record, userInfo: userInfo)
  }

  func container<Key: CodingKey>(
    keyedBy type: Key.Type
  ) throws -> KeyedDecodingContainer<Key> {
    guard let entries = node.map(\.entries) ?? [] else { throw mismatch(type, "a mapping") }
    return KeyedDecodingContainer(MappingContainer(decoder: self, entries: entries))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard let elements = node.map(\.elements) ?? [] else { throw mismatch([Any].self, "a list") }
    return ListContainer(decoder: self, elements: elements)
  }

  func singleValueContainer() throws -> any SingleValueDecodingContainer {
    ScalarContainer(decoder: self)
  }

  /// Decodes this value. Scalars are decoded here, other types by their own `init(from:)`.
  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    if let scalar = type as? any ConfigurationScalar.Type {
      guard !isNull, let node, let value = scalar.read(node.content) as? Value else {
        throw mismatch(type, scalar.expectation)
      }
      return value
    }
    do {
      return try Value(from: self)
    } catch DecodingError.dataCorrupted(let context)
      where context.codingPath.count == path.count
      && context.debugDescription.hasPrefix("Cannot initialize")
    {
      // The compiler's own decoding of an enumeration does not tell the possible words.
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: path, debugDescription: unknownWord(for: type),
          underlyingError: (type as? any CaseIterable.Type).map {
            UnknownName(node?.summary ?? "", of: dotted(path), among: words(of: $0))
          }))
    }
  }

  func mismatch(_ type: Any.Type, _ expectation: String) -> DecodingError {
    let name = path.isEmpty ? "" : " for \(dotted(path))"
    let found = node?.summary ?? "nothing"
    return DecodingError.typeMismatch(
      type,
      .init(
        codingPath: path, debugDescription: "expected \(expectation)\(name), found \(found)"))
  }

  private func unknownWord(for type: Any.Type) -> String {
    let found = node?.summary ?? "nothing"
    let name = path.isEmpty ? "the value" : dotted(path)
    guard let type = type as? any CaseIterable.Type else {
      return "\(found) is not a possible value of \(name); choose another"
    }
    let words = words(of: type)
    var sentence = "\(name) is one of \(words.joined(separator: ", ")), found \(found)"
    if let word = node.flatMap({ String.read($0.content) }),
      let nearest = Suggestion.nearest(word, among: words)
    {
      sentence += "; did you mean \"\(nearest)\"?"
    }
    return sentence
  }

  private func words<Cases: CaseIterable>(of type: Cases.Type) -> [String] {
    type.allCases.map { word in
      (word as? any RawRepresentable).map { "\($0.rawValue)" } ?? "\(word)"
    }
  }
}

/// The keys and values of a mapping.
private struct MappingContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let decoder: NodeDecoder
  let entries: [ConfigurationNode.Entry]

  var codingPath: [any CodingKey] { decoder.path }
  var allKeys: [Key] { entries.compactMap { Key(stringValue: $0.key) } }

  private func node(_ key: any CodingKey) -> ConfigurationNode? {
    decoder.record.ask(key, at: decoder.path)
    return entries.first { $0.key == key.stringValue }?.value
  }

  func contains(_ key: Key) -> Bool { node(key) != nil }

  func decodeNil(forKey key: Key) -> Bool { node(key)?.isNull ?? true }

  // An absent key is asked for as well: its type is recorded.
  func decodeIfPresent<Value: Decodable>(
    _ type: Value.Type, forKey key: Key
  ) throws -> Value? {
    decoder.record.note(type, at: decoder.path + [key])
    guard contains(key), !decodeNil(forKey: key) else { return nil }
    return try decode(type, forKey: key)
  }

  func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? {
    try optional(type, key)
  }
  func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? {
    try optional(type, key)
  }
  func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? {
    try optional(type, key)
  }
  func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? { try optional(type, key) }
  func decodeIfPresent(_ type: UInt64.Type, forKey key: Key) throws -> UInt64? {
    try optional(type, key)
  }

  private func optional<Value: Decodable>(_ type: Value.Type, _ key: Key) throws -> Value? {
    try decodeIfPresent(type, forKey: key)
  }

  func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
    decoder.record.note(type, at: decoder.path + [key])
    let below = decoder.below(key, node(key))
    if below.isNull, !(type is any ExpressibleByNilLiteral.Type) {
      throw DecodingError.keyNotFound(
        key, .init(codingPath: codingPath, debugDescription: "the key is missing"))
    }
    return try below.decode(type)
  }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<Nested> {
    try decoder.below(key, node(key)).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try decoder.below(key, node(key)).unkeyedContainer()
  }

  func superDecoder() throws -> any Decoder { decoder }

  /// Returns a decoder for the value of a key; for an absent key, a decoder of an empty mapping.
  func superDecoder(forKey key: Key) throws -> any Decoder { decoder.below(key, node(key)) }
}

/// The elements of a list, one after another.
private struct ListContainer: UnkeyedDecodingContainer {
  let decoder: NodeDecoder
  let elements: [ConfigurationNode]
  var currentIndex = 0

  var codingPath: [any CodingKey] { decoder.path }
  var count: Int? { elements.count }
  var isAtEnd: Bool { currentIndex >= elements.count }

  private mutating func next() throws -> NodeDecoder {
    guard !isAtEnd else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: codingPath,
          debugDescription: "\(dotted(codingPath)) has only \(elements.count) elements; add more"))
    }
    defer { currentIndex += 1 }
    return decoder.below(ElementIndex(currentIndex), elements[currentIndex])
  }

  mutating func decodeNil() throws -> Bool {
    guard !isAtEnd, elements[currentIndex].isNull else { return false }
    currentIndex += 1
    return true
  }

  mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    decoder.record.note(type, at: decoder.path + [ElementIndex(currentIndex)])
    return try next().decode(type)
  }

  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type
  ) throws -> KeyedDecodingContainer<Nested> {
    try next().container(keyedBy: type)
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    try next().unkeyedContainer()
  }

  mutating func superDecoder() throws -> any Decoder { try next() }
}

/// A value that is decoded as a whole.
private struct ScalarContainer: SingleValueDecodingContainer {
  let decoder: NodeDecoder

  var codingPath: [any CodingKey] { decoder.path }

  func decodeNil() -> Bool { decoder.isNull }

  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    decoder.noteType(type)
    return try decoder.decode(type)
  }
}
