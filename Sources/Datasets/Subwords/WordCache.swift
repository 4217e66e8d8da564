internal import Synchronization

/// The symbols of words that were encoded before: a table of fixed size in which a new word takes the
/// place of an older one. It changes nothing but the time.
struct WordCache {
  /// The longest word, in bytes, and the most symbols of a word.
  static let longestWord = 32
  static let mostSymbols = 12
  private static let places = 1 << 14

  private var keys = [SIMD4<UInt64>](repeating: .zero, count: places)
  /// The bytes of the word times 256, and the number of its symbols; 0 for a free place.
  private var sizes = [UInt16](repeating: 0, count: places)
  private var symbols = [Int32](repeating: 0, count: places * mostSymbols)

  /// A word's bytes, padded with zeros, and its place in the table.
  struct Key {
    let bytes: SIMD4<UInt64>
    let length: Int
    let place: Int

    @inline(__always)
    init(_ text: Span<UInt8>, _ start: Int, _ end: Int) {
      length = end - start
      bytes = Self.load(text, start, length)
      let mixed =
        (bytes[0] &* 0x9E37_79B9_7F4A_7C15) ^ (bytes[1] &* 0xC2B2_AE3D_27D4_EB4F)
        ^ (bytes[2] &* 0x1656_67B1_9E37_79F9) ^ (bytes[3] &* 0x27D4_EB2F_1656_67C5)
      place = Int(truncatingIfNeeded: (mixed ^ mixed >> 29) >> 17) & (WordCache.places - 1)
    }

    @inline(__always)
    private static func load(
      _ text: Span<UInt8>, _ start: Int, _ length: Int
    ) -> SIMD4<UInt64> {
      var words = SIMD4<UInt64>.zero
      let whole = length / 8
      let raw = text.bytes
      for i in 0..<whole {
        words[i] = raw.unsafeLoadUnaligned(fromByteOffset: start + 8 * i, as: UInt64.self)
      }
      let rest = length % 8
      if rest > 0 {
        let offset = start + 8 * whole
        var word: UInt64 = 0
        if offset + 8 <= text.count {
          word = raw.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
          word &= (1 << UInt64(8 * rest)) - 1
        } else {
          for k in 0..<rest { word |= UInt64(text[offset + k]) << UInt64(8 * k) }
        }
        words[whole] = word
      }
      return words
    }
  }

  /// Returns where the symbols of a word are in `symbol(_:)`; nil if the word is not there.
  @inline(__always)
  func find(_ key: Key) -> Range<Int>? {
    let size = Int(sizes[key.place])
    guard size >> 8 == key.length, keys[key.place] == key.bytes else { return nil }
    let start = key.place * Self.mostSymbols
    return start..<start + size & 0xFF
  }

  @inline(__always)
  func symbol(_ i: Int) -> Int32 { symbols[i] }

  mutating func insert(_ key: Key, _ word: ArraySlice<Int32>) {
    guard word.count <= Self.mostSymbols else { return }
    keys[key.place] = key.bytes
    sizes[key.place] = UInt16(key.length << 8 | word.count)
    for (i, symbol) in word.enumerated() { symbols[key.place * Self.mostSymbols + i] = symbol }
  }
}

/// Word caches that threads take, use and put back.
final class WordCaches: Sendable {
  private let free = Mutex<[WordCache]>([])

  func use(
    _ body: (inout WordCache) throws(DataError) -> Void
  ) throws(DataError) {
    var cache = free.withLock { $0.popLast() } ?? WordCache()
    defer {
      let used = cache
      free.withLock { $0.append(used) }
    }
    try body(&cache)
  }
}
