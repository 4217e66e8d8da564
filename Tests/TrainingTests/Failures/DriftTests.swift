import Checkpointing
import Collectives
import Configuration
import Formats
import TestSupport
import Testing
import Training

extension TrainerTests {
  @Suite struct `Ranks that drift apart` {
    /// The vector in which a number of one rank is changed.
    enum Fault: String, CaseIterable { case weight, moment, average }

    static let trial = Trial(
      "data.valid=FOLDER/valid.txt", "evaluation={every: 4, batch_size: 5, bptt: 9}",
      "training.average.decay=0.9", "checkpoint.every=3", "communication.node=separate")

    /// Trains, and changes one number on one rank just before a step.
    static func train(
      _ trial: Trial, _ fault: Fault, of spoilt: Int, before step: Int, _ world: any Communicator,
      _ folder: String
    ) throws -> (message: String, speaks: Bool, code: Int32, latest: Int?) {
      let run = try trial.prepare(world, folder)
      let trainer = run.trainer
      if world.rank == spoilt {
        trainer.isAskedToStop = { [unowned trainer] in
          guard trainer.coordinator.state.step == step - 1 else { return false }
          let vector =
            switch fault {
            case .weight: trainer.weights
            case .moment: trainer.optimizer.moments[0].vector
            case .average: trainer.average!.vector
            }
          let place = trainer.weights.layout.entries[1].offset + 2
          vector.update { $0.buffer.start[place] = ($0.buffer.start[place] + 1).nextUp }
          return false
        }
      }
      func latest() -> Int? { CheckpointStore(folder + "/run/checkpoints").latest }
      do {
        _ = try run.train()
        return ("nothing was noticed", false, 0, latest())
      } catch let error as FailedElsewhere {
        return (error.message, false, 0, latest())
      } catch {
        return ("\(error)", true, ExitStatus.of(error), latest())
      }
    }

    @Test(arguments: World.several, Fault.allCases)
    func `are noticed before anything is saved of them, and the one apart is named`(
      _ world: World, _ fault: Fault
    ) throws {
      let found = try world.run { world, folder in
        (
          world.rank, world.size,
          try Self.train(Self.trial, fault, of: world.size - 1, before: 5, world, folder)
        )
      }
      for (rank, size, ending) in found {
        #expect(ending.message.hasPrefix("Rank \(size - 1) on "), "\(ending.message)")
        // The evaluation after step 4 saved one; that after 5, at step 6, must not.
        #expect(ending.message.contains("after step 6"), "\(ending.message)")
        #expect(ending.speaks == (rank == size - 1))
        #expect(ending.latest == 4)
        if ending.speaks { #expect(ending.code == ExitStatus.drifted) }
      }
    }

    @Test(arguments: World.several)
    func `are noticed every so many steps, also where nothing is saved or evaluated`(
      _ world: World
    ) throws {
      let trial = Trial(
        "communication.check_every=2", "checkpoint.every=1000", "communication.node=separate")
      let found = try world.run { world, folder in
        (
          world.rank, world.size,
          try Self.train(trial, .weight, of: world.size - 1, before: 5, world, folder)
        )
      }
      for (rank, size, ending) in found {
        #expect(ending.message.hasPrefix("Rank \(size - 1) on "), "\(ending.message)")
        #expect(ending.message.contains("after step 6"), "\(ending.message)")
        #expect(ending.latest == nil)
        if rank == size - 1 { #expect(ending.code == ExitStatus.drifted) }
      }
    }

    @Test(arguments: World.all)
    func `are not imagined, and a rank alone has nobody to ask`(_ world: World) throws {
      let outcomes = try world.run { world, folder in
        try Self.trial.train(world, folder).outcome
      }
      #expect(outcomes.allSatisfy { $0 == .complete })
    }

    @Test func `a root apart from all others is the one that is named`() {
      func rank(_ digests: [UInt8]) -> Int? { Trainer.rankApart(digests.map { [$0, 9] }) }
      #expect(rank([1, 1, 1]) == nil && rank([1, 2]) == 1 && rank([1, 2, 2]) == 0)
      #expect(rank([1, 1, 3, 1]) == 2 && rank([1, 2, 3]) == 1 && rank([4]) == nil)
    }
  }
}
