import Collectives
import Configuration
import LinearAlgebra
import Recurrence
import TestSupport
import Testing
import Training

extension TrainerTests {
  @Suite struct `A sum of the largest numbers` {
    private typealias Given = CompressedGradients

    @Test(arguments: World.several)
    func `is the whole sum if all are sent`(_ world: World) throws {
      let results = try world.run { world -> [Double] in
        let sums = Given(world, .topK(share: 1))
        return try (0..<3).map { step in
          try sums.take(step: step) { Given.noise($0, $1, $2, rank: world.rank, step: step) }
          return sums.error()
        }
      }
      for result in results { #expect(result.value.allSatisfy { $0 < 1e-6 }) }
    }

    @Test(arguments: World.several)
    func `sends as many as its share says, which falls during the warm-up`(
      _ world: World
    ) throws {
      let results = try world.run { world -> [String] in
        let sums = Given(world, .topK(share: 0.01, warmup: 2))
        var found: [String] = []
        // A quarter, a twentieth, a hundredth: one factor each time.
        for (step, share) in [0.25, 0.05, 0.01, 0.01].enumerated() {
          try sums.take(step: step) { Given.noise($0, $1, $2, rank: world.rank, step: step) }
          var bytes = 0
          let residual = sums.reducer.rankTensors[0].vector
          for entry in CompressedGradients.layout.entries where entry.rows > 1 {
            guard !entry.isRowSparse else { continue }
            let expected = Int((share * Double(entry.count) - 1e-9).rounded(.up))
            bytes += 4 + 8 * expected
            let sent = residual.elements(of: entry).count { $0 == 0 }
            if sent != expected { found.append("\(step) \(entry.name): \(sent) of \(expected)") }
          }
          // What is sent besides is the same in every step.
          if step > 0, sums.reducer.traffic.bytes < bytes { found.append("\(step): bytes") }
        }
        return found
      }
      for result in results { #expect(result.value.isEmpty) }
    }

    @Test(arguments: World.several)
    func `sends none that is smaller than one it keeps`(_ world: World) throws {
      let results = try world.run { world -> [Bool] in
        let sums = Given(world, .topK(share: 0.03))
        var own = [Float](repeating: 0, count: Given.layout.count)
        return try (0..<4).map { step in
          // Few different numbers, so that many are equal.
          func value(_ entry: ParameterLayout.Entry, _ i: Int, _ j: Int) -> Float {
            (40 * Given.noise(entry, i, j, rank: world.rank, step: step)).rounded() / 8
          }
          for entry in Given.matrices {
            for i in 0..<entry.rows {
              for j in 0..<entry.columns {
                own[entry.offset + i * entry.columns + j] += value(entry, i, j)
              }
            }
          }
          try sums.take(step: step, value)
          let residual = sums.reducer.rankTensors[0].vector.buffer.elements()
          return Given.matrices.allSatisfy { entry in
            let sent = entry.range.filter { residual[$0] != own[$0] }
            let kept = entry.range.filter { residual[$0] == own[$0] }
            let least = sent.map { abs(own[$0]) }.min()!
            let areCleared = sent.allSatisfy { residual[$0] == 0 }
            for place in sent { own[place] = 0 }
            return areCleared && sent.count == Int((0.03 * Double(entry.count)).rounded(.up))
              && kept.allSatisfy { abs(own[$0]) <= least }
          }
        }
      }
      for result in results { #expect(result.value.allSatisfy { $0 }) }
    }

    @Test(arguments: World.several)
    func `gives a number that waits the momentum that it would have had`(_ world: World) throws {
      let results = try world.run { world -> [Double] in
        // Of each matrix only the largest number is sent.
        let sums = Given(world, .topK(share: 1e-9, momentum: 0.5))
        for step in 0..<3 {
          try sums.take(step: step) { entry, i, j in i + j == 0 ? 100 : 1 }
        }
        let entry = Given.matrices[0]
        let kept = try sums.kept()
        return [
          // u = 1, 1.5, 1.75
          kept[entry.offset + 1] / Double(world.size), kept[entry.offset],
          Double(sums.gradient[entry][0, 0]) / Double(world.size),
        ]
      }
      // The number that is sent in every step begins anew with u = 0.
      for result in results { #expect(result.value == [4.25, 0, 100]) }
    }
  }
}
