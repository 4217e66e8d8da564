import Foundation
import LinearAlgebra
import Testing

@Suite struct `Random numbers` {
  @Test func `the words are those of the authors' known-answer file`() {
    #expect(
      Philox(key: 0).words(SIMD4(0, 0, 0, 0))
        == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
    #expect(
      Philox(key: .max).words(SIMD4(repeating: .max))
        == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
    #expect(
      Philox(key: 0x299f_31d0_a409_3822)
        .words(SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344))
        == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
  }

  @Test func `uniform numbers have the moments of their distribution and no memory`() {
    let x = (0..<200_000).map { Philox(seed: 5, name: "uniform").uniform($0) }
    #expect(x.allSatisfy { $0 >= 0 && $0 < 1 })
    #expect((mean(x) - 0.5).magnitude < 4 * (1 / 12.0).squareRoot() / 447)
    #expect((mean(x.map { $0 * $0 }) - 1 / 3.0).magnitude < 4 * 0.2982 / 447)
    for lag in [1, 2, 3, 4, 5] { #expect(correlation(x, lag: lag).magnitude < 4 / 447.0) }
  }

  @Test func `fine uniform numbers have 53 random bits, each of them as often 1 as 0`() {
    let random = Philox(seed: 5, name: "fine")
    let count = 40_000
    let x = (0..<count).map { random.fineUniform(UInt64($0)) }
    #expect(x.allSatisfy { $0 >= 0 && $0 < 1 } && Set(x).count == count)
    for bit in 1...53 {
      let ones = x.count { UInt64($0 * 0x1p53) >> UInt64(53 - bit) & 1 == 1 }
      #expect(abs(ones - count / 2) < 5 * 100, "bit \(bit)")
    }
    // Numbers beside each other know nothing of each other.
    let products = zip(x, x.dropFirst()).map { ($0 - 0.5) * ($1 - 0.5) }
    #expect(abs(products.reduce(0, +)) < 5 * Double(count).squareRoot() / 12)
  }

  @Test func `normal numbers have the moments of their distribution and no memory`() {
    let x = (0..<200_000).map { Philox(seed: 6, name: "normal").normal($0) }
    #expect(mean(x).magnitude < 4 / 447.0)
    #expect((mean(x.map { $0 * $0 }) - 1).magnitude < 4 * 1.4143 / 447)
    #expect(mean(x.map { $0 * $0 * $0 }).magnitude < 4 * 3.873 / 447)
    #expect((mean(x.map { $0 * $0 * $0 * $0 }) - 3).magnitude < 4 * 9.798 / 447)
    let beyondTwo = Double(x.filter { $0.magnitude > 2 }.count) / 200_000
    #expect((beyondTwo - 0.0455).magnitude < 4 * 0.2084 / 447)
    for lag in [1, 2, 3, 4, 5] { #expect(correlation(x, lag: lag).magnitude < 4 / 447.0) }
  }

  @Test(arguments: [1, 3, 130, 517])
  func `a matrix is filled with the numbers that come one by one`(_ columns: Int) {
    let random = Philox(seed: 3, name: "filling")
    for margin in [0, 3] {
      let a = FramedMatrix(rows: 5, columns: columns, margin: margin)
      let b = FramedMatrix(rows: 5, columns: columns, margin: margin)
      random.fillUniform(a.matrix, scale: 0.3)
      random.fillNormal(b.matrix, scale: 0.7)
      for i in 0..<5 {
        for j in 0..<columns {
          let index = UInt64(i * columns + j)
          #expect(a.matrix[i, j] == Real(0.3 * (2 * random.uniform(index) - 1)))
          #expect(b.matrix[i, j] == Real(0.7 * random.normal(index)))
        }
      }
      #expect(a.frameIsIntact && b.frameIsIntact)
    }
  }

  @Test func `the logarithm and the cosine of normal numbers are those of the C library`() {
    var (worstLogarithm, worstCosine) = (0.0, 0.0)
    for k in (0..<1 << 24).filter({ $0 < 5000 || $0 % 97 == 0 || $0 > 1 << 24 - 5000 }) {
      let u = Double(k) * 0x1p-24
      let (expected, found) = (log(1 - u), naturalLogarithm(1 - u))
      worstLogarithm = max(worstLogarithm, abs(found - expected) / max(abs(expected), 0x1p-40))
      worstCosine = max(worstCosine, abs(cosineOfTurns(u) - cos(2 * .pi * u)))
    }
    #expect(worstLogarithm < 5e-16)
    // 2πu itself is rounded where the C library is asked.
    #expect(worstCosine < 1.5e-15)
    for (u, cosine) in [(0.0, 1.0), (0.25, 0), (0.5, -1), (0.75, 0), (0.125, 0.5.squareRoot())] {
      #expect(abs(cosineOfTurns(u) - cosine) < 3e-16)
    }
    for x in [0.5, 2, 3e-300, 7e300, 0.5.squareRoot(), 2.0.squareRoot()] {
      #expect(abs(naturalLogarithm(x) - log(x)) <= 2 * log(x).ulp)
    }
  }

  @Test func `a number depends on seed, name and index alone, also beyond 32 bits`() {
    let random = Philox(seed: 7, name: "weight_ih")
    #expect(random.uniform(12) == Philox(seed: 7, name: "weight_ih").uniform(12))
    #expect(random.uniform(12) != Philox(seed: 8, name: "weight_ih").uniform(12))
    #expect(random.uniform(12) != Philox(seed: 7, name: "weight_hh").uniform(12))
    #expect(random.uniform(12) != random.uniform(12 + 1 << 34))
    #expect(random.normal(12) != random.normal(12 + 1 << 32))
  }
}

@Suite struct `Dropout's masks` {
  let random = Philox(seed: 3, name: "dropout")

  /// Returns a row of ones after a mask.
  func mask(
    _ count: Int, rate: Double, stream: Int = 0, position: Int = 0, epoch: Int = 1
  ) -> [Real] {
    let source = [Real](repeating: 1, count: count)
    return withRow(source) { ones in
      withRow([Real](repeating: 0, count: count)) { result in
        random.addMasked(
          ones, to: result, rate: rate, stream: stream, position: position, epoch: epoch)
        return Array(result.elements)
      }
    }
  }

  @Test(arguments: [0.1, 0.5, 0.8])
  func `elements are dropped at the rate and the rest is scaled`(_ rate: Double) {
    let x = (0..<300).flatMap { mask(333, rate: rate, position: $0) }
    let kept = x.filter { $0 != 0 }
    #expect(kept.allSatisfy { $0 == Real(1 / (1 - rate)) })
    let dropped = 1 - Double(kept.count) / Double(x.count)
    let deviation = (rate * (1 - rate) / Double(x.count)).squareRoot()
    #expect((dropped - rate).magnitude < 4 * deviation)
  }

  @Test func `a rate of zero adds the source as it is`() {
    let x = normalNumbers(37, key: 31)
    let y = normalNumbers(37, key: 32)
    withRow(x) { source in
      withRow(y) { result in
        random.addMasked(source, to: result, rate: 0, stream: 2, position: 3, epoch: 4)
        for j in 0..<37 { #expect(result[j] == y[j] + x[j]) }
      }
    }
  }

  @Test func `what is kept is added, and what is dropped leaves the destination alone`() {
    let x = normalNumbers(37, key: 33)
    let y = normalNumbers(37, key: 34)
    let kept = mask(37, rate: 0.25, stream: 5, position: 6, epoch: 7)
    #expect(kept.contains(0) && kept.contains { $0 != 0 })
    withRow(x) { source in
      withRow(y) { result in
        random.addMasked(source, to: result, rate: 0.25, stream: 5, position: 6, epoch: 7)
        for j in 0..<37 { #expect(result[j] == y[j] + kept[j] * x[j]) }
      }
    }
  }

  @Test func `an element's fate does not depend on the width of its row`() {
    let wide = mask(41, rate: 0.5, stream: 9)
    for count in [1, 3, 4, 7, 40] {
      #expect(mask(count, rate: 0.5, stream: 9) == Array(wide.prefix(count)))
    }
  }

  @Test func `neighbours in the row, the batch, the stream and the next epoch are independent`() {
    let count = 1 << 16
    let here = mask(count, rate: 0.5)
    let others = [
      Array(here.dropFirst()) + [0], Array(here.dropFirst(4)) + [0, 0, 0, 0],
      mask(count, rate: 0.5, stream: 1), mask(count, rate: 0.5, position: 1),
      mask(count, rate: 0.5, epoch: 2),
    ]
    for other in others {
      let both = zip(here, other).filter { $0 != 0 && $1 != 0 }.count
      // A quarter; the deviation of the share is √(3/16) / 256.
      #expect((Double(both) / Double(count) - 0.25).magnitude < 4 * 0.433 / 256)
    }
  }
}

private func mean(_ x: [Double]) -> Double { x.reduce(0, +) / Double(x.count) }

private func correlation(_ x: [Double], lag: Int) -> Double {
  let m = mean(x)
  let variance = mean(x.map { ($0 - m) * ($0 - m) })
  return mean(zip(x, x.dropFirst(lag)).map { ($0 - m) * ($1 - m) }) / variance
}
