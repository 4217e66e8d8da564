import Collectives
import Configuration
import LinearAlgebra
import Recurrence
import TestSupport
import Testing
import Training

extension TrainerTests {
  @Suite struct `A sum of signs` {
    private typealias Given = CompressedGradients

    @Test(arguments: World.several)
    func `is exact for rows of two values`(_ world: World) throws {
      let results = try world.run { world -> [Double] in
        let sums = Given(world, .oneBit())
        return try (0..<4).map { step in
          try sums.take(step: step) { entry, i, j in
            let isNegative = Given.noise(entry, i, j, rank: world.rank, step: step) < 0
            return isNegative ? -Float(i + 1) / 4 : Float(world.rank + step) / 8
          }
          return sums.error()
        }
      }
      for result in results { #expect(result.value.allSatisfy { $0 < 1e-5 }) }
    }

    @Test(arguments: World.several)
    func `keeps of each row's numbers the difference to the mean of their sign`(
      _ world: World
    ) throws {
      let results = try world.run { world -> Double in
        let sums = Given(world, .oneBit())
        func value(_ entry: ParameterLayout.Entry, _ i: Int, _ j: Int) -> Float {
          Given.noise(entry, i, j, rank: world.rank, step: 0)
        }
        try sums.take(step: 0, value)
        let residual = sums.reducer.rankTensors[0].vector
        var worst = 0.0
        for entry in Given.matrices {
          for i in 0..<entry.rows {
            let numbers = (0..<entry.columns).map { Double(value(entry, i, $0)) }
            for (j, number) in numbers.enumerated() {
              let others = numbers.filter { ($0 < 0) == (number < 0) }
              let mean = others.reduce(0, +) / Double(others.count)
              worst = max(worst, abs(number - mean - Double(residual[entry][i, j])))
            }
          }
        }
        return worst
      }
      for result in results { #expect(result.value < 1e-6) }
    }

    @Test(arguments: World.several)
    func `sends a bit for each number and two means for each row`(_ world: World) throws {
      let results = try world.run { world -> [Int] in
        let sums = Given(world, .oneBit(start: 1))
        return try (0..<2).map { step in
          try sums.take(step: step) { Given.noise($0, $1, $2, rank: world.rank, step: step) }
          return sums.reducer.traffic.bytes
        }
      }
      for result in results {
        // 83 bits take three words of 32, and 32 bits one.
        let compressed = (result.size - 1) * (24 * (12 + 8) + 71 * (4 + 8))
        let whole = 4 * 2 * (24 * 83 + 71 * 32) * (result.size - 1) / result.size
        let saved = result.value[0] - result.value[1]
        #expect(abs(saved - (whole - compressed)) < 32)
      }
    }
  }
}
