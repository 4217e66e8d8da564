/// The pieces of a `.model` of SentencePiece, unigram or BPE (Kudo and Richardson, 2018). Its symbols are
/// spelt as in the model, a blank as ▁.
public struct SentencePieceTokenizer: Tokenizer {
  private let model_: SentencePieceModel?

  public init() { model_ = nil }

  private init(_ model: SentencePieceModel) { model_ = model }

  public var name: String { "sentencepiece" }
  public var unit: LossUnit { .perplexity }
  public var cuts: TextCuts {
    guard let file = model_?.file, file.isolatesLines, !file.addsBlank else { return .documents }
    return .lines
  }
  public var model: [UInt8]? { model_?.contents }
  public var fixedVocabulary: Vocabulary? {
    model_.map { Vocabulary(self, table: $0.table, special: $0.file.special) }
  }

  public func vocabulary(
    from contents: Span<UInt8>, of path: String
  ) throws(DataError) -> Vocabulary? {
    guard SentencePieceFile.isLike(contents, of: path) else { return nil }
    let bytes = contents.indices.map { contents[$0] }
    return SentencePieceTokenizer(try SentencePieceModel(bytes, of: path)).fixedVocabulary
  }

  public func with(model: [UInt8]) throws(DataError) -> any Tokenizer {
    SentencePieceTokenizer(try SentencePieceModel(model, of: "the model of SentencePiece in it"))
  }

  public func encode(
    _ text: Span<UInt8>, with vocabulary: Vocabulary, endingLastLine: Bool,
    to emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    try model_!.encode(text, to: emit)
  }

  public func decode(_ ids: some Sequence<Int32>, with vocabulary: Vocabulary) -> [UInt8] {
    model_!.decode(ids)
  }

  public func byteLength(of id: Int32, in vocabulary: Vocabulary) -> Int? {
    model_!.byteLength(id)
  }
}
