public import LinearAlgebra

/// A sum over all ranks of a vector that is known beforehand, which proceeds while its rank computes.
///
/// Every rank makes the same sums in the same order, and starts them in the same order. Terms are added in
/// the order of ranks, so the sum has the bits of `Communicator.sum`. With bfloat16 on the wire, each term is
/// rounded before it is sent, the rounded terms are added in single precision, and the sum is rounded.
public protocol PendingSum: AnyObject {
  /// Starts the sum of the first `count` numbers. They must not be read or changed until it is complete.
  func start(count: Int) throws(CommunicationError)
  /// Returns when the numbers are the sums.
  func wait() throws(CommunicationError)
  /// The bytes that this rank sends to other ranks in the sum that was started last.
  var bytesSent: Int { get }
}

/// The halves of an all-reduce.
public enum SumHalf: Sendable {
  case both
  /// A reduce-scatter: each rank gets the sums of its own part; other numbers become meaningless.
  case scatter
  /// An all-gather: each rank's own part replaces that part on every other rank.
  case gather
}

extension Communicator {
  public func makeSum(
    of values: UnsafeMutableBufferPointer<Real>, wire: Precision, parts: [Range<Int>]?,
    _ half: SumHalf
  ) -> any PendingSum {
    BlockingSum(of: values, wire: wire, parts: parts, half, in: self)
  }

  /// Returns the bytes that a rank sends in a sum of some bytes: a part to each other rank, and the sum of
  /// its own part to each.
  public func bytesSent(summing bytes: Int) -> Int { 2 * bytes * (size - 1) / size }
}

/// A sum that is complete once it has been started, for worlds in which nothing proceeds by itself.
final class BlockingSum: PendingSum {
  private let values: UnsafeMutableBufferPointer<Real>
  private let wire: Precision
  private let parts: [Range<Int>]?
  private let half: SumHalf
  private let world: any Communicator
  private(set) var bytesSent = 0

  init(
    of values: UnsafeMutableBufferPointer<Real>, wire: Precision, parts: [Range<Int>]?,
    _ half: SumHalf,
    in world: any Communicator
  ) {
    (self.values, self.wire, self.world) = (values, wire, world)
    (self.parts, self.half) = (parts, half)
  }

  func start(count: Int) throws(CommunicationError) {
    guard world.size > 1, count > 0 else { return }
    let numbers = UnsafeMutableBufferPointer(rebasing: values[..<count])
    if half == .gather {
      try gather(numbers)
    } else {
      if wire == .bfloat16 { round(numbers) }
      try world.sum(numbers)
      if wire == .bfloat16 { round(numbers) }
    }
    let width = wire == .bfloat16 ? 2 : MemoryLayout<Real>.stride
    bytesSent = world.bytesSent(summing: count * width) / (half == .both ? 1 : 2)
  }

  private func gather(
    _ numbers: UnsafeMutableBufferPointer<Real>
  ) throws(CommunicationError) {
    let ranges = parts ?? equalParts(of: numbers.count, over: world.size)
    let part = UnsafeMutableBufferPointer(rebasing: numbers[ranges[world.rank]])
    let own = Array(UnsafeRawBufferPointer(part))
    for (range, bytes) in zip(ranges, try world.allGather(own)) {
      UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: numbers[range])).copyBytes(
        from: bytes)
    }
  }

  func wait() {}

  private func round(_ numbers: UnsafeMutableBufferPointer<Real>) {
    for i in numbers.indices { numbers[i] = Real(widened(narrowed(Float(numbers[i])))) }
  }
}

/// Returns the part of each rank when so many numbers are shared out equally; the last may be shorter.
func equalParts(of count: Int, over size: Int) -> [Range<Int>] {
  let width = count == 0 ? 0 : (count - 1) / size + 1
  return (0..<size).map { min($0 * width, count)..<min(($0 + 1) * width, count) }
}

/// Returns the upper half of the number rounded to nearest, ties to even; NaN stays NaN.
@inline(__always)
func narrowed(_ number: Float) -> UInt16 {
  let bits = number.bitPattern
  let rounded = bits &+ 0x7fff &+ (bits >> 16 & 1)
  // Rounding would turn some NaNs into infinity.
  let isNaN = bits & 0x7fff_ffff > 0x7f80_0000
  return UInt16(truncatingIfNeeded: (isNaN ? bits | 0x40_0000 : rounded) >> 16)
}

@inline(__always)
func widened(_ half: UInt16) -> Float { Float(bitPattern: UInt32(half) << 16) }
