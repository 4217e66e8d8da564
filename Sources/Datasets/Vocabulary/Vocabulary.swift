/// The symbols that a model reads and writes, and their numbers.
///
/// | kind | a symbol is | order of the numbers |
/// |---|---|---|
/// | byte | a byte, of whatever text | the byte's value, 0…255 |
/// | character | a Unicode scalar (not a grapheme: "\r\n" is two) | code points ascending, then `<unk>` |
/// | word | what Python's `str.split` leaves | `<unk>`, `<eos>`, then by falling frequency, ties by bytes |
/// | name | a name of a list, such as a tag | that of the list |
///
/// Words and characters of sequences may have `<s>` and `</s>`, where a sequence begins and ends; words
/// then have no `<eos>`.
///
/// Symbols are told apart by their UTF-8 bytes, so that é as one scalar and as e with an accent differ.
/// A word vocabulary has `<eos>` at the end of every line. Characters and words that it does not have
/// are `<unk>`: text other than the training text never stops a run. A list of names has none unless it is
/// in the list.
public struct Vocabulary: Sendable, Equatable {
  public enum Kind: String, Codable, Sendable, CaseIterable {
    case byte, character, word, name
  }

  public let kind: Kind
  let table: SymbolTable
  /// The number of `<unk>`; a byte vocabulary needs none.
  public let unknown: Int32?
  /// The number of `<eos>`, or of `</s>` where there is no `<eos>`; only words have one.
  public let endOfLine: Int32?
  /// The numbers of `<s>` and `</s>`, where sequences begin and end; nil in those of a running text.
  public let begin, end: Int32?

  static let unknownSymbol = Array("<unk>".utf8)
  static let endOfLineSymbol = Array("<eos>".utf8)
  static let beginSymbol = Array("<s>".utf8)
  static let endSymbol = Array("</s>".utf8)

  /// All 256 bytes.
  public static let bytes: Vocabulary = {
    var table = SymbolTable()
    for byte in UInt8.min...UInt8.max { table.insert(CollectionOfOne(byte)) }
    return Vocabulary(kind: .byte, table: table)
  }()

  /// Takes over a table that holds the special symbols which its kind needs.
  init(kind: Kind, table: SymbolTable) {
    self.kind = kind
    self.table = table
    func id(_ symbol: [UInt8]) -> Int32? {
      kind == .byte ? nil : table.find(symbol).map(Int32.init)
    }
    unknown = id(Self.unknownSymbol)
    begin = id(Self.beginSymbol)
    end = id(Self.endSymbol)
    endOfLine = kind == .word ? id(Self.endOfLineSymbol) ?? id(Self.endSymbol) : nil
  }

  /// A list of names, numbered as they come.
  /// - Precondition: no name is there twice.
  public init(names: [String]) {
    var table = SymbolTable()
    for name in names {
      precondition(table.insert(name.utf8).isNew, "the name '\(name)' is there twice")
    }
    self.init(kind: .name, table: table)
  }

  /// The special symbols that a kind needs and a table lacks.
  static func missing(_ kind: Kind, in table: SymbolTable) -> [[UInt8]] {
    guard kind == .character || kind == .word else { return [] }
    return table.find(unknownSymbol) == nil ? [unknownSymbol] : []
  }

  /// The number of symbols, the special ones included.
  public var count: Int { table.count }
  /// Whether there are none, because numbers are read or predicted.
  public var isEmpty: Bool { count == 0 }

  /// The UTF-8 bytes of a symbol, `<unk>` and `<eos>` spelt out.
  public func symbol(_ id: Int32) -> ArraySlice<UInt8> { table[Int(id)] }

  /// The number of a symbol, if it is in the vocabulary.
  public func id(of symbol: some Collection<UInt8>) -> Int32? { table.find(symbol).map(Int32.init) }

  /// Identifies the kind and every symbol; it never changes from one version or machine to another.
  public var hash: UInt64 {
    var fingerprint = Fingerprint()
    fingerprint.add(kind.rawValue)
    for symbol in 0..<count {
      fingerprint.add(table[symbol].count)
      for byte in table[symbol] { fingerprint.add(byte) }
    }
    return fingerprint.value
  }

  // MARK: Text to numbers

  /// The numbers of a text's symbols.
  ///
  /// With words, `<eos>` stands for each end of a line; a last line without one gets `<eos>` only if
  /// asked for, as the lines of a file do, because a prompt goes on.
  public func encode(_ text: String, endingLastLine: Bool = false) -> [Int32] {
    let bytes = Array(text.utf8)
    let text = bytes.span
    var ids: [Int32] = []
    ids.reserveCapacity(text.count)
    let encoder = LineEncoder(self)
    var lines = encoder.lines
    while let line = lines.next(in: text) {
      try? encoder.encode(line, of: text, endingLastLine: endingLastLine) {
        (id) throws(DataError) in
        ids.append(id)
      }
    }
    return ids
  }

  // MARK: Numbers to text

  /// The text behind numbers: words and names joined by blanks, `<eos>` or `</s>` as a line's end, an
  /// unknown character as U+FFFD, which also stands for bytes that are no UTF-8; nothing for `<s>`.
  public func decode(_ ids: some Sequence<Int32>) -> String {
    String(decoding: decodedBytes(ids), as: UTF8.self)
  }

  /// The same as bytes, exact also where they are no UTF-8.
  public func decodedBytes(_ ids: some Sequence<Int32>) -> [UInt8] {
    var text: [UInt8] = []
    var startsLine = true
    for id in ids where id != begin || kind == .name {
      switch kind {
      case .byte: text.append(UInt8(id))
      case .character:
        if id == unknown {
          text += "\u{FFFD}".utf8
        } else if id == end {
          text.append(newline)
        } else {
          text += symbol(id)
        }
      case .word, .name:
        if id == endOfLine {
          text.append(newline)
        } else {
          if !startsLine { text.append(UInt8(ascii: " ")) }
          text += symbol(id)
        }
        startsLine = id == endOfLine
      }
    }
    return text
  }
}
