import Collectives
import Configuration
import Formats
import LinearAlgebra
import TestSupport
import Testing
import Training

extension TrainerTests {
  /// Runs whose bits do not depend on the number of ranks.
  @Suite struct `Reproducible sums` {
    static let trials = `Micro-batches`.trials.mapValues {
      $0.with("communication.reproducible=4", "training.batch_size=9")
    }

    /// The names of what is not the same in two runs.
    static func differences(_ folder: String, _ run: String, _ other: String) throws -> [String] {
      let (a, b) = try (Metrics(folder, run: run), Metrics(folder, run: other))
      var found = try Kept(folder, run: run).differences(Kept(folder, run: other))
      for key in ["loss", "gradient_norm", "valid_loss", "tokens"] {
        if a.values(key).map(\.bitPattern) != b.values(key).map(\.bitPattern) { found.append(key) }
      }
      if a.values("loss").isEmpty { found.append("no loss") }
      return found
    }

    @Test(
      arguments: World.isLaunched ? [.mpi] : [World.threads(2), .threads(4)],
      trials.keys.sorted())
    func `leave the bytes of one rank`(_ world: World, _ name: String) throws {
      let trial = Self.trials[name]!
      let results = try world.run { world, folder -> [String] in
        if world.isRoot { try trial.train(SingleProcess(), folder, run: "alone") }
        try world.barrier()
        try trial.train(world, folder, run: "together")
        let found = try Self.differences(folder, "together", "alone")
        try world.barrier()
        return found
      }
      for found in results { #expect(found == []) }
    }

    @Test(arguments: World.isLaunched ? [.mpi] : [World.threads(2), .threads(4)])
    func `go on to the same bytes on another number of ranks`(_ world: World) throws {
      for trial in [Trial.manySymbols, .overlapping] {
        let trial = trial.with(
          "communication.reproducible=true", "training.batch_size=11", "training.steps=33",
          "training.average={decay: 0.9}", "data.valid=FOLDER/valid.txt",
          "evaluation={every: 8, batch_size: 3, bptt: 6}")
        let results = try world.run { world, folder -> [String] in
          if world.isRoot { try trial.train(SingleProcess(), folder, run: "alone") }
          try world.barrier()
          try trial.train(world, folder, run: "moved", stop: 7)
          if world.isRoot { try trial.train(SingleProcess(), folder, run: "moved", stop: 20) }
          try world.barrier()
          try trial.train(world, folder, run: "moved")
          let found = try Self.differences(folder, "moved", "alone")
          try world.barrier()
          return found
        }
        for found in results { #expect(found == []) }
      }
    }

    @Test func `are not those in the order of ranks`() throws {
      // Otherwise the tests above would show nothing.
      let weights = try [1, 2].map { ranks in
        try World.threads(ranks).run { world, folder in
          try Trial("training.batch_size=9").train(world, folder).weights
        }[0]
      }
      #expect(weights[0] != weights[1])
    }

    @Test func `on a number of ranks that does not divide the parts are refused`() throws {
      let results = try World.threads(3).run { world, folder -> String in
        do {
          try Trial("communication.reproducible=true", "training.batch_size=9").train(world, folder)
          return "trained"
        } catch let error as FailedElsewhere {
          return error.message
        } catch {
          return "\(error)"
        }
      }
      for message in results {
        #expect(
          message
            == "communication.reproducible cuts each batch into 8 parts, which 3 ranks cannot "
            + "share: start 1, 2, 4 … 8 ranks, or remove it")
      }
    }
  }
}
