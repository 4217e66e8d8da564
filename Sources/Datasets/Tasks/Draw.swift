public import LinearAlgebra

/// A sequence of random numbers for one generated example, as a function of a key, the epoch and
/// the example's index.
public struct Draw: Sendable {
  private let random: Philox
  private let index, epoch: UInt32
  private var counter: UInt32 = 0
  private var words = SIMD4<UInt32>(0, 0, 0, 0)
  private var used = 4

  public init(_ random: Philox, index: Int, epoch: Int) {
    self.random = random
    self.index = UInt32(truncatingIfNeeded: index)
    self.epoch = UInt32(truncatingIfNeeded: epoch)
  }

  mutating func word() -> UInt32 {
    if used == 4 {
      words = random.words(SIMD4(counter, index, epoch, 0))
      counter += 1
      used = 0
    }
    defer { used += 1 }
    return words[used]
  }

  /// Returns a number in [0, 1) with 24 random bits.
  mutating func uniform() -> Double { Philox.unit(word()) }

  mutating func uniform(_ range: Range<Double>) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * uniform()
  }

  mutating func number(below bound: Int) -> Int {
    Int((UInt64(word()) * UInt64(bound)) >> 32)
  }

  mutating func number(in range: ClosedRange<Int>) -> Int {
    range.lowerBound + number(below: range.count)
  }

  mutating func coin() -> Bool { word() & 1 == 1 }

  /// Returns a nearly normal number with mean 0 and standard deviation 1: the sum of twelve uniform
  /// numbers minus 6, exact on every machine.
  mutating func normal() -> Double {
    var sum = -6.0
    for _ in 0..<12 { sum += uniform() }
    return sum
  }
}

extension Draw {
  /// Returns random numbers that belong to a task, not to its examples: the same for every seed.
  static func fixed(_ name: String, _ first: Int, _ second: Int) -> Draw {
    Draw(Philox(seed: 0, name: name), index: first, epoch: second)
  }
}
