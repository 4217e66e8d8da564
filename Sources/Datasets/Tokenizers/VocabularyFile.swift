internal import FoundationEssentials

extension Vocabulary: Codable {
  private enum Key: String, CodingKey { case version, kind, model, symbols }

  /// Reads the form that `encode(to:)` writes.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    guard try values.decode(Int.self, forKey: .version) == 1 else {
      throw DecodingError.dataCorruptedError(
        forKey: .version, in: values,
        debugDescription: "the vocabulary was written by a newer version: install that version")
    }
    let known = decoder.userInfo[.tokenizers] as? [String: any Tokenizer] ?? tokenizers
    let name = try values.decode(String.self, forKey: .kind)
    guard var tokenizer = known[name] ?? (name == NameTokenizer().name ? NameTokenizer() : nil)
    else {
      throw DecodingError.dataCorruptedError(
        forKey: .kind, in: values,
        debugDescription:
          "no tokenizer is called \(name.debugDescription): use the version of unroll that wrote the vocabulary"
      )
    }
    if let fixed = tokenizer.fixedVocabulary {
      self = fixed
      return
    }
    if let model = try values.decodeIfPresent(Data.self, forKey: .model) {
      do throws(DataError) {
        tokenizer = try tokenizer.with(model: Array(model))
      } catch {
        throw DecodingError.dataCorruptedError(
          forKey: .model, in: values, debugDescription: error.description)
      }
      if let vocabulary = tokenizer.fixedVocabulary {
        self = vocabulary
        return
      }
    }
    var table = SymbolTable()
    for symbol in try values.decode([String].self, forKey: .symbols) {
      guard table.insert(symbol.utf8).isNew else {
        throw DecodingError.dataCorruptedError(
          forKey: .symbols, in: values,
          debugDescription: "the symbol \(symbol.debugDescription) occurs twice: remove one")
      }
    }
    if tokenizer is any CountedTokenizer, table.find(Self.unknownSymbol) == nil {
      throw DecodingError.dataCorruptedError(
        forKey: .symbols, in: values, debugDescription: "the symbol '<unk>' is missing: add it")
    }
    self.init(tokenizer, table: table)
  }

  /// Writes the name of the tokenizer, its model, and the symbols in the order of their numbers. Bytes
  /// need no list, nor do symbols that the model has.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    try values.encode(1, forKey: .version)
    try values.encode(tokenizer.name, forKey: .kind)
    try values.encodeIfPresent(tokenizer.model.map { Data($0) }, forKey: .model)
    if tokenizer.fixedVocabulary == nil {
      let symbols = (0..<count).map { String(decoding: table[$0], as: UTF8.self) }
      try values.encode(symbols, forKey: .symbols)
    }
  }

  /// The contents of a `vocabulary.json`: the same bytes for the same vocabulary, a symbol a line.
  public var json: [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(self) else {
      preconditionFailure("strings and numbers cannot fail to be encoded")
    }
    return Array(data) + [newline]
  }

  /// Writes a `vocabulary.json`, whole or not at all.
  /// - Throws: `DataError` if the file cannot be written.
  public func write(to path: String) throws(DataError) {
    let file = try ReplacementFile(path)
    let json = json
    try file.write(json.span.bytes)
    try file.commit()
  }

  /// Reads a `vocabulary.json` that this program wrote, the file of a tokenizer, or a list of words, one
  /// a line.
  ///
  /// The number of a word is that of its line, from 0; `<unk>` and `<eos>` come last if the list lacks
  /// them.
  /// - Throws: `DataError` if the file cannot be read, is not UTF-8, is empty, or has a line that
  ///   is blank, has two words, or repeats another.
  public init(contentsOf path: String) throws(DataError) {
    let file = try MappedFile(path)
    guard file.count > 0 else {
      throw DataError("\(path) is empty: give a vocabulary, one word per line")
    }
    for (_, tokenizer) in tokenizers.sorted(by: { $0.key < $1.key }) {
      let found = try file.withText { (text) throws(DataError) in
        try tokenizer.vocabulary(from: text, of: path)
      }
      if let found {
        self = found
        return
      }
    }
    if path.hasSuffix(".json") {
      let json = try file.withTextAfterMark { (text) throws(DataError) in
        Data(text.indices.map { text[$0] })
      }
      do {
        self = try JSONDecoder().decode(Vocabulary.self, from: json)
      } catch {
        throw DataError("\(path) is not a vocabulary (\(Self.reason(error))): restore the file")
      }
      return
    }
    let table = try file.withTextAfterMark { (text) throws(DataError) in try Self.list(text, path) }
    self.init(WordTokenizer(), table: table)
  }

  private static func list(_ text: Span<UInt8>, _ path: String) throws(DataError) -> SymbolTable {
    try requireUTF8(text, of: path)
    var table = SymbolTable()
    var lines = LineScanner(universal: true)
    var number = 0
    while let line = lines.next(in: text) {
      number += 1
      var words = WordScanner(line.content)
      guard let word = words.next(in: text) else {
        throw DataError("\(path), line \(number) is blank: remove it or write a word there")
      }
      guard words.next(in: text) == nil else {
        throw DataError("\(path), line \(number) has more than one word: write one word per line")
      }
      let (symbol, isNew) = table.insert(text, word)
      guard isNew else {
        throw DataError(
          "\(path), line \(number) repeats '\(String(decoding: table[symbol], as: UTF8.self))' of "
            + "line \(symbol + 1): remove one of them")
      }
    }
    table.insert(unknownSymbol)
    table.insert(endOfLineSymbol)
    return table
  }

  private static func reason(_ error: any Error) -> String {
    guard let error = error as? DecodingError else { return "it is not JSON" }
    switch error {
    case .dataCorrupted(let context): return context.debugDescription
    case .keyNotFound(let key, _): return "the key \(key.stringValue) is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      return context.codingPath.map(\.stringValue).joined(separator: ".") + " has the wrong type"
    @unknown default: return "it is not a vocabulary"
    }
  }
}
