/// The symbols that a model reads and writes, and their numbers.
///
/// | tokenizer | a symbol is | order of the numbers |
/// |---|---|---|
/// | byte | a byte, of whatever text | the byte's value, 0…255 |
/// | character | a Unicode scalar (not a grapheme: "\r\n" is two) | code points ascending, then `<unk>` |
/// | word | a part of Python's `str.split` | `<unk>`, `<eos>`, then by falling frequency, ties by bytes |
/// | name | a name of a list, such as a tag | the order of the list |
///
/// Words and characters of sequences may have `<s>` and `</s>`, the begin and the end of a sequence; words
/// then have no `<eos>`.
///
/// Symbols are told apart by their UTF-8 bytes, so that é as one scalar and as e with an accent differ.
/// A word vocabulary has `<eos>` at the end of every line. Characters and words that it does not have
/// are `<unk>`, so text other than the training text never stops a run. A list of names has `<unk>` only
/// if the list says so.
public struct Vocabulary: Sendable {
  /// The rule that cuts text into these symbols.
  public let tokenizer: any Tokenizer
  let table: SymbolTable
  /// The number of `<unk>`; a byte vocabulary needs none.
  public let unknown: Int32?
  /// The number of `<eos>`, or of `</s>` if there is no `<eos>`; nil for a tokenizer that does not end
  /// lines.
  public let endOfLine: Int32?
  /// The numbers of `<s>` and `</s>`, the begin and the end of a sequence; nil in those of a running
  /// text.
  public let begin, end: Int32?
  /// The number of the symbol that ends a document of a running text, such as `<|endoftext|>`, `</s>`
  /// of SentencePiece or 0 of RWKV World; nil if the vocabulary has none.
  public let endOfDocument: Int32?
  /// The numbers of the 128 ASCII characters, most of most texts, or of `<unk>`.
  let ascii: [Int32]

  static let unknownSymbol = Array("<unk>".utf8)
  static let endOfLineSymbol = Array("<eos>".utf8)
  static let beginSymbol = Array("<s>".utf8)
  static let endSymbol = Array("</s>".utf8)

  /// Makes a vocabulary of a table that holds the special symbols which its tokenizer needs.
  init(_ tokenizer: any Tokenizer, table: SymbolTable) {
    self.tokenizer = tokenizer
    self.table = table
    func id(_ symbol: some Collection<UInt8>) -> Int32? { table.find(symbol).map(Int32.init) }
    unknown = id(Self.unknownSymbol)
    begin = id(Self.beginSymbol)
    end = id(Self.endSymbol)
    endOfLine = tokenizer.endsLines ? id(Self.endOfLineSymbol) ?? id(Self.endSymbol) : nil
    endOfDocument = nil
    let other = unknown ?? 0
    ascii = (UInt8(0)..<128).map { id(CollectionOfOne($0)) ?? other }
  }

  /// Makes a vocabulary of a tokenizer's own file, in which symbols may be spelt like special ones
  /// without being special.
  init(_ tokenizer: any Tokenizer, table: SymbolTable, special: SpecialNumbers) {
    self.tokenizer = tokenizer
    self.table = table
    unknown = special.unknown
    begin = special.begin
    end = special.end
    endOfDocument = special.endOfDocument
    endOfLine = nil
    ascii = []
  }

  /// Makes a vocabulary of symbols in the order of their numbers.
  /// - Precondition: no symbol is there twice.
  public init(_ tokenizer: any Tokenizer, symbols: [String]) {
    var table = SymbolTable()
    for symbol in symbols {
      precondition(table.insert(symbol.utf8).isNew, "the symbol '\(symbol)' occurs twice")
    }
    self.init(tokenizer, table: table)
  }

  /// Makes a vocabulary of a list of names.
  /// - Precondition: no name is there twice.
  public init(names: [String]) { self.init(NameTokenizer(), symbols: names) }

  /// The number of symbols, the special ones included.
  public var count: Int { table.count }
  /// True if there are no symbols, because numbers are read or predicted.
  public var isEmpty: Bool { count == 0 }

  /// Returns the UTF-8 bytes of a symbol, `<unk>` and `<eos>` spelt out.
  public func symbol(_ id: Int32) -> ArraySlice<UInt8> { table[Int(id)] }

  /// Returns the number of a symbol; nil if it is not in the vocabulary.
  public func id(of symbol: some Collection<UInt8>) -> Int32? { table.find(symbol).map(Int32.init) }

  /// Returns the number of the symbol that is a part of a text; nil if it is not in the vocabulary.
  public func id(of text: Span<UInt8>, _ symbol: Range<Int>) -> Int32? {
    table.find(text, symbol).map { Int32($0) }
  }

  /// Returns the number of bytes of text that a symbol stands for: 0 for one that marks a place, such as
  /// the end of a document; nil for one that stands for many texts, such as `<unk>`.
  public func byteLength(of id: Int32) -> Int? { tokenizer.byteLength(of: id, in: self) }

  /// The number of bytes of text that each symbol stands for, in the order of their numbers.
  public var byteLengths: [Int?] { (0..<Int32(count)).map(byteLength) }

  /// A fingerprint of the tokenizer and every symbol, the same in all versions and on all machines.
  public var hash: UInt64 {
    var fingerprint = Fingerprint()
    fingerprint.add(tokenizer.name)
    if let model = tokenizer.model {
      fingerprint.add(model.count)
      for byte in model { fingerprint.add(byte) }
    }
    for symbol in 0..<count {
      fingerprint.add(table[symbol].count)
      for byte in table[symbol] { fingerprint.add(byte) }
    }
    return fingerprint.value
  }

  // MARK: Text to numbers

  /// Returns the numbers of a text's symbols. A symbol that cannot be encoded ends its line.
  ///
  /// With words, `<eos>` stands for each end of a line; a last line without one gets `<eos>` only if
  /// asked for, as the lines of a file do, because a prompt goes on.
  public func encode(_ text: String, endingLastLine: Bool = false) -> [Int32] {
    let bytes = Array(text.utf8)
    let text = bytes.span
    var ids: [Int32] = []
    ids.reserveCapacity(text.count)
    func encode(_ part: Range<Int>) {
      try? tokenizer.encode(
        text.extracting(part), with: self, endingLastLine: endingLastLine
      ) { (id) throws(DataError) in ids.append(id) }
    }
    switch tokenizer.cuts {
    case .documents: encode(text.indices)
    case .lines:
      var lines = LineScanner(universal: tokenizer.hasUniversalNewlines)
      while let line = lines.next(in: text) { encode(line.whole) }
    }
    return ids
  }

  // MARK: Numbers to text

  /// Returns the text of symbols: words and names joined by blanks, `<eos>` or `</s>` as the end of a
  /// line, an unknown character as U+FFFD, which also stands for bytes that are no UTF-8; nothing for
  /// `<s>`.
  public func decode(_ ids: some Sequence<Int32>) -> String {
    String(decoding: decodedBytes(ids), as: UTF8.self)
  }

  /// Returns the same as bytes, exact also if they are no UTF-8.
  public func decodedBytes(_ ids: some Sequence<Int32>) -> [UInt8] {
    tokenizer.decode(ids, with: self)
  }

  /// Returns the same without the bytes of a character that the last symbols only begin, unless the
  /// symbols are bytes of whatever text: the output of a model may end anywhere.
  public func wholeCharacters(_ ids: some Sequence<Int32>) -> [UInt8] {
    var text = decodedBytes(ids)
    if !tokenizer.readsBytes { text.removeLast(unfinishedLength(of: text.span)) }
    return text
  }
}

extension Vocabulary: Equatable {
  public static func == (a: Vocabulary, b: Vocabulary) -> Bool {
    a.tokenizer.name == b.tokenizer.name && a.tokenizer.model == b.tokenizer.model
      && a.table == b.table
  }
}
