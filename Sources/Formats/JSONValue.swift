package import Foundation

/// Any JSON value: for parts of a checkpoint's state whose type belongs to another module.
///
/// A Double is restored to the same bits. JSON cannot represent NaN and the infinities; they are
/// written as the strings `NaN`, `Infinity` and `-Infinity`, which `decode` converts back.
public enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  /// An integer beyond `Int.max`, such as a seed.
  case unsigned(UInt64)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// Converts any value to JSON.
  public init(encoding value: some Encodable) throws {
    self = try JSONValue.decode(from: JSONValue.encoder().encode(value))
  }

  /// Converts the JSON back to a value.
  public func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
    let decoder = JSONValue.decoder
    decoder.userInfo[JSONValue.parsed] = self
    return try decoder.decode(type, from: JSONValue.encoder().encode(self))
  }

  /// Decodes a value of which some parts may be JSON values.
  ///
  /// The text is parsed first, and those parts are taken from the result: a decoder does not tell what
  /// stands at a place, so that every attempt which does not fit throws.
  package static func decode<Value: Decodable>(
    _ type: Value.Type = Value.self, from text: Data
  ) throws -> Value {
    let decoder = JSONValue.decoder
    let whole = text.withUnsafeBytes { try? StrictJSON.parse($0) }
    if let whole, let value = whole as? Value { return value }
    decoder.userInfo[parsed] = whole
    return try decoder.decode(type, from: text)
  }

  /// The key under which a decoder finds the whole that it decodes.
  private static let parsed = CodingUserInfoKey(rawValue: "parsed")!

  /// The part at a path of keys and indices.
  private func part(at path: [any CodingKey]) -> JSONValue? {
    var part = self
    for key in path {
      switch part {
      case .object(let members):
        guard let member = members[key.stringValue] else { return nil }
        part = member
      case .array(let elements):
        guard let index = key.intValue, elements.indices.contains(index) else { return nil }
        part = elements[index]
      default: return nil
      }
    }
    return part
  }

  /// The member of an object.
  public subscript(key: String) -> JSONValue? {
    if case .object(let members) = self { members[key] } else { nil }
  }

  /// The value as a number, however it is written.
  public var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .unsigned(let value): Double(value)
    case .number(let value): value
    case .string("NaN"): .nan
    case .string("Infinity"): .infinity
    case .string("-Infinity"): -.infinity
    default: nil
    }
  }

  package static func encoder(pretty: Bool = false) -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting =
      pretty
      ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
      : [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    return encoder
  }

  package static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    return decoder
  }
}

/// The first place at which a text is not JSON.
package struct JSONProblem: Error {
  /// The number of the byte, from 1.
  package let position: Int
  package let reason: String
}

extension JSONValue {
  /// Parses a text strictly by RFC 8259; a key that an object has twice is refused.
  /// - Parameter hasNonfinite: True if the `NaN` and `Infinity` that Python writes are numbers.
  package init(strictly text: String, withNonfinite hasNonfinite: Bool = false) throws(JSONProblem)
  {
    let bytes = Array(text.utf8)
    let result = bytes.withUnsafeBytes { memory in
      Result { () throws(StrictJSON.Failure) in
        try StrictJSON.parse(memory, withNonfinite: hasNonfinite)
      }
    }
    switch result {
    case .success(let value): self = value
    case .failure(let failure):
      throw JSONProblem(position: failure.position + 1, reason: failure.reason)
    }
  }
}

extension JSONValue: Codable {
  public init(from decoder: any Decoder) throws {
    if let whole = decoder.userInfo[JSONValue.parsed] as? JSONValue,
      let part = whole.part(at: decoder.codingPath)
    {
      self = part
      return
    }
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(String.self) {
      // Before the numbers, because a Double would accept the string "NaN".
      self = .string(value)
    } else if let value = try? container.decode(Int.self) {
      // Minus zero decodes as the integer 0.
      let number = value == 0 ? try container.decode(Double.self) : 1
      self = number.sign == .minus ? .number(number) : .integer(value)
    } else if let value = try? container.decode(UInt64.self) {
      self = .unsigned(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .unsigned(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .string(let value): try container.encode(value)
    case .array(let value): try container.encode(value)
    case .object(let value): try container.encode(value)
    }
  }
}

// Values written as Swift literals.
extension JSONValue: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByStringLiteral
{
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .number(value) }
  public init(stringLiteral value: String) { self = .string(value) }
}

extension JSONValue {
  /// Returns the paths of the members that differ in another value, such as `training.bptt` or
  /// `model.layers.0.hidden`.
  package func differences(from other: JSONValue, at path: String = "") -> [String] {
    if self == other { return [] }
    if case (.array(let a), .array(let b)) = (self, other), a.count == b.count {
      return a.indices.flatMap { a[$0].differences(from: b[$0], at: "\(path).\($0)") }
    }
    guard case .object(let a) = self, case .object(let b) = other else { return [path] }
    return Set(a.keys).union(b.keys).sorted().flatMap { key in
      (a[key] ?? .null).differences(
        from: b[key] ?? .null, at: path.isEmpty ? key : path + "." + key)
    }
  }

  /// True if the value does not fit on one line.
  package var isNested: Bool {
    switch self {
    case .array(let elements): !elements.isEmpty
    case .object(let members): !members.isEmpty
    default: false
    }
  }
}
