import Collectives
import Configuration
import LinearAlgebra
import Recurrence
import TestSupport
import Testing
import Training

extension TrainerTests {
  @Suite struct `A sum of low rank` {
    private typealias Given = CompressedGradients

    /// Returns a number of this rank's matrix. The sum of these matrices over ranks has rank two.
    private static func lowRank(
      _ entry: ParameterLayout.Entry, _ i: Int, _ j: Int, rank: Int, step: Int
    ) -> Float {
      let random = Philox(seed: 5, name: entry.name)
      func number(_ place: Int) -> Float { Float(random.uniform(UInt64(place)) - 0.5) }
      return number(1000 * (rank + 7 * step) + i) * number(100_000 + 1000 * (rank % 2) + j)
    }

    @Test(arguments: World.several, [2, 3, 5])
    func `is exact for gradients of that rank`(_ world: World, _ rank: Int) throws {
      let results = try world.run { world -> Double in
        let sums = Given(world, .powerSGD(rank: rank))
        var worst = 0.0
        for step in 0..<5 {
          try sums.take(step: step) {
            Self.lowRank($0, $1, $2, rank: world.rank, step: step)
          }
          worst = max(worst, sums.error())
        }
        return worst
      }
      for result in results { #expect(result.value < 1e-5) }
    }

    @Test(arguments: World.several)
    func `is not exact for gradients of higher rank, and is better with more`(
      _ world: World
    ) throws {
      let results = try world.run { world -> [Double] in
        try [1, 4, 7].map { rank in
          let sums = Given(world, .powerSGD(rank: rank))
          for step in 0..<4 {
            try sums.take(step: step) { Given.noise($0, $1, $2, rank: world.rank, step: 0) }
          }
          return try sums.kept().reduce(0) { $0 + $1 * $1 }
        }
      }
      for result in results {
        #expect(result.value[0] > 1.1 * result.value[1])
        #expect(result.value[1] > 1.1 * result.value[2] && result.value[2] > 1)
      }
    }

    @Test(arguments: World.several)
    func `of nothing is nothing, and does not forget how to sum`(_ world: World) throws {
      let results = try world.run { world -> [Double] in
        let sums = Given(world, .powerSGD(rank: 3))
        var errors: [Double] = []
        for step in 0..<6 {
          try sums.take(step: step) {
            step < 3 ? 0 : Self.lowRank($0, $1, $2, rank: world.rank, step: step)
          }
          errors.append(sums.error())
        }
        return errors
      }
      for result in results {
        #expect(result.value[..<3].allSatisfy { $0 == 0 })
        #expect(result.value.allSatisfy { $0 < 1e-5 })
      }
    }

    @Test(arguments: World.several)
    func `sends factors instead of matrices`(_ world: World) throws {
      let results = try world.run { world -> [Int] in
        let sums = Given(world, .powerSGD(rank: 1, start: 1))
        return try (0..<2).map { step in
          try sums.take(step: step) { Given.noise($0, $1, $2, rank: world.rank, step: step) }
          return sums.reducer.traffic.bytes
        }
      }
      let matrices = Given.matrices.reduce(0) { $0 + $1.count }
      let factors = Given.matrices.reduce(0) { $0 + $1.rows + $1.columns }
      for result in results {
        let saved = 4 * 2 * (matrices - factors) * (result.size - 1) / result.size
        #expect(abs(result.value[0] - result.value[1] - saved) < 32)
      }
    }
  }
}
