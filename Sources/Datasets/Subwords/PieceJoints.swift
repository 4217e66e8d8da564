/// The pairs of characters that stand side by side in some piece of a BPE. Merges never join another pair, and
/// those on its two sides do not depend on each other, so that a text can be cut there before it is encoded.
struct PieceJoints {
  /// All characters beyond ASCII share a class.
  private static let classes = 129
  private static let blank = UInt8(ascii: " ")

  private var isJoined: [Bool]

  /// Makes the table of pieces in which ▁ is a blank.
  init(_ pieces: some Sequence<[UInt8]>) {
    isJoined = [Bool](repeating: false, count: Self.classes * Self.classes)
    for piece in pieces {
      var last: Int?
      var rest = piece[...]
      while let byte = rest.first {
        let isBlank = rest.starts(with: SentencePieceFile.blank)
        let next = Self.class(isBlank ? Self.blank : byte)
        if let last { isJoined[last * Self.classes + next] = true }
        last = next
        rest = rest.dropFirst(isBlank ? SentencePieceFile.blank.count : 1)
      }
    }
  }

  @inline(__always)
  private static func `class`(_ byte: UInt8) -> Int { min(Int(byte), classes - 1) }

  /// Returns true if a text can be cut before a byte. A ▁ in the text, which begins with 0xE2 and ends with
  /// 0x81, may be joined like a blank.
  @inline(__always)
  func isCut(_ text: Span<UInt8>, _ i: Int) -> Bool {
    let (last, next) = (text[i - 1], text[i])
    return !isJoined[Self.class(last) * Self.classes + Self.class(next)] && last != 0x81
      && next != 0xE2 && next & 0xC0 != 0x80
  }
}
