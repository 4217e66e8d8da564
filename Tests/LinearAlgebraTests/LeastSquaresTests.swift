import LinearAlgebra
import Testing

@Suite struct `Least squares` {
  private let random = Philox(seed: 5, name: "least squares")

  /// 23 rows of 4 inputs and 2 outputs, one after the other.
  private var rows: [[Double]] {
    (0..<23).map { row in (0..<6).map { 3 * random.normal(UInt64(row * 6 + $0)) } }
  }

  @Test(arguments: [0, 0.5, 40]) func `leave a residue at right angles`(ridge: Double) throws {
    let sums = NormalSums(inputs: 4, outputs: 2)
    sums.add(rows.flatMap { $0 })
    #expect(sums.rows == 23)
    let b = try #require(sums.solve(ridge: ridge))
    // Xᵀ(X B − Y) + λ B = 0
    for i in 0..<4 {
      for k in 0..<2 {
        var slope = ridge * b[i * 2 + k]
        for row in rows {
          let fitted = (0..<4).reduce(0) { $0 + row[$1] * b[$1 * 2 + k] }
          slope += row[i] * (fitted - row[4 + k])
        }
        #expect(abs(slope) < 1e-10, "input \(i), output \(k)")
      }
    }
  }

  @Test func `have sums of the same bits in whatever order and place terms are added`() {
    func sums(_ order: [Int], places: Int) -> [Double] {
      let parts = (0..<places).map { _ in NormalSums(inputs: 4, outputs: 2) }
      for (turn, row) in order.enumerated() { parts[turn % places].add(rows[row]) }
      return parts[0].sums.elements().indices.map { index in
        parts.reduce(0) { $0 + $1.sums.elements()[index] }
      }
    }
    let forward = sums(Array(0..<23), places: 1)
    #expect(forward == sums((0..<23).reversed(), places: 1))
    #expect(forward == sums((0..<23).map { $0 * 7 % 23 }, places: 4))
    // The coarse and the fine sums are together what plain ones are.
    let half = forward.count / 2
    let plain = rows.reduce(0) { $0 + $1[5] * $1[2] }
    #expect(abs(forward[5 * 4 + 2] + forward[half + 5 * 4 + 2] - plain) < 1e-13 * 200)
  }

  @Test func `have no solution where columns depend on each other`() {
    let sums = NormalSums(inputs: 2, outputs: 1)
    sums.add([1, 2, 5, 2, 4, 1, 3, 6, 2])
    #expect(sums.solve(ridge: 0) == nil)
    #expect(sums.solve(ridge: 1e-6) != nil)
  }
}
