// What the sections of a run's options share: a default for each key, and one sentence for a value
// out of range.

/// More steps, streams or epochs than any run has, few enough for their products to be counted.
package let largestCount = 1 << 30

extension KeyedDecodingContainer {
  /// The value of a key, or the default if the key is absent or null.
  func decode<Value: Decodable>(_ key: Key, default value: Value) throws -> Value {
    try decodeIfPresent(Value.self, forKey: key) ?? value
  }

  /// The value of a key, or the default, refused if it is less than `minimum`.
  func decode<Value: Decodable & Comparable>(
    _ key: Key, default value: Value, atLeast minimum: Value
  ) throws -> Value {
    try decode(key, atLeast: minimum) ?? value
  }

  /// The value of a key, nil if the key is absent or null, refused if it is less than `minimum`.
  func decode<Value: Decodable & Comparable>(_ key: Key, atLeast minimum: Value) throws -> Value? {
    guard let value = try decodeIfPresent(Value.self, forKey: key) else { return nil }
    try require(value >= minimum, key, "\(key.stringValue) must be at least \(minimum)")
    return value
  }

  /// The value of a key, or the default, refused if it is not in a range.
  func decode(_ key: Key, default value: Int, from range: ClosedRange<Int>) throws -> Int {
    try decode(key, from: range) ?? value
  }

  /// The value of a key, nil if the key is absent or null, refused if it is not in a range.
  func decode(_ key: Key, from range: ClosedRange<Int>) throws -> Int? {
    guard let value = try decode(key, atLeast: range.lowerBound) else { return nil }
    try require(
      value <= range.upperBound, key, "\(key.stringValue) must be at most \(range.upperBound)")
    return value
  }

  /// The options under a key; where there are none, those of an empty mapping, so that the defaults
  /// and the required keys of a section are known in one place only: its `init(from:)`.
  func section<Section: Decodable>(_ key: Key) throws -> Section {
    try Section(from: superDecoder(forKey: key))
  }

  /// Refuses the value of a key with a sentence unless the condition holds.
  func require(_ condition: Bool, _ key: Key, _ sentence: @autoclosure () -> String) throws {
    guard condition else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self, debugDescription: sentence())
    }
  }
}
