/// The byte-level BPE of a `tokenizer.json` of Hugging Face. Its symbols are spelt as in the file, a blank
/// as Ġ.
///
/// Text is encoded as `Tokenizer.encode(text, add_special_tokens=False)` does, so that added tokens are
/// found in it, and decoded with special tokens spelt out.
public struct HuggingFaceTokenizer: Tokenizer {
  private let model_: BytePairModel?

  public init() { model_ = nil }

  private init(_ model: BytePairModel) { model_ = model }

  public var name: String { "huggingface" }
  public var unit: LossUnit { .perplexity }
  public var cuts: TextCuts { .documents }
  public var model: [UInt8]? { model_?.contents }
  public var fixedVocabulary: Vocabulary? { model_.map { Vocabulary(self, of: $0) } }

  public func vocabulary(
    from contents: Span<UInt8>, of path: String
  ) throws(DataError) -> Vocabulary? {
    guard HuggingFaceFile.isLike(contents) else { return nil }
    let model = BytePairModel(try HuggingFaceFile.rules(contents, of: path))
    return HuggingFaceTokenizer(model).fixedVocabulary
  }

  public func with(model: [UInt8]) throws(DataError) -> any Tokenizer {
    HuggingFaceTokenizer(
      BytePairModel(try HuggingFaceFile.rules(model.span, of: "the tokenizer.json in it")))
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

/// The byte-level BPE of a file of ranks of tiktoken, as of GPT-2. Its symbols are their bytes.
///
/// Text is encoded as `Encoding.encode_ordinary` does: `<|endoftext|>` in a text is text.
public struct TiktokenTokenizer: Tokenizer {
  private let model_: BytePairModel?

  public init() { model_ = nil }

  private init(_ model: BytePairModel) { model_ = model }

  public var name: String { "tiktoken" }
  public var unit: LossUnit { .perplexity }
  public var cuts: TextCuts { .documents }
  public var model: [UInt8]? { model_?.contents }
  public var fixedVocabulary: Vocabulary? { model_.map { Vocabulary(self, of: $0) } }

  public func vocabulary(
    from contents: Span<UInt8>, of path: String
  ) throws(DataError) -> Vocabulary? {
    guard TiktokenFile.isLike(contents) else { return nil }
    return TiktokenTokenizer(BytePairModel(try TiktokenFile.rules(contents, of: path)))
      .fixedVocabulary
  }

  public func with(model: [UInt8]) throws(DataError) -> any Tokenizer {
    TiktokenTokenizer(
      BytePairModel(try TiktokenFile.rules(model.span, of: "the file of ranks in it")))
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

extension Vocabulary {
  fileprivate init(_ tokenizer: any Tokenizer, of model: BytePairModel) {
    self.init(tokenizer, table: model.table, special: model.special)
  }
}
