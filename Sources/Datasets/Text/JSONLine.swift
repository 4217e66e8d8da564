/// A reader of one member of the JSON object on a line (RFC 8259, and no key twice that is asked for).
struct JSONLine {
  /// The reason why a line is refused, and the byte of the line.
  struct Failure: Error {
    let reason: String
    let place: Int
  }

  private let line: Range<Int>
  private var place: Int
  private var depth = 0

  private init(_ line: Range<Int>) {
    self.line = line
    place = line.lowerBound
  }

  /// Returns the bytes of the string `field` of the object that a line is, in UTF-8.
  /// - Parameters:
  ///   - text: a text, and in it the line.
  /// - Returns: nil if the field is `null`.
  /// - Throws: `Failure` if the line is not one JSON object in UTF-8, the field is missing or not a
  ///   string.
  static func string(
    _ field: [UInt8], of text: Span<UInt8>, in line: Range<Int>
  ) throws(Failure) -> [UInt8]? {
    var reader = JSONLine(line)
    var found: [UInt8]?
    var isFound = false
    reader.skipSpace(text)
    guard reader.take("{", text) else { throw reader.failure("it is no JSON object") }
    reader.skipSpace(text)
    if !reader.take("}", text) {
      repeat {
        reader.skipSpace(text)
        let key = try reader.string(text)
        reader.skipSpace(text)
        guard reader.take(":", text) else { throw reader.failure("a ':' is missing") }
        reader.skipSpace(text)
        if key == field {
          if isFound { throw reader.failure("the key occurs twice") }
          isFound = true
          if reader.next(text) == UInt8(ascii: "\"") {
            found = try reader.string(text)
          } else if reader.next(text) == UInt8(ascii: "n") {
            try reader.skipValue(text)
          } else {
            throw reader.failure("the field is not a string")
          }
        } else {
          try reader.skipValue(text)
        }
        reader.skipSpace(text)
      } while reader.take(",", text)
      guard reader.take("}", text) else { throw reader.failure("a ',' or '}' is missing") }
    }
    reader.skipSpace(text)
    guard reader.place == line.upperBound else { throw reader.failure("text follows the object") }
    guard isFound else { throw reader.failure("the field is missing") }
    return found
  }

  private func failure(_ reason: String) -> Failure {
    Failure(reason: reason, place: place - line.lowerBound)
  }

  @inline(__always)
  private func next(_ text: Span<UInt8>) -> UInt8? {
    place < line.upperBound ? text[place] : nil
  }

  private mutating func skipSpace(_ text: Span<UInt8>) {
    while let byte = next(text), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      place += 1
    }
  }

  private mutating func take(_ byte: Unicode.Scalar, _ text: Span<UInt8>) -> Bool {
    guard next(text) == UInt8(ascii: byte) else { return false }
    place += 1
    return true
  }

  private mutating func skipValue(_ text: Span<UInt8>) throws(Failure) {
    switch next(text) {
    case UInt8(ascii: "\""): _ = try string(text)
    case UInt8(ascii: "{"), UInt8(ascii: "["): try skipNested(text)
    case UInt8(ascii: "t"): try skipWord("true", text)
    case UInt8(ascii: "f"): try skipWord("false", text)
    case UInt8(ascii: "n"): try skipWord("null", text)
    default: try skipNumber(text)
    }
  }

  private mutating func skipNested(_ text: Span<UInt8>) throws(Failure) {
    depth += 1
    defer { depth -= 1 }
    if depth > 100 { throw failure("more than 100 levels") }
    let isObject = take("{", text)
    if !isObject { place += 1 }
    let end: Unicode.Scalar = isObject ? "}" : "]"
    skipSpace(text)
    if take(end, text) { return }
    repeat {
      skipSpace(text)
      if isObject {
        _ = try string(text)
        skipSpace(text)
        guard take(":", text) else { throw failure("a ':' is missing") }
        skipSpace(text)
      }
      try skipValue(text)
      skipSpace(text)
    } while take(",", text)
    guard take(end, text) else { throw failure("a ',' or '\(end)' is missing") }
  }

  private mutating func skipWord(_ word: StaticString, _ text: Span<UInt8>) throws(Failure) {
    for byte in word.description.utf8 {
      guard next(text) == byte else { throw failure("a value is missing") }
      place += 1
    }
  }

  private mutating func skipDigits(_ text: Span<UInt8>) throws(Failure) {
    let start = place
    while let byte = next(text), (0x30...0x39).contains(byte) { place += 1 }
    if place == start { throw failure("a value is missing") }
  }

  private mutating func skipNumber(_ text: Span<UInt8>) throws(Failure) {
    _ = take("-", text)
    if !take("0", text) { try skipDigits(text) }
    if take(".", text) { try skipDigits(text) }
    if take("e", text) || take("E", text) {
      if !take("+", text) { _ = take("-", text) }
      try skipDigits(text)
    }
  }

  /// Reads a string, and returns its bytes.
  private mutating func string(_ text: Span<UInt8>) throws(Failure) -> [UInt8] {
    if !take("\"", text) { throw failure("a '\"' is missing") }
    let start = place
    // Most strings have few escapes: what lies between two is copied at once.
    var bytes: [UInt8] = []
    var run = place
    var isASCII = true
    while true {
      guard let byte = next(text) else { throw failure("a string has no end") }
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        bytes.append(contentsOf: text, in: run..<place)
        place += 1
        if byte == UInt8(ascii: "\"") { break }
        try escape(text, to: &bytes)
        run = place
      } else {
        if byte < 0x20 { throw failure("a control character is in a string") }
        if byte >= 0x80 { isASCII = false }
        place += 1
      }
    }
    if !isASCII, firstInvalidByte(of: bytes.span) != nil {
      place = start
      throw failure("a string is not UTF-8")
    }
    return bytes
  }

  private mutating func escape(_ text: Span<UInt8>, to bytes: inout [UInt8]) throws(Failure) {
    guard let byte = next(text) else { throw failure("a string has no end") }
    place += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(byte)
    case UInt8(ascii: "b"): bytes.append(0x08)
    case UInt8(ascii: "f"): bytes.append(0x0C)
    case UInt8(ascii: "n"): bytes.append(0x0A)
    case UInt8(ascii: "r"): bytes.append(0x0D)
    case UInt8(ascii: "t"): bytes.append(0x09)
    case UInt8(ascii: "u"):
      let first = try hexadecimal(text)
      if let scalar = Unicode.Scalar(first) {
        bytes += UTF8.encode(scalar)!
        return
      }
      // The first half of a surrogate pair: the second half must follow.
      guard (0xD800...0xDBFF).contains(first), take("\\", text), take("u", text) else {
        throw failure("an escape is half a character")
      }
      let second = try hexadecimal(text)
      guard (0xDC00...0xDFFF).contains(second),
        let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
      else { throw failure("an escape is half a character") }
      bytes += UTF8.encode(scalar)!
    default: throw failure("an escape is unknown")
    }
  }

  private mutating func hexadecimal(_ text: Span<UInt8>) throws(Failure) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next(text),
        let digit = Character(Unicode.Scalar(byte)).hexDigitValue
      else { throw failure("an escape is unknown") }
      value = value << 4 | UInt32(digit)
      place += 1
    }
    return value
  }
}

extension [UInt8] {
  /// Appends a part of a text.
  mutating func append(contentsOf text: Span<UInt8>, in part: Range<Int>) {
    text.extracting(part).withUnsafeBufferPointer { append(contentsOf: $0) }
  }
}
