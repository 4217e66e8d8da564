internal import Foundation

/// Random damage of files, the same on every machine.
package struct RandomDamage {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  /// Returns the number of damaged files of a test: that of UNROLL_TEST_MUTATIONS, or else a usual one.
  package static func count(usually usual: Int) -> Int {
    ProcessInfo.processInfo.environment["UNROLL_TEST_MUTATIONS"].flatMap { Int($0) } ?? usual
  }

  package mutating func below(_ limit: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return Int((mixed ^ mixed >> 31) % UInt64(max(limit, 1)))
  }

  /// Returns bytes with one to five damages: bytes changed, removed, added, doubled or cut off, every other
  /// time in the first 96 bytes, where files keep their sizes.
  package mutating func damaged(_ whole: [UInt8]) -> [UInt8] {
    var bytes = whole
    for _ in 0...below(4) where !bytes.isEmpty {
      let i = below(below(2) == 0 ? bytes.count : min(96, bytes.count))
      switch below(9) {
      case 0, 1: bytes[i] = UInt8(below(256))
      case 2: bytes[i] = [0, 1, 0x7F, 0x80, 0xFF][below(5)]
      case 3: bytes[i] ^= UInt8(1 << below(8))
      case 4: bytes.remove(at: i)
      case 5: bytes.insert(UInt8(below(256)), at: i)
      case 6: bytes.insert(contentsOf: bytes[i..<min(i + 40, bytes.count)], at: below(bytes.count))
      case 7: for j in i..<min(i + 8, bytes.count) { bytes[j] = 0xFF }
      default: bytes.removeLast(below(bytes.count) / 4)
      }
    }
    return bytes
  }

  /// Words and numbers that take the place of one of a text.
  private static let words: [String] = [
    "", "-1", "0", "1", "2", "-0", "00", "1e999", "-1e999", "1e-999", "0.5", "NaN", ".nan", ".inf",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551615",
    "4611686018427387904", "2147483648", "4294967296", "1000000000000", "null", "~", "true", "[]",
    "{}", "[[[[]]]]", "\"\"", "\"x\"", "\"\\ud83d\"", "\"\\u0000\"", "&a x", "*a", "!!binary x",
    "!!str", "<<", "? x", "- ", "|", ">", "'", "\"", "#", "\t", "\u{FEFF}", "\r", ": ", ", ",
  ]

  /// Returns a text with one to four damages: words and numbers replaced by others or by each other, removed,
  /// doubled, lines moved, or bytes damaged.
  package mutating func damagedText(_ whole: [UInt8]) -> [UInt8] {
    var bytes = whole
    for _ in 0...below(4) where !bytes.isEmpty {
      let word = word(in: bytes)
      switch below(10) {
      case 0...3: bytes.replaceSubrange(word, with: Self.words[below(Self.words.count)].utf8)
      case 4: bytes.replaceSubrange(word, with: bytes[self.word(in: bytes)])
      case 5: bytes.insert(contentsOf: bytes[word], at: word.lowerBound)
      case 6: bytes.removeSubrange(word)
      case 7:
        let line = line(in: bytes)
        let copy = bytes[line]
        if below(2) == 0 { bytes.removeSubrange(line) }
        bytes.insert(contentsOf: copy, at: below(bytes.count + 1))
      case 8:
        bytes.insert(contentsOf: [UInt8](repeating: 0x5B, count: below(300)), at: word.lowerBound)
      default: bytes = damaged(bytes)
      }
    }
    return bytes
  }

  /// The place of a run of letters, digits and signs, or of one other character.
  private mutating func word(in bytes: [UInt8]) -> Range<Int> {
    guard !bytes.isEmpty else { return 0..<0 }
    func isPart(_ byte: UInt8) -> Bool {
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2B, 0x2D, 0x2E, 0x5F, 0x80...0xFF: true
      default: false
      }
    }
    let place = below(bytes.count)
    guard isPart(bytes[place]) else { return place..<place + 1 }
    var (start, end) = (place, place + 1)
    while start > 0, isPart(bytes[start - 1]) { start -= 1 }
    while end < bytes.count, isPart(bytes[end]) { end += 1 }
    return start..<end
  }

  private mutating func line(in bytes: [UInt8]) -> Range<Int> {
    let place = below(bytes.count)
    let start = bytes[..<place].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    let end = bytes[place...].firstIndex(of: 0x0A).map { $0 + 1 } ?? bytes.count
    return start..<end
  }
}
