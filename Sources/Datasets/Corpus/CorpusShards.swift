extension Corpus {
  /// Opens token shards as one corpus, a file after another.
  ///
  /// All ranks that share the files call this, one of them with `writing`, and the others after it has
  /// returned. As with the encoded form of a text, the writer checks the checksums once.
  /// - Parameter documents: The places at which states are reset: `none`, `reset` or `end_token`.
  /// - Throws: `DataError` if a file cannot be read, is damaged, was encoded with another vocabulary, or
  ///   has no documents of the kind that is asked for.
  init(
    shards paths: [String], vocabulary: Vocabulary, document: DocumentBoundary, name: String,
    writing: Bool
  ) throws(DataError) {
    let starts = try Self.starts(document, vocabulary, name)
    var files: [(file: CorpusFile, range: Range<Int>)] = []
    for path in paths {
      let file = try CorpusFile(path)
      guard file.isForeign || file.header.vocabularyHash == vocabulary.hash else {
        throw DataError(
          "\(path) was encoded with another vocabulary: name its own with data.tokenizer, or encode "
            + "the texts again")
      }
      if writing {
        try file.checkAll(symbols: vocabulary.count)
      } else {
        try file.checkNumbers(symbols: vocabulary.count)
      }
      files.append((file, 0..<file.header.tokenCount))
    }
    guard files.contains(where: { $0.file.header.tokenCount > 0 }) else {
      throw DataError("\(name) has no tokens: prepare shards from a text that is not empty")
    }
    self.init(files, name: name, documents: starts)
    if case .after(let symbol) = starts { try checkEnds(symbol) }
    if starts == .index, !hasDocuments {
      throw DataError(
        "\(name) has no index of documents for data.document: reset: prepare it with documents, or "
          + "set data.document to none or end_token")
    }
  }

  private static func starts(
    _ document: DocumentBoundary, _ vocabulary: Vocabulary, _ name: String
  ) throws(DataError) -> DocumentStarts {
    switch document {
    case .none: return .none
    case .reset: return .index
    case .endToken:
      guard let end = vocabulary.endOfDocument else {
        throw DataError(
          "the vocabulary of \(name) has no end-of-document token for data.document: end_token: set "
            + "data.document to none or reset")
      }
      return .after(end)
    case .file, .blankLine, .line:
      throw DataError(
        "data.document is \(document.rawValue), and the documents of the token shards \(name) were "
          + "marked when they were prepared: set it to \(DocumentBoundary.names(ofText: false))")
    }
  }

  /// Refuses shards whose index says that documents do not end with a token.
  private func checkEnds(_ symbol: Int32) throws(DataError) {
    for part in parts {
      let second = part.file.document(from: 1)
      guard second < part.file.header.documentCount else { continue }
      guard part.file.token(part.file.documentStart(second) - 1) == symbol else {
        throw DataError(
          "\(part.file.path) was prepared without end-of-document tokens, which data.document: "
            + "end_token needs: set it to none or reset, or prepare the texts again")
      }
    }
  }
}
