#if !REAL_IS_DOUBLE
  import Glibc
  import LinearAlgebra
  import Testing

  @Suite struct `Powers that are the same on every processor` {
    /// Bases and exponents as learning rates have them, and far beyond.
    static let powers: [(Double, Double)] = {
      var pairs: [(Double, Double)] = []
      let random = Philox(seed: 3, name: "powers")
      for k in 0..<4_000 {
        let base = random.uniform(UInt64(2 * k)) + 0x1p-25
        let size = [1.0, 30, 1_000, 1e-3][k % 4]
        pairs.append((base, size * random.uniform(UInt64(2 * k + 1))))
        pairs.append((1 - base * 1e-3, 1e5 * random.uniform(UInt64(2 * k + 1))))
        pairs.append((1 / base, -size * random.uniform(UInt64(2 * k + 1))))
      }
      return pairs
    }()

    static func unitsInTheLastPlace(_ x: Double, _ truth: Double) -> Double {
      (x - truth).magnitude / Swift.max(truth.ulp, .leastNonzeroMagnitude)
    }

    @Test func `are those of the C library, to a unit in the last place`() {
      for (x, y) in Self.powers {
        #expect(Self.unitsInTheLastPlace(power(x, y), pow(x, y)) <= 1, "\(x) to the power \(y)")
      }
      for k in -7_400...7_090 {
        let x = Double(k) / 10 + 0.01
        #expect(Self.unitsInTheLastPlace(exponential(x), Glibc.exp(x)) <= 1, "e to the power \(x)")
      }
      for k in 0...5_000 {
        let u = Double(k) / 10_000
        #expect((cosineOfTurns(u) - cos(2 * .pi * u)).magnitude <= 4 * 0x1p-53, "cos of \(u) turns")
      }
    }

    @Test func `are exact where that is no question`() {
      #expect(power(1, 12.5) == 1 && power(0.37, 0) == 1 && power(0.5, 3) == 0.125)
      #expect(power(2, 10) == 1024 && power(0.9, 1) == 0.9 && power(0.25, 0.5) == 0.5)
      #expect(power(0.5, 1074) == 0x1p-1074 && power(0.5, 1080) == 0)
      #expect(exponential(0) == 1 && exponential(-1e6) == 0 && exponential(1e6) == .infinity)
    }

    /// The bits that one processor has found, which are those of all.
    @Test func `have the bits that they have elsewhere`() {
      var hash: UInt64 = 0xcbf2_9ce4_8422_2325
      func add(_ x: Double) { hash = (hash ^ x.bitPattern) &* 0x100_0000_01b3 }
      for (x, y) in Self.powers { add(power(x, y)) }
      for k in 0...5_000 { add(cosineOfTurns(Double(k) / 10_000)) }
      for k in 1...5_000 { add(naturalLogarithm(Double(k) / 700)) }
      #expect(hash == 0xcf35_b5a6_181d_217a)
    }
  }
#endif
