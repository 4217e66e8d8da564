/// A rule that cuts text into symbols and turns symbols into text again.
///
/// A tokenizer is a small value without the symbols' numbers: these are in a `Vocabulary`, which holds
/// its tokenizer. A new tokenizer is one file in this folder and one line in `tokenizers`. There are
/// three ways to a vocabulary:
///
/// - the same symbols for every text: `fixedVocabulary`, as for bytes;
/// - symbols counted in the training text: adopt `CountedTokenizer`, as for characters and words;
/// - symbols in a file that the configuration names: `vocabulary(from:of:)`. The contents of the file
///   are the tokenizer's `model`, which is a part of `vocabulary.json` and so of every checkpoint.
public protocol Tokenizer: Sendable {
  /// The name in `data.tokenizer` and in `vocabulary.json`.
  var name: String { get }

  /// The unit in which the console reports a loss.
  var unit: LossUnit { get }

  /// The places where a text may be cut so that the parts, encoded one by one, have the symbols of the
  /// whole. Nothing is ever cut elsewhere, so a tokenizer that normalises or merges across lines asks
  /// for whole documents.
  var cuts: TextCuts { get }

  /// The text is any bytes, and a byte order mark is a part of it. Otherwise a file has to be UTF-8, and
  /// a byte order mark is left out.
  var readsBytes: Bool { get }

  /// "\r" and "\r\n" end a line too, as in a file that Python opens as text.
  var hasUniversalNewlines: Bool { get }

  /// The end of a line is a symbol, `<eos>`.
  var endsLines: Bool { get }

  /// The vocabulary of every text; nil if it is counted or read from a file.
  var fixedVocabulary: Vocabulary? { get }

  /// Reads a file of this tokenizer that `data.tokenizer` names.
  /// - Returns: the vocabulary, whose tokenizer keeps the contents as its `model`; nil for a file of
  ///   another kind.
  /// - Throws: `DataError` if the file is one of this kind and damaged.
  func vocabulary(from contents: Span<UInt8>, of path: String) throws(DataError) -> Vocabulary?

  /// Bytes beside the list of symbols that encoding needs, such as merges; nil if it needs none.
  var model: [UInt8]? { get }

  /// Returns the tokenizer with the `model` of a `vocabulary.json`.
  func with(model: [UInt8]) throws(DataError) -> any Tokenizer

  /// Hands the number of each symbol of a text to `emit`, in order.
  /// - Parameters:
  ///   - text: One line with its end mark, or a whole document, as `cuts` asks.
  ///   - vocabulary: The symbols and their numbers.
  ///   - endingLastLine: A last line without an end mark ends too, as in a file. A prompt goes on.
  ///   - emit: Called with the number of each symbol.
  /// - Throws: `DataError` for a symbol that the vocabulary lacks if it has no `<unk>`; what `emit`
  ///   throws.
  func encode(
    _ text: Span<UInt8>, with vocabulary: Vocabulary, endingLastLine: Bool,
    to emit: (Int32) throws(DataError) -> Void
  ) throws(DataError)

  /// Returns the text of symbols as bytes: an end of a line is "\n", `<s>` is nothing.
  func decode(_ ids: some Sequence<Int32>, with vocabulary: Vocabulary) -> [UInt8]

  /// Returns the number of bytes of text that a symbol stands for, by which a loss per symbol becomes
  /// bits per byte: 0 for a symbol that marks a place, such as the end of a document; nil for a symbol
  /// that stands for many texts, such as `<unk>`.
  func byteLength(of id: Int32, in vocabulary: Vocabulary) -> Int?
}

extension Tokenizer {
  public var cuts: TextCuts { .lines }
  public var readsBytes: Bool { false }
  public var hasUniversalNewlines: Bool { false }
  public var endsLines: Bool { false }
  public var fixedVocabulary: Vocabulary? { nil }
  public func vocabulary(
    from contents: Span<UInt8>, of path: String
  ) throws(DataError) -> Vocabulary? { nil }
  public var model: [UInt8]? { nil }
  public func with(model: [UInt8]) throws(DataError) -> any Tokenizer { self }
  public func byteLength(of id: Int32, in vocabulary: Vocabulary) -> Int? {
    id == vocabulary.unknown
      ? nil : id == vocabulary.begin || id == vocabulary.end ? 0 : vocabulary.symbol(id).count
  }
}

/// The places where a text may be cut.
public enum TextCuts: Sendable {
  /// After every line. The text can be encoded as it streams by, or in parallel.
  case lines
  /// Only between documents (`data.document`), or files without documents. A document has to fit into
  /// memory.
  case documents
}

/// The unit in which a person reads the loss of predicted symbols.
public enum LossUnit: Sendable {
  /// Loss / ln 2, for symbols that are bytes.
  case bitsPerByte
  /// Loss / ln 2, for symbols that are characters.
  case bitsPerCharacter
  /// exp(loss).
  case perplexity
}

/// A tokenizer whose vocabulary is counted in the training text. Its symbols are parts of the text as
/// it stands, so that it also cuts the lines of `data.format` into symbols.
public protocol CountedTokenizer: Tokenizer {
  /// The special symbols of a running text. `<unk>` has to be the first.
  var specialSymbols: [String] { get }

  /// The order of the symbols' numbers.
  var order: SymbolOrder { get }

  /// Hands the place of each symbol of a part of a text to `body`, in order.
  func forEachSymbol<Failure: Error>(
    of text: Span<UInt8>, in part: Range<Int>,
    _ body: (_ text: Span<UInt8>, _ symbol: Range<Int>) throws(Failure) -> Void
  ) throws(Failure)

  /// Returns the number of symbols of a text, which does not depend on a vocabulary.
  func symbolCount(of text: Span<UInt8>) -> Int

  /// Counts the symbols of a text, as many as the counter still wants.
  func count(_ text: Span<UInt8>, into counter: inout SymbolCounter)
}

/// The order of the numbers of a counted vocabulary.
public enum SymbolOrder: Sendable {
  /// The special symbols, then the others by falling frequency, ties by bytes.
  case frequency
  /// By bytes, which for UTF-8 is the order of code points, then the special symbols.
  case bytes
}

extension CountedTokenizer {
  public func encode(
    _ text: Span<UInt8>, with vocabulary: Vocabulary, endingLastLine: Bool,
    to emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    try forEachSymbol(of: text, in: 0..<text.count) { (text, symbol) throws(DataError) in
      try emit(vocabulary.id(of: text, symbol) ?? vocabulary.unknown!)
    }
  }

  public func symbolCount(of text: Span<UInt8>) -> Int {
    var count = 0
    forEachSymbol(of: text, in: 0..<text.count) { (_, _) in count += 1 }
    return count
  }

  public func count(_ text: Span<UInt8>, into counter: inout SymbolCounter) {
    forEachSymbol(of: text, in: 0..<text.count) { (text, symbol) in
      if counter.remaining > 0 {
        counter.count(text, symbol)
        counter.remaining -= 1
      }
    }
  }
}
