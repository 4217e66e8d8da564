import Checkpointing
import Collectives
import Configuration
import Formats
import Foundation
import TestSupport
import Testing
import Training

extension TrainerTests {
  /// Runs that go back to an earlier checkpoint. Tests/EndToEndTests/rollback.sh kills them on the way.
  @Suite struct `Going back` {
    static let trial = Trial(
      "data.valid=FOLDER/valid.txt", "evaluation={every: 4, batch_size: 2, bptt: 9}",
      "checkpoint.every=5")

    @Test(arguments: World.all)
    func `a run that ended right after it went back is resumed from there, not from the old course`(
      _ world: World
    ) throws {
      let results = try world.run { world, folder -> [String] in
        var found: [String] = []
        try Self.trial.train(world, folder, run: "whole")
        try Self.trial.train(world, folder)
        let store = CheckpointStore(folder + "/run/checkpoints")
        let back = store.path(ofStep: 10)
        do { _ = try Self.trial.prepare(world, folder, resume: .path(back)) }
        try world.barrier()
        if store.latest != 10 { found.append("latest \(store.latest ?? -1)") }
        if let best = store.best, best > 10 { found.append("best \(best)") }
        if try Metrics(folder).steps("loss") != Array(1...10) { found.append("metrics after 10") }
        try world.barrier()
        try Self.trial.train(world, folder)
        return found + (try differencesFromWhole(folder))
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.all)
    func `a run that starts from another folder's checkpoint has it in its own before all else`(
      _ world: World
    ) throws {
      let results = try world.run { world, folder -> [String] in
        var found: [String] = []
        try Self.trial.train(world, folder, run: "whole")
        // A course of its own, which the other one takes the place of.
        try Self.trial.train(world, folder, stop: 20)
        let store = CheckpointStore(folder + "/run/checkpoints")
        for name in ["run", "fresh"] {
          let other = CheckpointStore(folder + "/whole/checkpoints").path(ofStep: 15)
          do { _ = try Self.trial.prepare(world, folder, run: name, resume: .path(other)) }
          try world.barrier()
          let own = CheckpointStore(folder + "/\(name)/checkpoints")
          if own.latest != 15 { found.append("\(name): latest \(own.latest ?? -1)") }
          if own.best != nil { found.append("\(name): best") }
          try Self.trial.train(world, folder, run: name)
          let differences = try Kept(folder, run: name).differences(Kept(folder, run: "whole"))
          found += differences.filter { $0 != "schedule" }
        }
        if try Metrics(folder).steps("loss") != Array(1...23) { found.append("metrics") }
        return found + (store.latest == 23 ? [] : ["latest"])
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.all)
    func `a damaged best checkpoint is told, and the last weights are tested`(
      _ world: World
    ) throws {
      let trial = Self.trial.testing(on: 90)
      let results = try world.run { world, folder -> [String] in
        var found: [String] = []
        try trial.train(world, folder)
        let store = CheckpointStore(folder + "/run/checkpoints")
        // As if the best had been another than the last.
        if world.isRoot {
          let best = store.path(ofStep: 5)
          try put(Array("step-00000005\n".utf8), at: store.directory + "/best")
          var broken = try bytes(at: best + "/model.safetensors")
          broken[broken.count - 2] ^= 4
          try put(broken, at: best + "/model.safetensors")
        }
        try world.barrier()
        let journal = Journal()
        let run = try trial.prepare(world, folder, journal: journal)
        if world.isRoot { try put(Array("step-00000005\n".utf8), at: store.directory + "/best") }
        try world.barrier()
        if try run.train() != .complete { found.append("outcome") }
        try world.barrier()
        let warnings = journal.lines.filter { $0.hasPrefix("warning") }
        if warnings.count != (world.isRoot ? 1 : 0) { found.append("\(warnings)") }
        if !warnings.allSatisfy({ $0.contains("uses the last weights") }) { found.append("words") }
        if try Metrics(folder).steps("test_loss") != [23] { found.append("test") }
        return found
      }
      for found in results { #expect(found.isEmpty) }
    }
  }
}
