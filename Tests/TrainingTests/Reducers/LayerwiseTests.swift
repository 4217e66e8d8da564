import Collectives
import Configuration
import Formats
import LinearAlgebra
import Recurrence
import TestSupport
import Testing
import Training

extension TrainerTests {
  /// Sums that begin before the backward pass ends. In a world of threads a sum is complete as soon as it
  /// starts, so a gradient that still grows afterwards shows.
  @Suite struct `Sums during the backward pass` {
    static let trials: [String: Trial] = {
      var trials = `Runs over sequences`.trials.mapValues { $0.with("training.steps=5") }
      for (name, trial) in `Runs over trees`.trials {
        trials["tree of \(name)"] = trial.with("training.steps=5")
      }
      for (name, trial) in `The number of ranks`.trials {
        trials["text: \(name)"] = trial.with("training.steps=5")
      }
      for (name, trial) in `Recomputed windows`.trials {
        trials["recomputed \(name)"] = trial.with(
          "training.steps=5", "training.recompute={states: 2, steps: 3}")
      }
      trials["above a summary"] = `Runs over sequences`.trials["numbers at the end"]!.with(
        "model.layers=[{cell: gru, hidden: 6, bidirectional: concat}, {cell: dense, hidden: 5}]",
        "training.steps=5")
      return trials
    }()

    @Test(arguments: World.isLaunched ? [.mpi] : [World.threads(3)], trials.keys.sorted())
    func `have the bits of sums after it`(_ world: World, _ name: String) throws {
      let trial = Self.trials[name]!
      let results = try world.run { world, folder -> [String] in
        let separate = trial.with("communication.node=separate")
        let after = try separate.with("communication.overlap=false").train(
          world, folder, run: "after")
        let during = try separate.with("communication.overlap=true").train(
          world, folder, run: "during")
        var found = after.weights == during.weights ? [] : ["weights"]
        for member in ["loss", "gradient_norm"] {
          let (a, b) = try (Metrics(folder, run: "after"), Metrics(folder, run: "during"))
          if a.values(member) != b.values(member) || a.values(member).isEmpty {
            found.append(member)
          }
        }
        try world.barrier()
        return found
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.several, [false, true])
    func `end with the bytes of a run that was not stopped`(
      _ world: World, _ isNarrow: Bool
    ) throws {
      let trial = Trial.manySymbols.with(
        "training.steps=23", "communication.overlap=true", "communication.node=separate",
        "communication.wire=\(isNarrow ? "bfloat16" : "float32")")
      for found in try trial.differencesWhenStopped(at: [5, 20], in: world) {
        #expect(found.isEmpty)
      }
    }

    @Test(arguments: World.several)
    func `in bfloat16 leave all ranks with the same weights, near those of single precision`(
      _ world: World
    ) throws {
      let trial = Trial.manySymbols.with("training.steps=23", "communication.node=separate")
      let results = try world.run { world, folder -> (same: Bool, far: Double) in
        let whole = try trial.train(world, folder, run: "float32")
        let narrow = try trial.with("communication.wire=bfloat16").train(
          world, folder, run: "bfloat16")
        let bytes = narrow.weights.withUnsafeBytes { Array($0) }
        return (
          try world.agree(on: bytes) == .unanimous, divergence(whole.weights, narrow.weights)
        )
      }
      for (same, far) in results {
        #expect(same)
        #expect(far > 0 && far < 0.02)
      }
    }

    @Test(arguments: World.several)
    func `are told in the metrics with the bytes that were sent and the slowest rank`(
      _ world: World
    ) throws {
      let trial = Trial(
        "training.steps=3", "communication.overlap=true", "communication.node=separate")
      let results = try world.run { world, folder -> [String] in
        try trial.train(world, folder)
        let metrics = try Metrics(folder)
        try world.barrier()
        var found: [String] = []
        let bytes = metrics.values("bytes_sent")
        if bytes.count != 3 || bytes.contains(where: { $0 <= 0 }) { found.append("\(bytes)") }
        let slowest = metrics.values("slowest_rank")
        if slowest.contains(where: { !(0..<Double(world.size)).contains($0) }) {
          found.append("\(slowest)")
        }
        if metrics.having("slowest_host").compactMap({ $0["slowest_host"] })
          != Array(repeating: .string(world.hostName), count: 3)
        {
          found.append("no host in \(metrics.lines)")
        }
        if metrics.values("imbalance").contains(where: { $0 < 0 }) { found.append("imbalance") }
        let hidden = metrics.values("hidden_share")
        if hidden.count != 3 || hidden.contains(where: { !(0...1).contains($0) }) {
          found.append("\(hidden)")
        }
        return found
      }
      for found in results { #expect(found.isEmpty) }
    }
  }
}
