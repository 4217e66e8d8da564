/// A JSON value whose strings are bytes, so that texts which Unicode holds for equal stay apart.
enum JSONTree {
  case object([(key: [UInt8], value: JSONTree)])
  case array([JSONTree])
  case string([UInt8])
  case number(Double)
  case bool(Bool)
  case null

  /// Parses one value (RFC 8259) with nothing but white space around it.
  /// - Throws: `DataError` with the path, the line and the mistake.
  init(_ text: Span<UInt8>, of path: String) throws(DataError) {
    try requireUTF8(text, of: path)
    var reader = JSONTreeReader(path: path)
    self = try reader.value(text, depth: 0)
    reader.skipSpace(text)
    guard reader.position == text.count else { throw reader.error(text, "text behind the end") }
  }

  /// The value of a key of an object; nil if it is missing or `null`.
  subscript(_ key: String) -> JSONTree? {
    guard case .object(let pairs) = self,
      let pair = pairs.last(where: { $0.key.elementsEqual(key.utf8) })
    else { return nil }
    if case .null = pair.value { return nil }
    return pair.value
  }

  var text: String? {
    if case .string(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
  }

  var bytes: [UInt8]? { if case .string(let bytes) = self { bytes } else { nil } }

  var isTrue: Bool { if case .bool(true) = self { true } else { false } }

  var values: [JSONTree]? { if case .array(let values) = self { values } else { nil } }

  var pairs: [(key: [UInt8], value: JSONTree)]? {
    if case .object(let pairs) = self { pairs } else { nil }
  }

  /// A whole number from 0 to 2³¹ - 1.
  var number: Int? {
    guard case .number(let number) = self, number >= 0, number < 0x8000_0000,
      number == number.rounded()
    else { return nil }
    return Int(number)
  }
}

private struct JSONTreeReader {
  let path: String
  var position = 0

  private static let deepest = 64

  init(path: String) { self.path = path }

  func error(_ text: Span<UInt8>, _ mistake: String) -> DataError {
    var line = 1
    for i in 0..<min(position, text.count) where text[i] == newline { line += 1 }
    return DataError(
      "\(path), line \(line) (byte \(position)) is not JSON (\(mistake)): restore the file")
  }

  mutating func skipSpace(_ text: Span<UInt8>) {
    while position < text.count {
      switch text[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  private func peek(_ text: Span<UInt8>) -> UInt8 { position < text.count ? text[position] : 0 }

  private mutating func expect(
    _ text: Span<UInt8>, _ byte: Unicode.Scalar
  ) throws(DataError) {
    skipSpace(text)
    guard peek(text) == UInt8(ascii: byte) else { throw error(text, "no '\(byte)'") }
    position += 1
  }

  mutating func value(_ text: Span<UInt8>, depth: Int) throws(DataError) -> JSONTree {
    guard depth < Self.deepest else { throw error(text, "values are too deep in each other") }
    skipSpace(text)
    switch peek(text) {
    case UInt8(ascii: "{"): return try object(text, depth)
    case UInt8(ascii: "["): return try array(text, depth)
    case UInt8(ascii: "\""): return .string(try string(text))
    case UInt8(ascii: "t"): return try word(text, "true", .bool(true))
    case UInt8(ascii: "f"): return try word(text, "false", .bool(false))
    case UInt8(ascii: "n"): return try word(text, "null", .null)
    default: return try number(text)
    }
  }

  private mutating func object(_ text: Span<UInt8>, _ depth: Int) throws(DataError) -> JSONTree {
    var pairs: [(key: [UInt8], value: JSONTree)] = []
    position += 1
    skipSpace(text)
    if peek(text) == UInt8(ascii: "}") {
      position += 1
      return .object([])
    }
    while true {
      skipSpace(text)
      guard peek(text) == UInt8(ascii: "\"") else { throw error(text, "no key") }
      let key = try string(text)
      try expect(text, ":")
      pairs.append((key, try value(text, depth: depth + 1)))
      skipSpace(text)
      if peek(text) == UInt8(ascii: ",") {
        position += 1
      } else {
        try expect(text, "}")
        return .object(pairs)
      }
    }
  }

  private mutating func array(_ text: Span<UInt8>, _ depth: Int) throws(DataError) -> JSONTree {
    var values: [JSONTree] = []
    position += 1
    skipSpace(text)
    if peek(text) == UInt8(ascii: "]") {
      position += 1
      return .array([])
    }
    while true {
      values.append(try value(text, depth: depth + 1))
      skipSpace(text)
      if peek(text) == UInt8(ascii: ",") {
        position += 1
      } else {
        try expect(text, "]")
        return .array(values)
      }
    }
  }

  private mutating func word(
    _ text: Span<UInt8>, _ word: StaticString, _ value: JSONTree
  ) throws(DataError) -> JSONTree {
    for byte in "\(word)".utf8 {
      guard peek(text) == byte else { throw error(text, "no \(word)") }
      position += 1
    }
    return value
  }

  private mutating func number(_ text: Span<UInt8>) throws(DataError) -> JSONTree {
    var digits: [UInt8] = []
    while position < text.count, digits.count < 64,
      (0x30...0x39).contains(text[position]) || "+-.eE".utf8.contains(text[position])
    {
      digits.append(text[position])
      position += 1
    }
    guard let number = Double(String(decoding: digits, as: UTF8.self)), number.isFinite else {
      throw error(text, "no value")
    }
    return .number(number)
  }

  private mutating func string(_ text: Span<UInt8>) throws(DataError) -> [UInt8] {
    var bytes: [UInt8] = []
    position += 1
    while position < text.count {
      let byte = text[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return bytes
      case UInt8(ascii: "\\"): try escape(text, &bytes)
      case 0..<0x20: throw error(text, "a control character in a string")
      default: bytes.append(byte)
      }
    }
    throw error(text, "a string without an end")
  }

  private mutating func escape(
    _ text: Span<UInt8>, _ bytes: inout [UInt8]
  ) throws(DataError) {
    let byte = peek(text)
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(byte)
    case UInt8(ascii: "b"): bytes.append(0x08)
    case UInt8(ascii: "f"): bytes.append(0x0C)
    case UInt8(ascii: "n"): bytes.append(0x0A)
    case UInt8(ascii: "r"): bytes.append(0x0D)
    case UInt8(ascii: "t"): bytes.append(0x09)
    case UInt8(ascii: "u"):
      var code = try hexadecimal(text)
      if (0xD800..<0xDC00).contains(code), peek(text) == UInt8(ascii: "\\") {
        position += 1
        guard peek(text) == UInt8(ascii: "u") else { throw error(text, "half a character") }
        position += 1
        let low = try hexadecimal(text)
        guard (0xDC00..<0xE000).contains(low) else { throw error(text, "half a character") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw error(text, "half a character") }
      bytes += String(Character(scalar)).utf8
    default: throw error(text, "an unknown escape")
    }
  }

  private mutating func hexadecimal(_ text: Span<UInt8>) throws(DataError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(peek(text))).hexDigitValue else {
        throw error(text, "no four hexadecimal digits")
      }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    return code
  }
}
