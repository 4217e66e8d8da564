/// The printable characters by which GPT-2's files spell the 256 bytes: itself for most of Latin-1, and
/// U+0100, U+0101, … for the others.
enum ByteAlphabet {
  /// The character of every byte.
  static let characters: [UInt32] = {
    var next: UInt32 = 0x100
    return (UInt32(0)..<256).map { byte in
      if (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE {
        return byte
      }
      next += 1
      return next - 1
    }
  }()

  private static let bytes = Dictionary(
    uniqueKeysWithValues: characters.enumerated().map { ($1, UInt8($0)) })

  /// Returns the bytes that a symbol spells; nil if it has another character.
  static func bytes(of symbol: [UInt8]) -> [UInt8]? {
    var found: [UInt8] = []
    found.reserveCapacity(symbol.count)
    let text = symbol.span
    var i = 0
    while i < text.count {
      let (code, length) = scalar(text, i, text.count)
      guard let byte = Self.bytes[code] else { return nil }
      found.append(byte)
      i += length
    }
    return found
  }
}
