/// Parses JSON strictly by RFC 8259 and refuses duplicate keys in one object.
///
/// The usual decoders take the first or the last of two equal keys, so that two programs may read
/// the same file differently. Keys that are the same text in two Unicode spellings count as equal.
struct StrictJSON {
  struct Failure: Error {
    let position: Int
    let reason: String
  }

  private let text: UnsafeRawBufferPointer
  private var position = 0
  private var depth = 0
  /// True if `NaN`, `Infinity` and `-Infinity` are numbers, which Python writes and JSON does not know.
  private let hasNonfinite: Bool

  /// Parses one value with only white space around it.
  static func parse(
    _ text: UnsafeRawBufferPointer, withNonfinite hasNonfinite: Bool = false
  ) throws(Failure) -> JSONValue {
    var reader = StrictJSON(text: text, hasNonfinite)
    let value = try reader.value()
    reader.skipSpace()
    if reader.position != text.count { throw reader.failure("text after the end") }
    return value
  }

  private init(text: UnsafeRawBufferPointer, _ hasNonfinite: Bool) {
    (self.text, self.hasNonfinite) = (text, hasNonfinite)
  }

  private func failure(_ reason: String) -> Failure { Failure(position: position, reason: reason) }

  private var next: UInt8? { position < text.count ? text[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  private mutating func take(_ byte: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: byte) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ byte: Unicode.Scalar) throws(Failure) {
    skipSpace()
    if !take(byte) { throw failure("no '\(byte)'") }
  }

  private mutating func value() throws(Failure) -> JSONValue {
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return try nested { (reader) throws(Failure) in try reader.object() }
    case UInt8(ascii: "["): return try nested { (reader) throws(Failure) in try reader.array() }
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "N") where hasNonfinite: return try word("NaN", .number(.nan))
    case UInt8(ascii: "I") where hasNonfinite: return try word("Infinity", .number(.infinity))
    default: return try number()
    }
  }

  private mutating func nested(
    _ body: (inout StrictJSON) throws(Failure) -> JSONValue
  ) throws(Failure) -> JSONValue {
    depth += 1
    defer { depth -= 1 }
    if depth > 100 { throw failure("more than 100 levels") }
    position += 1
    return try body(&self)
  }

  private mutating func object() throws(Failure) -> JSONValue {
    var members: [String: JSONValue] = [:]
    skipSpace()
    if take("}") { return .object(members) }
    repeat {
      skipSpace()
      let key = try string()
      try expect(":")
      if members.updateValue(try value(), forKey: key) != nil {
        throw failure("the key \"\(key)\" twice")
      }
      skipSpace()
    } while take(",")
    try expect("}")
    return .object(members)
  }

  private mutating func array() throws(Failure) -> JSONValue {
    var elements: [JSONValue] = []
    skipSpace()
    if take("]") { return .array(elements) }
    repeat {
      elements.append(try value())
      skipSpace()
    } while take(",")
    try expect("]")
    return .array(elements)
  }

  private mutating func word(_ word: String, _ value: JSONValue) throws(Failure) -> JSONValue {
    guard text[position...].starts(with: word.utf8) else { throw failure("no value") }
    position += word.utf8.count
    return value
  }

  private mutating func digits() throws(Failure) {
    let start = position
    while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
    if position == start { throw failure("no value") }
  }

  private mutating func number() throws(Failure) -> JSONValue {
    let start = position
    let isNegative = take("-")
    if isNegative, hasNonfinite, next == UInt8(ascii: "I") {
      return try word("Infinity", .number(-.infinity))
    }
    if !take("0") { try digits() }
    var isInteger = true
    if take(".") {
      isInteger = false
      try digits()
    }
    if take("e") || take("E") {
      isInteger = false
      if !take("+") { _ = take("-") }
      try digits()
    }
    let digits = String(decoding: text[start..<position], as: UTF8.self)
    if isInteger && !(isNegative && digits == "-0") {
      if let value = Int(digits) { return .integer(value) }
      if let value = UInt64(digits) { return .unsigned(value) }
    }
    guard let value = Double(digits), value.isFinite else { throw failure("a number too large") }
    return .number(value)
  }

  private mutating func string() throws(Failure) -> String {
    if !take("\"") { throw failure("no '\"'") }
    var bytes: [UInt8] = []
    while true {
      guard let byte = next else { throw failure("a string without end") }
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: bytes, as: UTF8.self) else {
          throw failure("a string that is not UTF-8")
        }
        return string
      case UInt8(ascii: "\\"): bytes.append(contentsOf: String(try escape()).utf8)
      case 0..<0x20: throw failure("a control character in a string")
      default: bytes.append(byte)
      }
    }
  }

  private mutating func escape() throws(Failure) -> Unicode.Scalar {
    guard let byte = next else { throw failure("a string without end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let first = try hexadecimal()
      if let scalar = Unicode.Scalar(first) { return scalar }
      // The first half of a surrogate pair: the second half must follow.
      guard (0xD800...0xDBFF).contains(first), take("\\"), take("u") else { break }
      let second = try hexadecimal()
      guard (0xDC00...0xDFFF).contains(second) else { break }
      return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))!
    default: break
    }
    throw failure("an escape that JSON does not know")
  }

  private mutating func hexadecimal() throws(Failure) -> UInt32 {
    guard position + 4 <= text.count else { throw failure("a string without end") }
    let digits = text[position..<position + 4]
    guard digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit && $0 < 0x80 }) else {
      throw failure("an escape that JSON does not know")
    }
    position += 4
    return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)!
  }
}
