import Checkpointing
import Collectives
import Configuration
import Datasets
import Formats
import Foundation
import TestSupport
import Testing
import Training

extension TrainerTests {
  /// Requests to stop that come while a text is scored.
  @Suite struct `Stopping` {
    static let trial = Trial(
      "data.valid=FOLDER/valid.txt",
      // Two streams: on three ranks one has nothing to score, and only waits.
      "evaluation={every: 4, batch_size: 2, bptt: 3}")

    /// Trains until the last rank is asked to stop in the evaluation after a step, or in the test.
    static func stopped(
      _ trial: Trial, _ world: any Communicator, _ folder: String, after step: Int,
      isAsked: Bool = true
    ) throws -> Outcome {
      let run = try trial.prepare(world, folder)
      let trainer = run.trainer
      trainer.stopInterval = .zero
      if world.rank == world.size - 1, isAsked {
        trainer.isAskedToStop = { [unowned trainer] in
          let state = trainer.coordinator.state
          // In the test, the last evaluation is done.
          return state.step == step && (state.evaluatedAt < step || step == 23)
            && (step < 23 || state.evaluatedAt == 23)
        }
      }
      let outcome = try run.train()
      try world.barrier()
      return outcome
    }

    @Test(arguments: World.all)
    func `a run stopped in an evaluation keeps what it learnt, and a resumed one begins with it`(
      _ world: World
    ) throws {
      let trial = Self.trial.testing(on: 90)
      let results = try world.run { world, folder -> [String] in
        var found: [String] = []
        try trial.train(world, folder, run: "whole")
        if try Self.stopped(trial, world, folder, after: 8) != .interrupted { found.append("8") }
        let store = CheckpointStore(folder + "/run/checkpoints")
        if store.latest != 8 { found.append("latest \(store.latest ?? -1)") }
        let metrics = try Metrics(folder)
        if metrics.steps("loss") != Array(1...8) || metrics.steps("valid_loss") != [4] {
          found.append("\(metrics.steps("valid_loss"))")
        }
        try world.barrier()
        // Stopped in the same evaluation once more, nothing changes.
        if try Self.stopped(trial, world, folder, after: 8) != .interrupted {
          found.append("again")
        }
        if store.latest != 8 { found.append("latest again \(store.latest ?? -1)") }
        try world.barrier()
        if try trial.train(world, folder).outcome != .complete { found.append("not complete") }
        if store.best != CheckpointStore(folder + "/whole/checkpoints").best {
          found.append("best")
        }
        return found + (try differencesFromWhole(folder))
      }
      for found in results { #expect(found.isEmpty) }
    }

    /// Stops a run after a step, before its test, and compares it with an undisturbed one.
    private func expectTestAfterResuming(
      _ trial: Trial, _ world: World, stoppedAfter step: Int
    ) throws {
      let results = try world.run { world, folder -> [String] in
        var found: [String] = []
        let whole = try trial.train(world, folder, run: "whole")
        if whole.outcome != .complete { found.append("\(whole.outcome)") }
        if try Self.stopped(trial, world, folder, after: step) != .interrupted {
          found.append("\(step)")
        }
        if !(try Metrics(folder).steps("test_loss").isEmpty) { found.append("tested") }
        try world.barrier()
        if try trial.train(world, folder) != whole { found.append("not complete") }
        return found + (try differencesFromWhole(folder))
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.all)
    func `a run stopped in the evaluation after its last step is not complete before that is done`(
      _ world: World
    ) throws {
      let trial = Self.trial.with("training.steps=8", "training.early_stop={patience: 3}")
      try expectTestAfterResuming(trial.testing(on: 90), world, stoppedAfter: 8)
    }

    @Test(arguments: World.all)
    func `a run stopped in its test is resumed to the test alone`(_ world: World) throws {
      try expectTestAfterResuming(Self.trial.testing(on: 150), world, stoppedAfter: 23)
    }

    @Test(arguments: World.all)
    func `meetings of the ranks in an evaluation change no number`(_ world: World) throws {
      let trial = Self.trial.testing(on: 90)
      let results = try world.run { world, folder -> Bool in
        try trial.train(world, folder, run: "whole")
        let outcome = try Self.stopped(trial, world, folder, after: 0, isAsked: false)
        return try outcome == .complete
          && Metrics(folder).withoutTimes == Metrics(folder, run: "whole").withoutTimes
      }
      for same in results { #expect(same) }
    }
  }
}
