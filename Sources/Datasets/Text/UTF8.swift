/// Returns the index of the first byte that is not well-formed UTF-8 (Unicode 15, table 3-7).
func firstInvalidByte(of text: Span<UInt8>) -> Int? {
  var i = 0
  while i < text.count {
    let lead = text[i]
    if lead < 0x80 {
      i += 1
      continue
    }
    let length: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch lead {
    case 0xC2...0xDF: length = 2
    case 0xE0: (length, second) = (3, 0xA0...0xBF)
    case 0xED: (length, second) = (3, 0x80...0x9F)
    case 0xE1...0xEF: length = 3
    case 0xF0: (length, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: length = 4
    case 0xF4: (length, second) = (4, 0x80...0x8F)
    default: return i
    }
    guard i + length <= text.count, second.contains(text[i + 1]) else { return i }
    for k in 2..<max(length, 2) where text[i + k] & 0xC0 != 0x80 { return i }
    i += length
  }
  return nil
}

/// Returns the number of bytes at the end that begin a character without ending it.
func unfinishedLength(of text: Span<UInt8>) -> Int {
  for length in 1..<4 where length <= text.count {
    let byte = text[text.count - length]
    if byte & 0xC0 == 0x80 { continue }
    return byte >= 0xC2 && byte < 0xF5 && characterLength(byte) > length ? length : 0
  }
  return 0
}

/// Returns the length of the byte order mark that some editors put in front of UTF-8, or 0.
func markLength(of text: Span<UInt8>) -> Int {
  text.count >= 3 && text[0] == 0xEF && text[1] == 0xBB && text[2] == 0xBF ? 3 : 0
}

/// Returns the message for a file that is not UTF-8 but of a known format; nil for other files.
private func knownForm(of text: Span<UInt8>) -> String? {
  func begins(_ bytes: UInt8...) -> Bool {
    text.count >= bytes.count && bytes.indices.allSatisfy { text[$0] == bytes[$0] }
  }
  if begins(0x1F, 0x8B) { return "is compressed by gzip: unpack it with gunzip" }
  if begins(0x28, 0xB5, 0x2F, 0xFD) { return "is compressed by zstd: unpack it with unzstd" }
  if begins(0xFD, 0x37, 0x7A, 0x58, 0x5A) { return "is compressed by xz: unpack it with unxz" }
  if begins(0x42, 0x5A, 0x68) { return "is compressed by bzip2: unpack it with bunzip2" }
  if begins(0x50, 0x4B, 0x03, 0x04) { return "is a zip archive: unpack it" }
  if begins(0xFF, 0xFE) || begins(0xFE, 0xFF) {
    return "is in UTF-16: convert it with iconv -f UTF-16 -t UTF-8"
  }
  return nil
}

/// Refuses a text that is not UTF-8, with the line and the offset of the first wrong byte.
func requireUTF8(_ text: Span<UInt8>, of path: String) throws(DataError) {
  guard let offset = firstInvalidByte(of: text) else { return }
  if let form = knownForm(of: text) { throw DataError("\(path) \(form)") }
  var line = 1
  for i in 0..<offset where text[i] == newline { line += 1 }
  throw DataError(
    "\(path), line \(line) (byte \(offset)) is not UTF-8: convert the file, for example with iconv, "
      + "or use tokenizer: byte")
}

extension TextFiles {
  /// Returns true if the first MiB of every file is UTF-8.
  /// - Throws: `DataError` for a file that is compressed or in UTF-16, or that cannot be read.
  public func areUTF8() throws(DataError) -> Bool {
    var areUTF8 = true
    for file in files {
      let mapped = try MappedFile(file.path)
      let isUTF8 = try mapped.withText { (text) throws(DataError) in
        if let form = knownForm(of: text) { throw DataError("\(file.path) \(form)") }
        let start = text.extracting(0..<min(text.count, 1 << 20))
        // The last character may be cut.
        let cut = start.count < text.count ? unfinishedLength(of: start) : 0
        return firstInvalidByte(of: start.extracting(0..<start.count - cut)) == nil
      }
      areUTF8 = areUTF8 && isUTF8
    }
    return areUTF8
  }

  /// Returns the number of different characters (Unicode scalars).
  /// - Throws: `DataError` if a file cannot be read or is not UTF-8.
  public func distinctCharacterCount() throws(DataError) -> Int {
    var isFound = [Bool](repeating: false, count: 0x110000)
    try forEach(utf8: true) { (text) throws(DataError) in
      var i = 0
      while i < text.count {
        let length = characterLength(text[i])
        // The lead has 7, 5, 4 or 3 bits of the number, and each further byte 6.
        var number = Int(text[i]) & (length == 1 ? 0x7F : 0x7F >> length)
        for k in 1..<max(length, 1) { number = number << 6 | Int(text[i + k] & 0x3F) }
        isFound[number] = true
        i += length
      }
    }
    return isFound.count { $0 }
  }
}

let newline = UInt8(ascii: "\n")
let carriageReturn = UInt8(ascii: "\r")

/// Returns the number of bytes of the character that starts with `lead`, in well-formed UTF-8.
@inline(__always)
func characterLength(_ lead: UInt8) -> Int {
  lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
}

/// Returns the number of bytes of the white-space character at `i`, or 0 for any other character.
///
/// White space is defined as in Python's `str.isspace`.
@inline(__always)
func whiteSpaceLength(_ text: Span<UInt8>, _ i: Int) -> Int {
  let lead = text[i]
  if lead < 0x80 {
    return lead == 0x20 || (0x09...0x0D).contains(lead) || (0x1C...0x1F).contains(lead) ? 1 : 0
  }
  return wideWhiteSpaceLength(text, i)
}

@inline(never)
private func wideWhiteSpaceLength(_ text: Span<UInt8>, _ i: Int) -> Int {
  func byte(_ k: Int) -> UInt8 { i + k < text.count ? text[i + k] : 0 }
  switch (text[i], byte(1), byte(2)) {
  case (0xC2, 0x85, _), (0xC2, 0xA0, _): return 2  // next line, no-break space
  case (0xE1, 0x9A, 0x80): return 3  // Ogham space mark
  case (0xE2, 0x80, 0x80...0x8A): return 3  // en quad … hair space
  case (0xE2, 0x80, 0xA8...0xA9), (0xE2, 0x80, 0xAF): return 3  // separators, narrow no-break
  case (0xE2, 0x81, 0x9F): return 3  // medium mathematical space
  case (0xE3, 0x80, 0x80): return 3  // ideographic space
  default: return 0
  }
}

/// Returns a part of a text as a string, for a message.
func string(_ text: Span<UInt8>, _ range: Range<Int>) -> String {
  String(decoding: range.map { text[$0] }, as: UTF8.self)
}
