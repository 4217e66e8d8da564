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
}
