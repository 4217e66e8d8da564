internal import CArithmetic

/// Random numbers as a function of a key and a counter. There is no state to save: any number can
/// be computed at any time, in any order, on any rank.
///
/// Philox 4×32 with ten rounds (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as
/// 1, 2, 3", 2011).
public struct Philox: Sendable {
  let key: SIMD2<UInt32>

  public init(key: UInt64) {
    self.key = SIMD2(UInt32(truncatingIfNeeded: key), UInt32(truncatingIfNeeded: key >> 32))
  }

  /// Makes a separate generator for each name under a seed.
  public init(seed: UInt64, name: String) {
    // FNV-1a over the name's bytes, then the finalizer of SplitMix64 over both.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    var z = hash ^ (seed &* 0x9e37_79b9_7f4a_7c15)
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    self.init(key: z ^ (z >> 31))
  }

  /// Returns four random words for one counter.
  @inline(__always)
  public func words(_ counter: SIMD4<UInt32>) -> SIMD4<UInt32> {
    var (a, b, c, d) = (counter[0], counter[1], counter[2], counter[3])
    var (k, l) = (key[0], key[1])
    for _ in 0..<10 {
      let p = UInt64(a) &* 0xD251_1F53
      let q = UInt64(c) &* 0xCD9E_8D57
      let high = UInt32(truncatingIfNeeded: q >> 32) ^ b ^ k
      let low = UInt32(truncatingIfNeeded: p >> 32) ^ d ^ l
      b = UInt32(truncatingIfNeeded: q)
      d = UInt32(truncatingIfNeeded: p)
      a = high
      c = low
      k &+= 0x9E37_79B9
      l &+= 0xBB67_AE85
    }
    return SIMD4(a, b, c, d)
  }

  /// Returns a number in [0, 1) with 24 random bits.
  public static func unit(_ word: UInt32) -> Double { Double(word >> 8) * 0x1p-24 }

  /// Returns the `index`-th uniform number in [0, 1) of this key.
  public func uniform(_ index: UInt64) -> Double {
    Self.unit(words(Self.counter(index >> 2))[Int(index & 3)])
  }

  /// Returns the `index`-th uniform number in [0, 1) of this key with 53 random bits, the precision
  /// of a `Double`, from two words. Symbols are sampled with these numbers, so that rare symbols
  /// have their exact probability.
  public func fineUniform(_ index: UInt64) -> Double {
    let w = words(Self.counter(index >> 1))
    let (high, low) = index & 1 == 0 ? (w[0], w[1]) : (w[2], w[3])
    return Double((UInt64(high) << 32 | UInt64(low)) >> 11) * 0x1p-53
  }

  /// Returns the `index`-th uniform number in [0, 1), with 53 random bits, for a position in a
  /// stream and an epoch.
  public func fineUniform(_ index: Int, stream: Int, position: Int, epoch: Int) -> Double {
    let w = words(
      SIMD4(
        UInt32(truncatingIfNeeded: index >> 1), UInt32(truncatingIfNeeded: stream),
        UInt32(truncatingIfNeeded: position), UInt32(truncatingIfNeeded: epoch)))
    let (high, low) = index & 1 == 0 ? (w[0], w[1]) : (w[2], w[3])
    return Double((UInt64(high) << 32 | UInt64(low)) >> 11) * 0x1p-53
  }

  /// Returns the `index`-th number of a normal distribution with mean 0 and standard deviation 1
  /// (Box & Muller 1958).
  public func normal(_ index: UInt64) -> Double {
    let w = words(Self.counter(index))
    return Self.normal(w[0], w[1])
  }

  @inline(__always)
  static func normal(_ a: UInt32, _ b: UInt32) -> Double {
    squareRoot(-2 * naturalLogarithm(1 - unit(a))) * cosineOfTurns(unit(b))
  }

  static func counter(_ index: UInt64) -> SIMD4<UInt32> {
    SIMD4(UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32), 0, 0)
  }

  /// Adds `source` to `destination`, multiplied by 0 with probability `rate` and by 1/(1 − rate)
  /// otherwise. The mask of element j depends only on the key and (j, stream, position, epoch).
  public func addMasked(
    _ source: Row, to destination: Row, rate: Double, stream: Int, position: Int, epoch: Int
  ) {
    precondition(
      source.count == destination.count,
      "masking a row of \(source.count) into one of \(destination.count)")
    let scale = Real(1 / (1 - rate))
    drawMask(source.count, rate, stream, position, epoch) { part, drawn, threshold in
      addKept(source[part], to: destination[part], drawn, threshold, scale)
    }
  }

  /// Sets elements to 0 with probability `rate` and to 1 otherwise, with the same mask as
  /// `addMasked`.
  public func fillMask(_ row: Row, rate: Double, stream: Int, position: Int, epoch: Int) {
    drawMask(row.count, rate, stream, position, epoch) { part, drawn, threshold in
      fillKept(row[part], drawn, threshold)
    }
  }

  /// Calls `body` with the words that decide the mask, and with the threshold below which an
  /// element is dropped.
  @inline(__always)
  private func drawMask(
    _ count: Int, _ rate: Double, _ stream: Int, _ position: Int, _ epoch: Int,
    _ body: (Range<Int>, UnsafeMutableBufferPointer<UInt32>, UInt32) -> Void
  ) {
    precondition(rate >= 0 && rate < 1, "a dropout rate of \(rate)")
    let threshold = UInt32(min(rate * 0x1p32, Double(UInt32.max)))
    let (s, p, e) = (
      UInt32(truncatingIfNeeded: stream), UInt32(truncatingIfNeeded: position),
      UInt32(truncatingIfNeeded: epoch)
    )
    // A few words at a time on the stack, so that both loops become vector instructions.
    let piece = 128
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: piece) { drawn in
      var j = 0
      while j < count {
        draw(SIMD4(UInt32(truncatingIfNeeded: j >> 2), s, p, e), into: drawn)
        body(j..<min(j + piece, count), drawn, threshold)
        j += piece
      }
    }
  }

  /// Fills memory with the words of a counter and of the counters after it, which differ in their
  /// first element.
  @inline(never)
  func draw(_ first: SIMD4<UInt32>, into drawn: UnsafeMutableBufferPointer<UInt32>) {
    for block in 0..<drawn.count / 4 {
      let w = words(
        SIMD4(first[0] &+ UInt32(truncatingIfNeeded: block), first[1], first[2], first[3]))
      drawn[4 * block] = w[0]
      drawn[4 * block + 1] = w[1]
      drawn[4 * block + 2] = w[2]
      drawn[4 * block + 3] = w[3]
    }
  }
}

/// y += scale · x where the word is not below the threshold.
@inline(never)
private func addKept(
  _ x: Row, to y: Row, _ drawn: UnsafeMutableBufferPointer<UInt32>, _ threshold: UInt32,
  _ scale: Real
) {
  for j in 0..<y.count { y[j] += drawn[j] < threshold ? 0 : scale * x[j] }
}

/// m = 0 where the word is below the threshold, 1 elsewhere.
@inline(never)
private func fillKept(
  _ m: Row, _ drawn: UnsafeMutableBufferPointer<UInt32>, _ threshold: UInt32
) {
  for j in 0..<m.count { m[j] = drawn[j] < threshold ? 0 : 1 }
}
