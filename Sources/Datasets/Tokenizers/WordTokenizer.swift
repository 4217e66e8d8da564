/// Words as Python's `str.split` gives them, and `<eos>` at the end of every line.
public struct WordTokenizer: CountedTokenizer {
  public init() {}

  public var name: String { "word" }
  public var unit: LossUnit { .perplexity }
  public var hasUniversalNewlines: Bool { true }
  public var endsLines: Bool { true }
  public var specialSymbols: [String] { ["<unk>", "<eos>"] }
  public var order: SymbolOrder { .frequency }

  public func forEachSymbol<Failure: Error>(
    of text: Span<UInt8>, in part: Range<Int>,
    _ body: (_ text: Span<UInt8>, _ symbol: Range<Int>) throws(Failure) -> Void
  ) throws(Failure) {
    var words = WordScanner(part)
    while let word = words.next(in: text) { try body(text, word) }
  }

  public func encode(
    _ text: Span<UInt8>, with vocabulary: Vocabulary, endingLastLine: Bool,
    to emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    try encodeWords(text, with: vocabulary, to: emit)
    guard let end = vocabulary.endOfLine, !text.isEmpty else { return }
    let last = text[text.count - 1]
    if endingLastLine || last == newline || last == carriageReturn { try emit(end) }
  }

  public func symbolCount(of text: Span<UInt8>) -> Int {
    var count = 0
    var lines = LineScanner(universal: true)
    while let line = lines.next(in: text) {
      var words = WordScanner(line.content)
      while words.next(in: text) != nil { count += 1 }
      count += 1
    }
    return count
  }

  /// Counts words. The end of a line is a symbol of the text, and always in the vocabulary.
  public func count(_ text: Span<UInt8>, into counter: inout SymbolCounter) {
    var lines = LineScanner(universal: true)
    while counter.remaining > 0, let line = lines.next(in: text) {
      var words = WordScanner(line.content)
      while counter.remaining > 0, let word = words.next(in: text) {
        counter.count(text, word)
        counter.remaining -= 1
      }
      counter.remaining -= 1
    }
  }

  /// Words are joined by blanks; `<eos>`, or `</s>` in sequences, is the end of a line.
  public func decode(_ ids: some Sequence<Int32>, with vocabulary: Vocabulary) -> [UInt8] {
    decodeWords(ids.lazy.filter { $0 != vocabulary.begin }, with: vocabulary)
  }

  /// Returns the bytes of a word and of the blank or the end of the line behind it, so that the end of a
  /// line, a symbol of its own, has none. A blank line counts 0.
  public func byteLength(of id: Int32, in vocabulary: Vocabulary) -> Int? {
    if id == vocabulary.unknown { return nil }
    let marks = [vocabulary.endOfLine, vocabulary.begin, vocabulary.end]
    return marks.contains(id) ? 0 : vocabulary.symbol(id).count + 1
  }
}

extension Tokenizer where Self == WordTokenizer {
  public static var word: WordTokenizer { WordTokenizer() }
}

/// Names of a list, such as tags, written as words. Not a choice of `data.tokenizer`: a generated task or
/// the labels of a file make such a vocabulary.
public struct NameTokenizer: Tokenizer {
  public init() {}

  public var name: String { "name" }
  public var unit: LossUnit { .perplexity }
  public var hasUniversalNewlines: Bool { true }

  public func encode(
    _ text: Span<UInt8>, with vocabulary: Vocabulary, endingLastLine: Bool,
    to emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    try encodeWords(text, with: vocabulary, to: emit)
  }

  public func decode(_ ids: some Sequence<Int32>, with vocabulary: Vocabulary) -> [UInt8] {
    decodeWords(ids, with: vocabulary)
  }
}

private func encodeWords(
  _ text: Span<UInt8>, with vocabulary: Vocabulary, to emit: (Int32) throws(DataError) -> Void
) throws(DataError) {
  var words = WordScanner(0..<text.count)
  while let word = words.next(in: text) {
    guard let id = vocabulary.id(of: text, word) ?? vocabulary.unknown else {
      throw DataError(
        "'\(string(text, word))' is not among the \(vocabulary.count) known names: write one of "
          + "them")
    }
    try emit(id)
  }
}

private func decodeWords(_ ids: some Sequence<Int32>, with vocabulary: Vocabulary) -> [UInt8] {
  var text: [UInt8] = []
  var startsLine = true
  for id in ids {
    if id == vocabulary.endOfLine {
      text.append(newline)
    } else {
      if !startsLine { text.append(UInt8(ascii: " ")) }
      text += vocabulary.symbol(id)
    }
    startsLine = id == vocabulary.endOfLine
  }
  return text
}
