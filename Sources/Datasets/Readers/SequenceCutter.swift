/// The rule that cuts lines of sequences into symbols.
enum SequenceCutter {
  /// Symbols are parts of the text. They are numbered as they come, and get their final numbers when those
  /// of the training part are counted.
  case counted(any CountedTokenizer)
  /// Symbols have the numbers of a vocabulary from a file.
  case vocabulary(Vocabulary)

  /// Makes the rule of a choice of the configuration.
  /// - Parameter given: The vocabulary of a model, which is used in place of the file.
  /// - Throws: `DataError` if the file cannot be read.
  init(_ choice: TokenizerChoice, given: Vocabulary?) throws(DataError) {
    guard let path = choice.path else {
      self = .counted(choice.counted ?? WordTokenizer())
      return
    }
    if let given {
      self = .vocabulary(given)
    } else {
      self = .vocabulary(try Vocabulary(contentsOf: path))
    }
  }

  /// The vocabulary from a file.
  var vocabulary: Vocabulary? {
    if case .vocabulary(let vocabulary) = self { vocabulary } else { nil }
  }

  /// Returns the symbols of a part of a text, as numbers of `table` or of the vocabulary.
  /// - Throws: `DataError` if the vocabulary lacks a part of the text.
  func symbols(
    of text: Span<UInt8>, _ range: Range<Int>, _ table: inout SymbolTable
  ) throws(DataError) -> [Int32] {
    var found: [Int32] = []
    switch self {
    case .counted(let tokenizer):
      tokenizer.forEachSymbol(of: text, in: range) { (text, symbol) in
        found.append(Int32(table.insert(text, symbol).symbol))
      }
    case .vocabulary(let vocabulary):
      try vocabulary.tokenizer.encode(
        text.extracting(range), with: vocabulary, endingLastLine: false
      ) { (id) throws(DataError) in found.append(id) }
    }
    return found
  }

  /// Returns the final number of each symbol in the order of the numbers that `symbols(of:_:_:)` gives.
  func numbers(_ table: SymbolTable, in vocabulary: Vocabulary) -> [Int32?] {
    switch self {
    case .counted:
      (0..<table.count).map { vocabulary.id(of: table[$0]) ?? vocabulary.unknown }
    case .vocabulary: (0..<Int32(vocabulary.count)).map { $0 }
    }
  }
}
