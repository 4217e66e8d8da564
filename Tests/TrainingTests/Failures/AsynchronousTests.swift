import Checkpointing
import Collectives
import Formats
import Foundation
import TestSupport
import Testing
import Training

extension TrainerTests {
  /// Checkpoints that are written while training goes on.
  @Suite struct `Checkpoints in the background` {
    /// Everything that a checkpoint gathers: an average, moments, sharded or shared, and what the exchange of
    /// gradients keeps.
    static let trials: [(name: String, trial: Trial)] = {
      let averaged = Trial("training.average={decay: 0.9}", "checkpoint.every=1")
      return [
        ("averaged", averaged),
        ("separate", averaged.with("communication.node=separate")),
        ("sharded", averaged.with("communication.shard_optimizer=true")),
        ("compressed", averaged.with("communication.compression=powersgd")),
        ("outer", averaged.with("communication.outer={every: 3, rule: nesterov}")),
        ("overlapping windows", averaged.with("training.stride=2")),
      ]
    }()

    /// Saves a snapshot in a folder of its own and returns the bytes of its tensors.
    static func written(
      _ snapshot: Snapshot, _ folder: String, _ name: String
    ) throws -> [String: [UInt8]] {
      let store = CheckpointStore(folder + "/" + name)
      try store.prepare()
      let state = CheckpointState(
        step: 1, epoch: 1, tokens: 1, seed: 1, worldSize: 1, batchSize: 1,
        hashes: .init(configuration: "", model: "", data: "", vocabulary: ""), software: "test")
      let saved = try store.save(state, files: snapshot.files)
      var found: [String: [UInt8]] = [:]
      for name in try FileManager.default.contentsOfDirectory(atPath: saved.path)
      where name.hasSuffix(".safetensors") {
        found[name] = try bytes(at: saved.path + "/" + name)
      }
      return found
    }

    @Test(arguments: World.all + [.hosts(threads: 4, ranksPerHost: 2)], trials.map(\.name))
    func `A snapshot of copies is not changed by the steps after it`(
      _ world: World, _ name: String
    ) throws {
      let trial = Self.trials.first { $0.name == name }!.trial
      let results = try world.run { world, folder -> [String] in
        var found: [String] = []
        let trainer = try trial.prepare(world, folder).trainer
        for _ in 0..<4 { _ = try trainer.step() }
        let copies = try trainer.snapshot(copying: true)
        let now = try trainer.snapshot()
        let expected = try now.map { try Self.written($0, folder, "now") }
        // Nobody changes shared memory before the root has written.
        try world.barrier()
        for _ in 0..<3 { _ = try trainer.step() }
        if let copies, let expected {
          let later = try Self.written(copies, folder, "later")
          if later.keys.sorted() != expected.keys.sorted() { found.append("\(later.keys)") }
          found += expected.keys.filter { later[$0] != expected[$0] }
        }
        // The same without copies is another: the steps do change all.
        if let now, try Self.written(now, folder, "changed") == expected {
          if name != "outer" || world.size == 1 { found.append("nothing has changed") }
        }
        return found
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.isLaunched ? [.mpi] : [World.threads(2)], trials.map(\.name))
    func `have the bytes of those for which training waits`(
      _ world: World, _ name: String
    ) throws {
      let trial = Self.trials.first { $0.name == name }!.trial.with("checkpoint.every=3")
      let steps = Array(stride(from: 3, through: 21, by: 3)) + [23]
      let results = try world.run { world, folder -> [String] in
        var found: [String] = []
        try trial.train(world, folder)
        try trial.with("checkpoint.asynchronous=false").train(world, folder, run: "whole")
        for step in steps {
          found += try Kept(folder, step: step).differences(
            Kept(folder, run: "whole", step: step)
          ).map { "\($0) of step \(step)" }
        }
        let metrics = try (Metrics(folder), Metrics(folder, run: "whole"))
        if metrics.0.withoutTimes != metrics.1.withoutTimes { found.append("metrics") }
        for metrics in [metrics.0, metrics.1] {
          let lines = metrics.having("checkpoint_step")
          if lines.compactMap({ $0["checkpoint_step"]?.double }) != steps.map({ Double($0) }) {
            found.append("\(lines.count) checkpoints")
          }
          for line in lines {
            let step = line["step"]?.double ?? -1
            if line["saved"] != .bool(true) || step < line["checkpoint_step"]?.double ?? 0 {
              found.append("\(line)")
            }
            let bytes = line["bytes"]?.double ?? 0
            if bytes < 1000 { found.append("\(bytes) bytes") }
            for key in ["snapshot", "wait", "write"]
            where line["checkpoint_\(key)_seconds"]?.double ?? -1 < 0 { found.append(key) }
          }
        }
        return found
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.all)
    func `are also made at every multiple of keep_every`(_ world: World) throws {
      let trial = Trial("checkpoint={every: 1000, keep: 2, keep_every: 5}")
      let results = try world.run { world, folder -> [Int] in
        try trial.train(world, folder)
        return try CheckpointStore(folder + "/run/checkpoints").list().map(\.step)
      }
      for steps in results { #expect(steps == [5, 10, 15, 20, 23]) }
    }

    @Test(arguments: World.few)
    func `of a stopped run are on the disk when it ends`(_ world: World) throws {
      let trial = Trial("checkpoint.every=3")
      let results = try world.run { world, folder -> [String] in
        var found: [String] = []
        try trial.train(world, folder, run: "whole")
        for stop in [7, 9, 16] {
          if try trial.train(world, folder, stop: stop).outcome != .interrupted {
            found.append("not stopped at \(stop)")
          }
          let latest = CheckpointStore(folder + "/run/checkpoints").latest
          if latest != stop { found.append("latest \(latest ?? -1), not \(stop)") }
          try world.barrier()
        }
        try trial.train(world, folder)
        return found + (try differencesFromWhole(folder))
      }
      for found in results { #expect(found.isEmpty) }
    }
  }
}
