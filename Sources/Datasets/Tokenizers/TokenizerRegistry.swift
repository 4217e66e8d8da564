/// The tokenizers that `data.tokenizer` may name, by their names.
public let tokenizers: [String: any Tokenizer] = registry([
  ByteTokenizer(),
  CharacterTokenizer(),
  WordTokenizer(),
  HuggingFaceTokenizer(),
  TiktokenTokenizer(),
  WorldTokenizer(),
  SentencePieceTokenizer(),
])

private func registry(_ all: [any Tokenizer]) -> [String: any Tokenizer] {
  Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
}

extension CodingUserInfoKey {
  /// The tokenizers that a `Vocabulary` may have when it is decoded, by their names, in place of
  /// `tokenizers`.
  public static let tokenizers = CodingUserInfoKey(rawValue: "tokenizers")!
}
