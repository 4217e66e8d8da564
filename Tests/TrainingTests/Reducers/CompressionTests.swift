import Collectives
import Configuration
import LinearAlgebra
import Recurrence
import Synchronization
import TestSupport
import Testing
import Training

/// A compression that forgets in a checkpoint what each rank has not sent.
private final class ForgetfulReducer: GradientReducer {
  private let sums: any GradientReducer

  init(_ request: ReducerRequest) { sums = makeGradientReducer(request) }

  func sum(_ gradient: ParameterVector, step: Int) throws(CommunicationError) {
    try sums.sum(gradient, step: step)
  }

  var stateTensors: [(name: String, vector: ParameterVector)] { sums.stateTensors }
}

extension TrainerTests {
  /// Properties of every compression.
  @Suite struct `A compressed sum` {
    private typealias Given = CompressedGradients

    static let compressions: [String: CompressionOptions] = [
      "rank 1": .powerSGD(rank: 1), "rank 2 from step 3": .powerSGD(rank: 2, start: 3),
      "rank 5": .powerSGD(rank: 5), "tenth": .topK(share: 0.1),
      "tenth after a warm-up": .topK(share: 0.1, warmup: 4), "one bit": .oneBit(),
      "one bit from step 3": .oneBit(start: 3),
    ]

    @Test(arguments: World.several, compressions.keys.sorted())
    func `loses nothing, and is the same on every rank`(_ world: World, _ name: String) throws {
      let results = try world.run { world -> (loss: Double, kept: Double, isUnanimous: Bool) in
        let sums = Given(world, Self.compressions[name]!)
        var loss = 0.0
        for step in 0..<8 {
          try sums.take(step: step) { Given.noise($0, $1, $2, rank: world.rank, step: step) }
          loss = max(loss, try sums.loss())
        }
        return (loss, try sums.kept().map { abs($0) }.max()!, sums.isUnanimous)
      }
      for result in results {
        #expect(result.value.loss < 1e-4)
        // Something was left to be sent later, or this test would see nothing.
        #expect(result.value.kept > 0.1)
        #expect(result.value.isUnanimous)
      }
    }

    @Test(arguments: World.several, ["rank 1", "rank 5", "tenth", "one bit"])
    func `of the same gradient again and again comes to the whole of it`(
      _ world: World, _ name: String
    ) throws {
      let results = try world.run { world -> Double in
        let sums = Given(world, Self.compressions[name]!)
        for step in 0..<150 {
          try sums.take(step: step) { Given.noise($0, $1, $2, rank: world.rank, step: 0) }
        }
        // A compression without memory leaves out the same part each time.
        var (missing, all) = (0.0, 0.0)
        for entry in Given.matrices {
          for place in entry.range {
            missing += abs(sums.given[place] - sums.returned[place])
            all += abs(sums.given[place])
          }
        }
        return missing / all
      }
      for result in results { #expect(result.value < 0.2) }
    }

    @Test(arguments: World.several, compressions.keys.sorted())
    func `goes on after a step with a bad number`(_ world: World, _ name: String) throws {
      let results = try world.run { world -> [String] in
        let sums = Given(world, Self.compressions[name]!)
        var found: [String] = []
        for step in 0..<12 {
          let bad: Float? = [4: .nan, 6: .infinity, 8: -.infinity, 9: .nan][step]
          try sums.take(step: step, counts: bad == nil) { entry, i, j in
            if let bad, world.rank == world.size - 1, j == 2,
              entry.name == ["wide", "table", "bias"][step % 3], i % 128 == 0
            {
              return bad
            }
            return Given.noise(entry, i, j, rank: world.rank, step: step)
          }
          let isFinite = sums.gradient.buffer.elements().allSatisfy { $0.isFinite }
          if isFinite != (bad == nil) { found.append("step \(step)") }
        }
        let loss = try sums.loss()
        if !(loss < 1e-4) { found.append("lost \(loss)") }
        return found
      }
      for result in results { #expect(result.value.isEmpty) }
    }

    static let settings = [
      "powersgd: {rank: 2, start: 3}", "top_k: {share: 0.1, momentum: 0.5, warmup: 7}",
      "one_bit: {start: 3}",
    ]

    @Test(arguments: World.all, settings)
    func `goes on after a resume as without a stop`(_ world: World, _ setting: String) throws {
      var trial = Trial("communication.compression={\(setting)}")
      for found in try trial.differencesWhenStopped(at: [2, 3, 5, 20], in: world) {
        #expect(found.isEmpty)
      }
      trial.reducer = { ForgetfulReducer($0) }
      for found in try trial.differencesWhenStopped(at: [9], in: world) {
        // One rank compresses nothing.
        #expect(found.isEmpty == (world.isSingle))
      }
    }

    @Test(.enabled(if: !World.isLaunched), arguments: settings)
    func `shares among other ranks what was kept`(_ setting: String) throws {
      let folder = TemporaryFolder()
      let path = folder.path
      let kept = Mutex<[ParameterVector]>([])
      var trial = Trial("communication.compression={\(setting)}")
      trial.reducer = { request in
        let reducer = makeGradientReducer(request)
        let residual = reducer.rankTensors.first { $0.name == "residual" }!.vector
        kept.withLock { $0.append(residual) }
        return reducer
      }
      let before = trial
      _ = try World.threads(3).run { try before.train($0, path, stop: 9) }
      let expected = total(kept.withLock { $0 })
      #expect(expected.map { abs($0) }.max()! > 1e-3)
      kept.withLock { $0 = [] }
      let parts = try World.threads(2).run { world in
        _ = try before.prepare(world, path)
      }
      #expect(parts.count == 2)
      let vectors = kept.withLock { $0 }
      let found = total(vectors)
      #expect(zip(expected, found).map { abs($0 - $1) }.max()! < 1e-5)
      #expect(Array(vectors[0].buffer.elements()) == Array(vectors[1].buffer.elements()))
    }
  }
}

/// Returns the sum of some vectors.
private func total(_ vectors: [ParameterVector]) -> [Double] {
  vectors.reduce([Double](repeating: 0, count: vectors[0].buffer.count)) { sum, vector in
    zip(sum, vector.buffer.elements()).map { $0 + Double($1) }
  }
}

extension World {
  fileprivate var isSingle: Bool {
    if case .singleProcess = self { true } else { false }
  }
}
