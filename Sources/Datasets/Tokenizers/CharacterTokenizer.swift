/// Unicode scalars, which are not graphemes: "\r\n" is two. Letters are told apart by their UTF-8 bytes,
/// so é as one scalar differs from e with an accent.
public struct CharacterTokenizer: CountedTokenizer {
  public init() {}

  public var name: String { "character" }
  public var unit: LossUnit { .bitsPerCharacter }
  public var specialSymbols: [String] { ["<unk>"] }
  public var order: SymbolOrder { .bytes }

  public func forEachSymbol<Failure: Error>(
    of text: Span<UInt8>, in part: Range<Int>,
    _ body: (_ text: Span<UInt8>, _ symbol: Range<Int>) throws(Failure) -> Void
  ) throws(Failure) {
    var i = part.lowerBound
    while i < part.upperBound {
      let character = i..<i + characterLength(text[i])
      try body(text, character)
      i = character.upperBound
    }
  }

  public func encode(
    _ text: Span<UInt8>, with vocabulary: Vocabulary, endingLastLine: Bool,
    to emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    let unknown = vocabulary.unknown!
    var i = 0
    while i < text.count {
      let lead = text[i]
      if lead < 0x80 {
        try emit(vocabulary.ascii[Int(lead)])
        i += 1
      } else {
        let character = i..<i + characterLength(lead)
        try emit(vocabulary.id(of: text, character) ?? unknown)
        i = character.upperBound
      }
    }
  }

  public func symbolCount(of text: Span<UInt8>) -> Int {
    var count = 0
    // Every byte that does not continue a scalar begins one.
    for i in text.indices where text[i] & 0xC0 != 0x80 { count += 1 }
    return count
  }

  public func count(_ text: Span<UInt8>, into counter: inout SymbolCounter) {
    var ascii = [Int](repeating: 0, count: 128)
    var i = 0
    while i < text.count, counter.remaining > 0 {
      let lead = text[i]
      if lead < 0x80 {
        ascii[Int(lead)] += 1
        i += 1
      } else {
        let length = characterLength(lead)
        counter.count(text, i..<i + length)
        i += length
      }
      counter.remaining -= 1
    }
    for (code, times) in ascii.enumerated() where times > 0 {
      let symbol = [UInt8(code)]
      counter.count(symbol.span, 0..<1, times: times)
    }
  }

  /// An unknown character becomes U+FFFD, and `</s>` the end of a line.
  public func decode(_ ids: some Sequence<Int32>, with vocabulary: Vocabulary) -> [UInt8] {
    var text: [UInt8] = []
    for id in ids where id != vocabulary.begin {
      if id == vocabulary.unknown {
        text += "\u{FFFD}".utf8
      } else if id == vocabulary.end {
        text.append(newline)
      } else {
        text += vocabulary.symbol(id)
      }
    }
    return text
  }
}

extension Tokenizer where Self == CharacterTokenizer {
  public static var character: CharacterTokenizer { CharacterTokenizer() }
}
