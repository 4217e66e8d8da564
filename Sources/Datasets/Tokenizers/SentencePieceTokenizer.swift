/// The pieces of a `.model` of SentencePiece, unigram or BPE (Kudo and Richardson, 2018). Its symbols are
/// spelt as in the model, a blank as ▁.
public struct SentencePieceTokenizer: FileTokenizer {
  let symbols: SentencePieceModel?

  init(_ symbols: SentencePieceModel?) { self.symbols = symbols }

  public var name: String { "sentencepiece" }
  public var cuts: TextCuts {
    guard let symbols, symbols.isolatesLines, !symbols.file.addsBlank else { return .documents }
    return .lines
  }

  static func isLike(_ contents: Span<UInt8>, of path: String) -> Bool {
    SentencePieceFile.isLike(contents, of: path)
  }

  static func read(
    _ contents: Span<UInt8>, of path: String
  ) throws(DataError) -> SentencePieceModel {
    try SentencePieceModel(contents.indices.map { contents[$0] }, of: path)
  }
}
