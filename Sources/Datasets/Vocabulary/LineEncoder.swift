/// Turns lines of UTF-8 into the numbers of their symbols.
struct LineEncoder {
  let vocabulary: Vocabulary
  /// What stands for a symbol that the vocabulary lacks; nil where nothing can.
  private let unknown: Int32?
  /// The numbers of the 128 ASCII characters: most of most texts.
  private let ascii: [Int32]

  init(_ vocabulary: Vocabulary) {
    self.vocabulary = vocabulary
    unknown = vocabulary.unknown
    let other = vocabulary.unknown ?? 0
    ascii = (UInt8(0)..<128).map { vocabulary.id(of: CollectionOfOne($0)) ?? other }
  }

  /// A walk over lines as this kind of vocabulary sees them.
  var lines: LineScanner {
    LineScanner(universal: vocabulary.kind == .word || vocabulary.kind == .name)
  }

  /// Hands over the number of each symbol of a line.
  @inline(__always)
  func encode(
    _ line: Line, of text: Span<UInt8>, endingLastLine: Bool,
    to emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    switch vocabulary.kind {
    case .byte:
      for i in line.whole { try emit(Int32(text[i])) }
    case .character:
      var i = line.whole.lowerBound
      while i < line.end {
        let lead = text[i]
        if lead < 0x80 {
          try emit(ascii[Int(lead)])
          i += 1
        } else {
          let character = i..<i + characterLength(lead)
          try emit(vocabulary.table.find(text, character).map { Int32($0) } ?? unknown!)
          i = character.upperBound
        }
      }
    case .word, .name:
      var words = WordScanner(line.content)
      while let word = words.next(in: text) {
        guard let id = vocabulary.table.find(text, word).map({ Int32($0) }) ?? unknown else {
          throw DataError(
            "'\(string(text, word))' is not among the \(vocabulary.count) names that there are: "
              + "write one of them")
        }
        try emit(id)
      }
      if let end = vocabulary.endOfLine, line.hasEndMark || endingLastLine { try emit(end) }
    }
  }
}

/// The number of symbols of a text, which does not depend on which of them a vocabulary has.
func symbolCount(_ text: Span<UInt8>, _ kind: Vocabulary.Kind) -> Int {
  var count = 0
  switch kind {
  case .byte: count = text.count
  case .character:
    for i in 0..<text.count where text[i] & 0xC0 != 0x80 { count += 1 }
  case .word, .name:
    var lines = LineScanner(universal: true)
    while let line = lines.next(in: text) {
      var words = WordScanner(line.content)
      while words.next(in: text) != nil { count += 1 }
      count += 1
    }
  }
  return count
}

/// A piece of a text for a sentence.
func string(_ text: Span<UInt8>, _ range: Range<Int>) -> String {
  String(decoding: range.map { text[$0] }, as: UTF8.self)
}
