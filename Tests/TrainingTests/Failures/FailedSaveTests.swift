import Checkpointing
import Collectives
import Formats
import Foundation
import TestSupport
import Testing
import Training

extension TrainerTests {
  /// Checkpoints that cannot be written, because a file has the name of their folder.
  @Suite struct `Checkpoints that fail` {
    static let trial = Trial("checkpoint.every=3")

    /// Puts a file where the checkpoint of a step belongs.
    static func block(
      _ step: Int, _ world: any Communicator, _ folder: String, run: String = "run"
    ) throws {
      if world.isRoot {
        let checkpoints = folder + "/" + run + "/checkpoints"
        try FileManager.default.createDirectory(
          atPath: checkpoints, withIntermediateDirectories: true)
        try put([1], at: CheckpointStore(checkpoints).path(ofStep: step))
      }
      try world.barrier()
    }

    static func unblock(_ step: Int, _ world: any Communicator, _ folder: String) throws {
      try world.barrier()
      if world.isRoot {
        try FileManager.default.removeItem(
          atPath: CheckpointStore(folder + "/run/checkpoints").path(ofStep: step))
      }
      try world.barrier()
    }

    @Test(arguments: World.all, [true, false])
    func `do not end training, and the next one is saved`(
      _ world: World, _ isAsynchronous: Bool
    ) throws {
      let trial = Self.trial.with("checkpoint.asynchronous=\(isAsynchronous)")
      let results = try world.run { world, folder -> [String] in
        var found: [String] = []
        try trial.train(world, folder, run: "whole")
        let run = try trial.prepare(world, folder, journal: Journal())
        try Self.block(6, world, folder)
        let outcome = try run.train()
        try world.barrier()
        if outcome != .complete { found.append("\(outcome)") }
        found += try differencesFromWhole(folder)
        for step in [3, 9, 23] {
          found += try Kept(folder, step: step).differences(
            Kept(folder, run: "whole", step: step))
        }
        let lines = try Metrics(folder).having("error")
        if lines.count != 1 || lines[0]["checkpoint_step"]?.double != 6
          || lines[0]["saved"] != .bool(false)
        {
          found.append("\(lines)")
        }
        return found
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.all)
    func `are told loudly, and at the end with their exit code if they are the last`(
      _ world: World
    ) throws {
      let results = try world.run { world, folder -> [String] in
        var found: [String] = []
        try Self.trial.train(world, folder, run: "whole")
        let journal = Journal()
        let outcome: Outcome
        do {
          // The run holds the lock of its folder.
          let run = try Self.trial.prepare(world, folder, journal: journal)
          try Self.block(23, world, folder)
          outcome = try run.train()
        }
        if outcome != .unsaved || ExitStatus.of(outcome) != 74 { found.append("\(outcome)") }
        if world.isRoot {
          let loud = journal.lines.filter { $0.contains("NOT SAVED: the checkpoint of step 23") }
          let last = journal.lines.filter { $0.contains("the newest checkpoint is of step 21") }
          if loud.count != 1 || last.count != 1 { found.append("\(journal.lines)") }
        }
        try Self.unblock(23, world, folder)
        if try Self.trial.train(world, folder).outcome != .complete { found.append("again") }
        return found + (try differencesFromWhole(folder))
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.all)
    func `end the run where that is asked for`(_ world: World) throws {
      let trial = Self.trial.with("checkpoint.on_failure=stop", "checkpoint.asynchronous=false")
      let results = try world.run { world, folder -> [String] in
        let run = try trial.prepare(world, folder)
        try Self.block(6, world, folder)
        guard world.isRoot else { return [] }
        do {
          // The others would wait for the root, which ends the process under a launcher.
          if world.size == 1 {
            _ = try run.train()
            return ["went on"]
          }
        } catch let error as FileError {
          return error.path.contains("step-00000006") ? [] : ["\(error)"]
        }
        return []
      }
      for found in results { #expect(found.isEmpty) }
    }
  }
}
