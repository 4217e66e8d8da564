import Glibc
import LinearAlgebra
import Testing

#if REAL_IS_DOUBLE && arch(x86_64)
  private typealias Exact = Float80
#else
  private typealias Exact = Double
#endif

@Suite struct `exp, tanh and sigmoid` {
  @Test func `exp is within 2 units in the last place of the exact value`() {
    expectAccurate({ LinearAlgebra.exp($0) }, { Glibc.exp($0) })
  }

  @Test func `tanh is within 2 units in the last place of the exact value`() {
    expectAccurate({ LinearAlgebra.tanh($0) }, { Glibc.tanh($0) })
  }

  @Test
  func `sigmoid is within 2 units in the last place of the exact value, or 0 for no normal number`()
  {
    expectAccurate({ sigmoid($0) }, { 1 / (1 + Glibc.exp(-$0)) }, flushes: true)
  }

  @Test func `the limits at infinity are exact and NaN comes out as NaN`() {
    #expect(LinearAlgebra.exp(Real.infinity) == .infinity)
    #expect(LinearAlgebra.exp(-Real.infinity) == 0)
    #expect(LinearAlgebra.tanh(Real.infinity) == 1)
    #expect(LinearAlgebra.tanh(-Real.infinity) == -1)
    #expect(sigmoid(Real.infinity) == 1)
    #expect(sigmoid(-Real.infinity) == 0)
    for nan in [Real.nan, -Real.nan] {
      #expect(LinearAlgebra.exp(nan).isNaN)
      #expect(LinearAlgebra.tanh(nan).isNaN)
      #expect(sigmoid(nan).isNaN)
    }
  }

  @Test func `zero keeps its sign through tanh, and the other two are exact there`() {
    for zero in [Real(0), -Real(0)] {
      #expect(LinearAlgebra.tanh(zero).sign == zero.sign && LinearAlgebra.tanh(zero) == 0)
      #expect(LinearAlgebra.exp(zero) == 1)
      #expect(sigmoid(zero) == 0.5)
    }
  }

  @Test func `a loop over a row gives the bits of one call at a time, whatever the length`() {
    for count in [1, 3, 15, 16, 17, 67] {
      var x = normalNumbers(count, key: 11).map { 40 * $0 }
      x[count / 2] = .nan
      withRow(x) { source in
        withRow(x) { result in
          respond(source, result)
          for j in 0..<count where j != count / 2 {
            let expected = LinearAlgebra.tanh(sigmoid(LinearAlgebra.exp(x[j])))
            #expect(result[j] == expected)
          }
          #expect(result[count / 2].isNaN)
        }
      }
    }
  }
}

@inline(never) private func respond(_ a: Row, _ h: Row) {
  for j in 0..<h.count { h[j] = LinearAlgebra.tanh(sigmoid(LinearAlgebra.exp(a[j]))) }
}

/// Compares over samples of all bit patterns and everywhere near a number where the method changes.
private func expectAccurate(
  _ function: (Real) -> Real, _ exact: (Exact) -> Exact, flushes: Bool = false,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  var worst: Exact = 0
  var place: Real = 0
  func check(_ x: Real) {
    let (y, truth) = (function(x), exact(Exact(x)))
    if flushes && y == 0 && truth < Exact(Real.leastNormalMagnitude) { return }
    let error = unitsInTheLastPlace(y, truth)
    if error > worst { (worst, place) = (error, x) }
  }
  #if REAL_IS_DOUBLE
    for i in 0..<UInt64(1 << 20) { check(Real(bitPattern: i &* 0x9e37_79b9_7f4a_7c15)) }
  #else
    for bits in Swift.stride(from: UInt64(0), to: 1 << 32, by: 1009) {
      check(Real(bitPattern: UInt32(bits)))
    }
  #endif
  var centres: [Real] = [
    0, .leastNormalMagnitude, .ulpOfOne, 0.346574, 1, 9, 10, 18, 87.33655, 88, 88.7228, 89, 103.97,
    104,
    709.78, 745.1, .greatestFiniteMagnitude,
  ]
  // Where the integer part of x / ln 2 changes, also for tanh, which asks for exp(2x).
  centres += (0..<300).map { (Real($0) + 0.5) * 0.693147180559945 / 2 }
  for centre in centres {
    for offset in -1000...1000 {
      let bits = Int64(centre.bitPattern) + Int64(offset)
      guard bits >= 0 else { continue }
      let x = Real(bitPattern: .init(bits))
      check(x)
      check(-x)
    }
  }
  #expect(worst <= 2, "the largest error is at \(place)", sourceLocation: sourceLocation)
}

/// How far `y` lies from the exact value, in distances between neighbouring numbers there.
private func unitsInTheLastPlace(_ y: Real, _ exact: Exact) -> Exact {
  if exact.isNaN { return y.isNaN ? 0 : .infinity }
  let rounded = Real(exact)
  if rounded.isInfinite { return y == rounded ? 0 : .infinity }
  // `ulp` of a subnormal number or zero is the smallest positive number.
  let error = (Exact(y) - exact).magnitude / Exact(rounded.ulp)
  return error.isNaN ? .infinity : error
}
