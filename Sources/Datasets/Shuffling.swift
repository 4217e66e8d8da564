internal import LinearAlgebra

extension Philox {
  /// Shuffles a part of a list, or all of it, as a function of the key, the epoch and the part alone
  /// (Fisher & Yates 1938).
  func shuffle<Element>(_ list: inout [Element], _ part: Range<Int>? = nil, epoch: Int) {
    let part = part ?? list.indices
    for i in part.dropFirst().reversed() {
      let words = words(
        SIMD4(UInt32(truncatingIfNeeded: i), UInt32(truncatingIfNeeded: epoch), 0, 0))
      let number = UInt64(words[0]) << 32 | UInt64(words[1])
      let count = UInt64(i - part.lowerBound + 1)
      list.swapAt(i, part.lowerBound + Int(number.multipliedFullWidth(by: count).high))
    }
  }
}
