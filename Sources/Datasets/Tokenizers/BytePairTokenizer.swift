/// The byte-level BPE of a `tokenizer.json` of Hugging Face. Its symbols are spelt as in the file, a blank
/// as Ġ.
///
/// Text is encoded as `Tokenizer.encode(text, add_special_tokens=False)` does, so that added tokens are
/// found in it, and decoded with special tokens spelt out.
public struct HuggingFaceTokenizer: FileTokenizer {
  let symbols: BytePairModel?

  init(_ symbols: BytePairModel?) { self.symbols = symbols }

  public var name: String { "huggingface" }

  static func isLike(_ contents: Span<UInt8>, of path: String) -> Bool {
    HuggingFaceFile.isLike(contents)
  }

  static func read(_ contents: Span<UInt8>, of path: String) throws(DataError) -> BytePairModel {
    BytePairModel(try HuggingFaceFile.rules(contents, of: path))
  }
}

/// The byte-level BPE of a file of ranks of tiktoken, as of GPT-2. Its symbols are their bytes.
///
/// Text is encoded as `Encoding.encode_ordinary` does: `<|endoftext|>` in a text is text.
public struct TiktokenTokenizer: FileTokenizer {
  let symbols: BytePairModel?

  init(_ symbols: BytePairModel?) { self.symbols = symbols }

  public var name: String { "tiktoken" }

  static func isLike(_ contents: Span<UInt8>, of path: String) -> Bool {
    TiktokenFile.isLike(contents)
  }

  static func read(_ contents: Span<UInt8>, of path: String) throws(DataError) -> BytePairModel {
    BytePairModel(try TiktokenFile.rules(contents, of: path))
  }
}
