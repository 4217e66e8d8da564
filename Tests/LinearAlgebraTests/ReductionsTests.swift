import Glibc
import LinearAlgebra
import Testing

private let counts = [0, 1, 2, 15, 16, 17, 31, 32, 33, 100, 1003]

@Suite struct `Reductions` {
  @Test(arguments: counts)
  func `the sum agrees with one in double precision`(_ count: Int) {
    let x = normalNumbers(count, key: 21)
    let exact = x.reduce(0.0) { $0 + Double($1) }
    #expect((Double(withRow(x) { $0.sum }) - exact).magnitude <= tolerance(x.map(\.magnitude)))
  }

  @Test(arguments: counts)
  func `the dot product agrees with one in double precision`(_ count: Int) {
    let x = normalNumbers(count, key: 22)
    let y = normalNumbers(count, key: 23)
    let exact = zip(x, y).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    let result = withRow(x) { a in withRow(y, offset: 3) { b in a.dot(b) } }
    let sizes = zip(x, y).map { ($0 * $1).magnitude }
    #expect((Double(result) - exact).magnitude <= tolerance(sizes))
  }

  @Test(arguments: counts)
  func `the squared norm is taken in double precision`(_ count: Int) {
    let x = normalNumbers(count, key: 24).map { 1e15 * $0 }
    let exact = x.reduce(0.0) { $0 + Double($1) * Double($1) }
    let result = withRow(x) { squaredNorm(UnsafeBufferPointer($0.elements)) }
    #expect((result - exact).magnitude <= 1e-13 * exact)
  }

  @Test func `squares that a Float cannot hold do not overflow the norm`() {
    let x = [Real](repeating: 1e30, count: 37)
    let result = withRow(x) { squaredNorm(UnsafeBufferPointer($0.elements)) }
    #expect((result / 37e60 - 1).magnitude < 1e-6)
  }

  @Test(arguments: [1, 16, 35, 50, 64, 150])
  func `the largest element is found at any place`(_ count: Int) {
    for place in 0..<count {
      var x = normalNumbers(count, key: 25).map { -100 - $0.magnitude }
      x[place] = -5
      #expect(withRow(x) { $0.maximum } == -5)
    }
  }

  @Test(arguments: [0, 1, 15, 16, 63, 64, 67, 200])
  func `a row is added before its largest element is found`(_ count: Int) {
    let (x, y) = (normalNumbers(count, key: 8), normalNumbers(count, key: 9))
    withRow(x, offset: 1) { row in
      let largest = withRow(y, offset: 3) { row.maximum(adding: $0) }
      let sums = zip(x, y).map { $0 + $1 }
      #expect(Array(row.elements) == sums)
      #expect(largest == (sums.max() ?? -.infinity))
    }
  }

  @Test func `the largest of nothing is −∞, and infinities are numbers like others`() {
    #expect(withRow([]) { $0.maximum } == -.infinity)
    #expect(withRow([Real](repeating: -.infinity, count: 19)) { $0.maximum } == -.infinity)
    for place in [0, 15, 16, 18] {
      var x = [Real](repeating: -.infinity, count: 19)
      x[place] = .infinity
      #expect(withRow(x) { $0.maximum } == .infinity)
    }
  }

  @Test func `a NaN at any place gives a NaN, whatever stands around it`() {
    for place in 0..<150 {
      for other in [Real(3), -3, .infinity, -.infinity] {
        var x = [Real](repeating: other, count: 150)
        x[place] = .nan
        let (sum, maximum, logSumExp) = withRow(x) { ($0.sum, $0.maximum, $0.logSumExp) }
        #expect(sum.isNaN && maximum.isNaN && logSumExp.isNaN, "at \(place) among \(other)")
      }
    }
  }

  @Test(arguments: counts)
  func `the logarithm of the sum of powers agrees with double precision`(_ count: Int) {
    let x = normalNumbers(count, key: 26).map { 10 * $0 }
    let exact = Glibc.log(x.reduce(0.0) { $0 + Glibc.exp(Double($1)) })
    let result = Double(withRow(x) { $0.logSumExp })
    #expect(result == exact || (result - exact).magnitude <= 50 * Double(Real.ulpOfOne))
  }

  @Test func `the logarithm of the sum of powers survives large, small and infinite elements`() {
    let limit = 4 * 10_000 * Real.ulpOfOne
    for size in [Real(1e4), -1e4] {
      let result = withRow([Real](repeating: size, count: 20)) { $0.logSumExp }
      #expect((result - (size + Real(Glibc.log(20.0)))).magnitude < limit)
    }
    #expect(withRow([-.infinity, 2, -.infinity]) { $0.logSumExp } == 2)
    #expect(withRow([-.infinity, -.infinity]) { $0.logSumExp } == -.infinity)
    #expect(withRow([.infinity, 2]) { $0.logSumExp } == .infinity)
    #expect(withRow([]) { $0.logSumExp } == -.infinity)
  }

  @Test(arguments: counts)
  func `powers less the largest, and their sum, agree with double precision`(_ count: Int) {
    let x = normalNumbers(count, key: 31).map { 10 * $0 }
    let m = (x.max() ?? 0) - 0.25
    let exact = x.map { Glibc.exp(Double($0 - m)) }
    withRow(x) { row in
      let sum = row.exponentiate(minus: m)
      #expect(sum == row.sum)
      #expect((Double(sum) - exact.reduce(0, +)).magnitude <= tolerance(exact.map { Real($0) }))
      for j in 0..<count {
        #expect((Double(row[j]) - exact[j]).magnitude <= 2 * Double(Real.ulpOfOne) * exact[j])
      }
    }
  }

  @Test func `a NaN among powers makes their sum a NaN`() {
    for place in 0..<40 {
      var x = [Real](repeating: 0.5, count: 40)
      x[place] = .nan
      #expect(withRow(x) { $0.exponentiate(minus: 0.5) }.isNaN)
    }
  }

  @Test(arguments: counts)
  func `the bits do not depend on where the numbers lie`(_ count: Int) {
    let x = normalNumbers(count, key: 27)
    let y = normalNumbers(count, key: 28)
    func results(_ offset: Int) -> [UInt64] {
      withRow(x, offset: offset) { a in
        withRow(y, offset: 16 - offset) { b in
          [
            UInt64(a.sum.bitPattern), UInt64(a.maximum.bitPattern),
            UInt64(a.logSumExp.bitPattern), UInt64(a.dot(b).bitPattern),
            squaredNorm(UnsafeBufferPointer(a.elements)).bitPattern,
          ]
        }
      }
    }
    let expected = results(0)
    for offset in 1...16 { #expect(results(offset) == expected, "offset \(offset)") }
  }

  @Test(arguments: [1, 2, 37, 130])
  func `of equal largest elements only the first is the largest`(_ count: Int) {
    for first in Set([0, count / 3, count - 1]) {
      var numbers = normalNumbers(count, key: 31).map { min($0, 2) }
      for j in first..<count where (j - first) % 3 == 0 { numbers[j] = 7 }
      withRow(numbers, offset: 3) { row in
        #expect(row.indexOfMaximum == first)
        for j in 0..<count { #expect(row.isFirst(j, of: row.maximum) == (j == first)) }
      }
    }
    // Nothing is the largest where one is no number.
    withRow([1, .nan, 3]) { row in
      #expect(!(0..<3).contains { row.isFirst($0, of: row.maximum) })
    }
  }

  @Test func `column sums are added to what is there`() {
    let matrix = FramedMatrix(rows: 13, columns: 19, key: 29)
    let before = FramedMatrix(rows: 1, columns: 19, key: 30)
    let result = FramedMatrix(rows: 1, columns: 19, key: 30)
    result.matrix.addColumnSums(matrix.matrix)
    for j in 0..<19 {
      let column = (0..<13).map { matrix.matrix[$0, j] } + [before.matrix[0, j]]
      let exact = column.reduce(0.0) { $0 + Double($1) }
      let difference = (Double(result.matrix[0, j]) - exact).magnitude
      #expect(difference <= tolerance(column.map(\.magnitude)))
    }
    #expect(matrix.frameIsIntact && before.frameIsIntact && result.frameIsIntact)
  }
}

/// The error that summing numbers of these sizes may have in any order.
private func tolerance(_ sizes: [Real]) -> Double {
  Double(Real(sizes.count + 1) * Real.ulpOfOne * sizes.reduce(0, +))
}
