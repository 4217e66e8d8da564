// Options are decoded with defaults for absent keys; a value that makes no sense is an error at its key,
// so that whoever reads the configuration can show the line and the column.

extension KeyedDecodingContainer {
  /// The value of a key, or `fallback` where it is absent.
  /// - Parameter requirement: completes the sentence "write …" and is what `holds` checks.
  func decode<Value: Decodable>(
    _ key: Key, or fallback: Value, _ requirement: String, where holds: (Value) -> Bool
  ) throws -> Value {
    try decode(key, requirement, where: holds) ?? fallback
  }

  /// The value of a key, or nil where it is absent.
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

  /// The value of a key that must be there.
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

  /// A finite number that is not negative.
  func decodeNonNegative(_ key: Key, or fallback: Double) throws -> Double {
    try decode(key, or: fallback, "a finite number of at least 0") { 0 <= $0 && $0.isFinite }
  }

  /// What keeps a divisor from being 0, in single precision too: a parameter whose gradient has always been
  /// 0, such as a row of an embedding that was never read, would become 0 / 0.
  func decodeEpsilon(_ key: Key, or fallback: Double) throws -> Double {
    let least = Double(Float.leastNormalMagnitude)
    return try decode(
      key, or: fallback,
      "a number from 1e-37 on: without it, what never had a gradient becomes 0 / 0"
    ) { $0 >= least && $0.isFinite }
  }

  /// A share that leaves something: 0 is included, 1 is not.
  func decodeShare(_ key: Key, or fallback: Double) throws -> Double {
    try decode(key, or: fallback, "a number from 0 to below 1") { 0 <= $0 && $0 < 1 }
  }

  /// A number of steps or evaluations.
  func decodeCount(_ key: Key, or fallback: Int) throws -> Int {
    try decode(key, or: fallback, "a whole number of at least 0") { $0 >= 0 }
  }

  /// The error for a name that is not among the known ones.
  func unknown(_ what: String, _ name: String, known: [String], forKey key: Key) -> DecodingError {
    .dataCorruptedError(
      forKey: key, in: self,
      debugDescription:
        "there is no \(what) \(name); write one of \(known.sorted().joined(separator: ", "))")
  }
}
