/// The vocabulary of RWKV World: the longest symbol that the text has, from left to right. Its symbols are
/// their bytes; number 0 ends a document.
public struct WorldTokenizer: FileTokenizer {
  let symbols: WorldModel?

  init(_ symbols: WorldModel?) { self.symbols = symbols }

  public var name: String { "rwkv" }

  static func isLike(_ contents: Span<UInt8>, of path: String) -> Bool {
    WorldModel.isLike(contents)
  }

  static func read(_ contents: Span<UInt8>, of path: String) throws(DataError) -> WorldModel {
    try WorldModel(contents, of: path)
  }
}
