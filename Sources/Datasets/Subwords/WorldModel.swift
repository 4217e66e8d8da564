/// The vocabulary of RWKV World: a line `number repr length` for each symbol, where `repr` is a string or
/// a bytes literal of Python and `length` the number of its bytes in UTF-8. Number 0 ends a document.
final class WorldModel: FileModel {
  let contents: [UInt8]
  let table: SymbolTable
  private let texts: ByteStrings
  private let trie: ByteTrie

  private static let longest = 4096

  /// True for a file whose first line has the form of a symbol.
  static func isLike(_ text: Span<UInt8>) -> Bool {
    var lines = LineScanner(universal: true)
    guard let line = lines.next(in: text) else { return false }
    return entry(text, line.content) != nil
  }

  /// Reads a file.
  /// - Throws: `DataError` with the line that is wrong.
  init(_ text: Span<UInt8>, of path: String) throws(DataError) {
    var strings: [(string: [UInt8], value: Int32)] = []
    var seen = SymbolTable()
    var lines = LineScanner(universal: true)
    var number = 0
    while let line = lines.next(in: text) {
      number += 1
      if line.content.isEmpty { continue }
      guard let entry = Self.entry(text, line.content) else {
        throw DataError(
          "\(path), line \(number) is not a number, a Python literal and its length: restore the file"
        )
      }
      guard seen.insert(entry.symbol).isNew else {
        throw DataError("\(path), line \(number) repeats a symbol: restore the file")
      }
      strings.append((entry.symbol, entry.number))
    }
    let most = 2 * strings.count + 1000
    var bytes = [[UInt8]](
      repeating: [], count: Int(min(Int32(most), strings.map(\.value).max() ?? 0)) + 1)
    for (symbol, id) in strings {
      guard id > 0, id < most, bytes[Int(id)].isEmpty else {
        throw DataError(
          "\(path) has the number \(id) twice, or 0, which is the end of a text: restore the file")
      }
      bytes[Int(id)] = symbol
    }
    contents = text.indices.map { text[$0] }
    trie = ByteTrie(strings)
    var table = SymbolTable()
    var texts = ByteStrings()
    for (id, symbol) in bytes.enumerated() {
      table.insertUnique(id == 0 ? Array("<|endoftext|>".utf8) : symbol, id)
      texts.append(symbol)
    }
    self.table = table
    self.texts = texts
  }

  func text(_ id: Int32) -> ArraySlice<UInt8> { texts[Int(id)] }

  var special: SpecialNumbers { SpecialNumbers(endOfDocument: 0) }

  func decode(_ ids: some Sequence<Int32>) -> [UInt8] { ids.flatMap { text($0) } }

  func byteLength(_ id: Int32) -> Int? { texts.length(Int(id)) }

  /// Hands the numbers of the longest symbols of a text, from left to right, to `emit`.
  /// - Throws: `DataError` for a byte that the vocabulary lacks; what `emit` throws.
  func encode(
    _ text: Span<UInt8>, to emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    var i = 0
    while i < text.count {
      guard let (id, length) = trie.longest(text, i, text.count) else {
        throw DataError(
          "the tokenizer has no symbol for the byte \(text[i]) at byte \(i) of the text: use one with "
            + "all 256 bytes")
      }
      try emit(id)
      i += length
    }
  }

  private static func entry(
    _ text: Span<UInt8>, _ line: Range<Int>
  ) -> (number: Int32, symbol: [UInt8])? {
    var i = line.lowerBound
    func decimal(_ end: Int) -> Int? {
      let start = i
      var value = 0
      while i < end, (0x30...0x39).contains(text[i]), i - start < 9 {
        value = 10 * value + Int(text[i] - 0x30)
        i += 1
      }
      return i > start ? value : nil
    }
    guard let number = decimal(line.upperBound), i < line.upperBound,
      text[i] == UInt8(ascii: " ")
    else { return nil }
    // The length stands behind the last blank.
    var last = line.upperBound - 1
    while last > i, text[last] != UInt8(ascii: " ") { last -= 1 }
    guard last > i else { return nil }
    let literal = i + 1..<last
    i = last + 1
    guard let length = decimal(line.upperBound), i == line.upperBound, length <= longest,
      let symbol = PythonLiteral.bytes(text, literal), symbol.count == length, length > 0
    else { return nil }
    return (Int32(number), symbol)
  }
}

/// Literals of Python's `repr` of a `str` or of `bytes`.
private enum PythonLiteral {
  /// Returns the bytes of a literal, of a string in UTF-8; nil if it is none.
  static func bytes(_ text: Span<UInt8>, _ range: Range<Int>) -> [UInt8]? {
    var i = range.lowerBound
    guard i < range.upperBound else { return nil }
    let isBytes = text[i] == UInt8(ascii: "b")
    if isBytes { i += 1 }
    let end = range.upperBound - 1
    guard i < end, text[i] == UInt8(ascii: "'") || text[i] == UInt8(ascii: "\""),
      text[end] == text[i]
    else { return nil }
    let quote = text[i]
    i += 1
    var bytes: [UInt8] = []
    while i < end {
      let byte = text[i]
      i += 1
      if byte == quote { return nil }
      guard byte == UInt8(ascii: "\\") else {
        bytes.append(byte)
        continue
      }
      guard i < end else { return nil }
      let escape = text[i]
      i += 1
      switch escape {
      case UInt8(ascii: "n"): bytes.append(0x0A)
      case UInt8(ascii: "r"): bytes.append(0x0D)
      case UInt8(ascii: "t"): bytes.append(0x09)
      case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): bytes.append(escape)
      case UInt8(ascii: "x"), UInt8(ascii: "u"), UInt8(ascii: "U"):
        let count = escape == UInt8(ascii: "x") ? 2 : escape == UInt8(ascii: "u") ? 4 : 8
        guard i + count <= end else { return nil }
        var code: UInt32 = 0
        for k in i..<i + count {
          guard let digit = Character(Unicode.Scalar(text[k])).hexDigitValue else { return nil }
          code = code << 4 | UInt32(digit)
        }
        i += count
        if isBytes {
          guard count == 2 else { return nil }
          bytes.append(UInt8(code))
        } else {
          guard let scalar = Unicode.Scalar(code) else { return nil }
          bytes += String(Character(scalar)).utf8
        }
      default: return nil
      }
    }
    return bytes
  }
}
