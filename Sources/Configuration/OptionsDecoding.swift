internal import Foundation

// Decoding that all sections of a run's options share: a default for each key, and one sentence for
// a value out of range.

/// An upper limit for steps, streams and epochs, small enough that their products do not overflow.
package let largestCount = 1 << 30

extension KeyedDecodingContainer {
  /// Decodes the value of a key, or returns the default if the key is absent or null.
  func decode<Value: Decodable>(_ key: Key, default value: Value) throws -> Value {
    try decodeIfPresent(Value.self, forKey: key) ?? value
  }

  /// Decodes the value of a key, or returns the default; refuses a value less than `minimum`.
  func decode<Value: Decodable & Comparable>(
    _ key: Key, default value: Value, atLeast minimum: Value
  ) throws -> Value {
    try decode(key, atLeast: minimum) ?? value
  }

  /// Decodes the value of a key, nil if the key is absent or null; refuses a value less than
  /// `minimum`.
  func decode<Value: Decodable & Comparable>(_ key: Key, atLeast minimum: Value) throws -> Value? {
    guard let value = try decodeIfPresent(Value.self, forKey: key) else { return nil }
    try require(value >= minimum, key, "\(key.stringValue) must be at least \(minimum)")
    return value
  }

  /// Decodes the value of a key, or returns the default; refuses a value outside of a range.
  func decode(_ key: Key, default value: Int, from range: ClosedRange<Int>) throws -> Int {
    try decode(key, from: range) ?? value
  }

  /// Decodes the value of a key, nil if the key is absent or null; refuses a value outside of a
  /// range.
  func decode(_ key: Key, from range: ClosedRange<Int>) throws -> Int? {
    guard let value = try decode(key, atLeast: range.lowerBound) else { return nil }
    try require(
      value <= range.upperBound, key, "\(key.stringValue) must be at most \(range.upperBound)")
    return value
  }

  /// Decodes the options under a key. An absent key counts as an empty mapping, so that the
  /// defaults and the required keys of a section are in one place only: its `init(from:)`.
  func section<Section: Decodable>(_ key: Key) throws -> Section {
    try section(key, as: Section.self) { try Section(from: $0) }
  }

  /// Decodes the options under a key in a way of their own.
  func section<Section: Decodable>(
    _ key: Key, as type: Section.Type, decode: (any Decoder) throws -> Section
  ) throws -> Section {
    let decoder = try superDecoder(forKey: key)
    if let node = decoder as? NodeDecoder {
      node.noteType(type)
    } else if !contains(key) {
      // The configuration in a checkpoint of a version that did not have this section.
      return try decode(JSONDecoder().decode(Captured.self, from: Data("{}".utf8)).decoder)
    }
    return try decode(decoder)
  }

  /// Throws an error at a key unless the condition is true.
  func require(_ condition: Bool, _ key: Key, _ sentence: @autoclosure () -> String) throws {
    guard condition else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self, debugDescription: sentence())
    }
  }
}

/// The decoder of a value.
private struct Captured: Decodable {
  let decoder: any Decoder

  init(from decoder: any Decoder) { self.decoder = decoder }
}
