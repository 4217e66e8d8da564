internal import LinearAlgebra

extension Philox {
  /// Shuffles a list, or a part of it. The result depends only on the key, the epoch and the part
  /// (Fisher & Yates 1938).
  func shuffle<Element>(_ list: inout [Element], _ part: Range<Int>? = nil, epoch: Int) {
    let part = part ?? list.indices
    for i in part.dropFirst().reversed() {
      list.swapAt(i, part.lowerBound + number(below: i - part.lowerBound + 1, at: i, epoch: epoch))
    }
  }

  /// Returns a number in 0..<count, which depends only on the key, the index `place` and the epoch.
  func number(below count: Int, at place: Int, epoch: Int) -> Int {
    let words = words(
      SIMD4(UInt32(truncatingIfNeeded: place), UInt32(truncatingIfNeeded: epoch), 0, 0))
    let number = UInt64(words[0]) << 32 | UInt64(words[1])
    return Int(number.multipliedFullWidth(by: UInt64(count)).high)
  }
}
