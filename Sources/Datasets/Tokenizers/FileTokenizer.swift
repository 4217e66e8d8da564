/// A tokenizer whose symbols are those of a file, which travels in the vocabulary. The one of the registry
/// has no file yet; it only reads files.
protocol FileTokenizer: Tokenizer {
  associatedtype Model: FileModel

  /// The symbols; nil before a file was read.
  var symbols: Model? { get }
  init(_ symbols: Model?)

  /// Returns true if a file looks like one of this tokenizer.
  static func isLike(_ contents: Span<UInt8>, of path: String) -> Bool
  /// Reads a file of this kind.
  /// - Throws: `DataError` if it is damaged.
  static func read(_ contents: Span<UInt8>, of path: String) throws(DataError) -> Model
}

extension FileTokenizer {
  public init() { self.init(nil) }

  public var unit: LossUnit { .perplexity }
  public var cuts: TextCuts { .documents }
  public var model: [UInt8]? { symbols?.contents }
  public var fixedVocabulary: Vocabulary? {
    symbols.map { Vocabulary(self, table: $0.table, special: $0.special) }
  }

  public func vocabulary(
    from contents: Span<UInt8>, of path: String
  ) throws(DataError) -> Vocabulary? {
    guard Self.isLike(contents, of: path) else { return nil }
    return Self(try Self.read(contents, of: path)).fixedVocabulary
  }

  public func with(model: [UInt8]) throws(DataError) -> any Tokenizer {
    Self(try Self.read(model.span, of: "the file of the tokenizer \(name) in it"))
  }

  public func encode(
    _ text: Span<UInt8>, with vocabulary: Vocabulary, endingLastLine: Bool,
    to emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    try symbols!.encode(text, to: emit)
  }

  public func decode(_ ids: some Sequence<Int32>, with vocabulary: Vocabulary) -> [UInt8] {
    symbols!.decode(ids)
  }

  public func byteLength(of id: Int32, in vocabulary: Vocabulary) -> Int? {
    symbols!.byteLength(id)
  }
}
