/// The pairs of symbols that become one symbol, each with its rank: a hash table with open addressing.
struct MergeTable: Sendable {
  /// A rank above all.
  static let none = UInt64.max

  private var keys: [UInt64]
  /// The rank in the upper half, the number of the merged symbol in the lower.
  private var values: [UInt64]
  private(set) var count = 0

  init(capacity: Int) {
    var size = 64
    while size < 2 * capacity { size *= 2 }
    keys = [UInt64](repeating: .max, count: size)
    values = [UInt64](repeating: Self.none, count: size)
  }

  /// Adds a pair, or gives it another rank.
  mutating func insert(_ left: Int32, _ right: Int32, rank: Int, symbol: Int32) {
    if 2 * count >= keys.count { grow() }
    let key = Self.key(left, right)
    let slot = slot(key)
    if keys[slot] != key { count += 1 }
    keys[slot] = key
    values[slot] = UInt64(rank) << 32 | UInt64(UInt32(bitPattern: symbol))
  }

  /// Returns rank and symbol of a pair, `none` if it is not merged. The lesser is merged first.
  @inline(__always)
  func find(_ left: Int32, _ right: Int32) -> UInt64 {
    let key = Self.key(left, right)
    let slot = slot(key)
    return keys[slot] == key ? values[slot] : Self.none
  }

  @inline(__always)
  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  @inline(__always)
  private func slot(_ key: UInt64) -> Int {
    let mask = keys.count - 1
    var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 29) & mask
    while keys[slot] != key, keys[slot] != .max { slot = (slot + 1) & mask }
    return slot
  }

  private mutating func grow() {
    let old = zip(keys, values).filter { $0.0 != .max }
    keys = [UInt64](repeating: .max, count: 2 * keys.count)
    values = [UInt64](repeating: Self.none, count: keys.count)
    for (key, value) in old {
      let slot = slot(key)
      keys[slot] = key
      values[slot] = value
    }
  }
}
