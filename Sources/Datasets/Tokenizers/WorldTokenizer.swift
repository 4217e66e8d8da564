/// The vocabulary of RWKV World: the longest symbol that the text has, from left to right. Its symbols are
/// their bytes; number 0 ends a document.
public struct WorldTokenizer: Tokenizer {
  private let model_: WorldModel?

  public init() { model_ = nil }

  private init(_ model: WorldModel) { model_ = model }

  public var name: String { "rwkv" }
  public var unit: LossUnit { .perplexity }
  public var cuts: TextCuts { .documents }
  public var model: [UInt8]? { model_?.contents }
  public var fixedVocabulary: Vocabulary? {
    model_.map {
      Vocabulary(self, table: $0.table, special: SpecialNumbers(endOfDocument: 0))
    }
  }

  public func vocabulary(
    from contents: Span<UInt8>, of path: String
  ) throws(DataError) -> Vocabulary? {
    guard WorldModel.isLike(contents) else { return nil }
    return WorldTokenizer(try WorldModel(contents, of: path)).fixedVocabulary
  }

  public func with(model: [UInt8]) throws(DataError) -> any Tokenizer {
    WorldTokenizer(try WorldModel(model.span, of: "the vocabulary of RWKV in it"))
  }

  public func encode(
    _ text: Span<UInt8>, with vocabulary: Vocabulary, endingLastLine: Bool,
    to emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    try model_!.encode(text, to: emit)
  }

  public func decode(_ ids: some Sequence<Int32>, with vocabulary: Vocabulary) -> [UInt8] {
    ids.flatMap { model_!.text($0) }
  }

  public func byteLength(of id: Int32, in vocabulary: Vocabulary) -> Int? {
    model_!.byteLength(id)
  }
}
