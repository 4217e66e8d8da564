internal import Names

/// The tokenizer of a preparation: one with a vocabulary, or one that counts its symbols in the texts.
public enum PreparationTokenizer: Sendable {
  case vocabulary(Vocabulary)
  case counted(any CountedTokenizer)

  /// Finds a tokenizer by its name, or reads its file.
  /// - Throws: `DataError` if there is no such name or file, or the file is none of a tokenizer.
  public init(_ name: String) throws(DataError) {
    guard let choice = TokenizerChoice(name) else {
      throw DataError(
        "\(UnknownName(name, of: "tokenizer", among: TokenizerChoice.names)); the path of a vocabulary "
          + "has a slash or a point in it")
    }
    if let fixed = choice.fixedVocabulary {
      self = .vocabulary(fixed)
    } else if let counted = choice.counted {
      self = .counted(counted)
    } else {
      self = .vocabulary(try Vocabulary(contentsOf: choice.name))
    }
  }

  /// The name of a counted tokenizer, or the hash of the vocabulary.
  public var identity: String {
    switch self {
    case .vocabulary(let vocabulary): String(vocabulary.hash, radix: 16)
    case .counted(let tokenizer): tokenizer.name
    }
  }

  /// True if documents can have end tokens.
  public var hasEndOfDocument: Bool {
    if case .vocabulary(let vocabulary) = self { vocabulary.endOfDocument != nil } else { false }
  }
}

/// A count of the symbols of the training documents, which ranks make side by side.
public struct PieceCounter {
  private let tokenizer: any CountedTokenizer
  private let reader: PieceReader
  private let size: Int?

  public init(_ settings: PreparationSettings, _ tokenizer: any CountedTokenizer) {
    self.tokenizer = tokenizer
    reader = PieceReader(settings, tokenizer)
    size = settings.vocabularySize
  }

  /// Adds the symbols of a piece.
  /// - Throws: `DataError` as `PieceReader` does.
  public func count(_ piece: TextPiece, into counter: inout SymbolCounter) throws(DataError) {
    try reader.forEachPart(of: piece) { (text, document) throws(DataError) in
      if document.part == 0 {
        tokenizer.count(text.extracting(document.range), into: &counter)
      }
    }
  }

  /// Returns the vocabulary of what was counted.
  public func vocabulary(_ counter: SymbolCounter) -> Vocabulary {
    counter.vocabulary(tokenizer, size: size, minCount: 1)
  }
}
