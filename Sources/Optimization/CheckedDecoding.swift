internal import Names

// Decodes options with defaults for absent keys. An invalid value is an error at its key, so that
// the configuration's reader can show line and column.

extension KeyedDecodingContainer {
  /// Decodes the value of a key, or returns `fallback` if it is absent.
  /// - Parameter requirement: Completes the sentence "write …"; it describes the condition `holds`.
  func decode<Value: Decodable>(
    _ key: Key, or fallback: Value, _ requirement: String, where holds: (Value) -> Bool
  ) throws -> Value {
    try decode(key, requirement, where: holds) ?? fallback
  }

  /// Decodes the value of a key, or returns nil if it is absent.
  func decode<Value: Decodable>(
    _ key: Key, _ requirement: String, where holds: (Value) -> Bool
  ) throws -> Value? {
    guard let value = try decodeIfPresent(Value.self, forKey: key) else { return nil }
    guard holds(value) else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self,
        debugDescription: "\(key.stringValue) is \(value); write \(requirement)")
    }
    return value
  }

  /// Decodes the value of a required key.
  func require<Value: Decodable>(
    _ key: Key, _ requirement: String, where holds: (Value) -> Bool
  ) throws -> Value {
    guard let value = try decode(key, requirement, where: holds) else {
      throw DecodingError.keyNotFound(
        key,
        DecodingError.Context(
          codingPath: codingPath,
          debugDescription: "\(key.stringValue) is missing; write \(requirement)"))
    }
    return value
  }

  /// Decodes a finite number that is not negative.
  func decodeNonNegative(_ key: Key, or fallback: Double) throws -> Double {
    try decode(key, or: fallback, "a finite number of at least 0") { 0 <= $0 && $0.isFinite }
  }

  /// Decodes an epsilon that keeps a divisor from being 0 in single precision too. Otherwise a
  /// parameter whose gradient has always been 0, such as an embedding row that was never read,
  /// would become 0 / 0.
  func decodeEpsilon(_ key: Key, or fallback: Double) throws -> Double {
    let least = Double(Float.leastNormalMagnitude)
    return try decode(
      key, or: fallback,
      "a number of at least 1e-37: otherwise a weight that never had a gradient becomes 0 / 0"
    ) { $0 >= least && $0.isFinite }
  }

  /// Decodes a fraction from 0 to below 1.
  func decodeShare(_ key: Key, or fallback: Double) throws -> Double {
    try decode(key, or: fallback, "a number from 0 to below 1") { 0 <= $0 && $0 < 1 }
  }

  /// Decodes a number of steps or evaluations.
  func decodeCount(_ key: Key, or fallback: Int) throws -> Int {
    try decode(key, or: fallback, "a whole number of at least 0") { $0 >= 0 }
  }

  /// Decodes one of some names; nil if the key is absent.
  /// - Parameter kind: The kind of thing that is named.
  func name<Choice: RawRepresentable & CaseIterable>(
    _ key: Key, of kind: String
  ) throws -> Choice? where Choice.RawValue == String {
    guard let name = try decodeIfPresent(String.self, forKey: key) else { return nil }
    guard let choice = Choice(rawValue: name) else {
      throw unknownName(name, of: kind, among: Choice.allCases.map(\.rawValue), forKey: key)
    }
    return choice
  }
}
