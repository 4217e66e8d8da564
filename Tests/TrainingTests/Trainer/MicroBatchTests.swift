import Collectives
import Configuration
import Formats
import TestSupport
import Testing
import Training

extension TrainerTests {
  /// Gradients that are added over micro-batches before an update.
  @Suite struct `Micro-batches` {
    /// Every kind of data, model and gradient method.
    static let trials = `Sums during the backward pass`.trials.mapValues {
      $0.with("training.batch_size=9")
    }

    /// The largest differences of two runs: losses, norms, validation, weights and counts.
    static func differences(
      _ folder: String, _ a: Ending, _ run: String, _ b: Ending, _ other: String
    ) throws -> [String] {
      let (own, others) = try (Metrics(folder, run: run), Metrics(folder, run: other))
      var found: [String] = []
      for (key, limit) in [("loss", 1e-5), ("gradient_norm", 1e-4), ("valid_loss", 1e-5)] {
        let far = divergence(own.values(key), others.values(key))
        if far >= limit { found.append("\(key) differs by \(far)") }
      }
      let far = divergence(a.weights, b.weights)
      if far >= 1e-4 { found.append("weights differ by \(far)") }
      if own.values("tokens") != others.values("tokens") { found.append("tokens") }
      if own.values("loss").isEmpty { found.append("no loss") }
      return found
    }

    @Test(arguments: World.isLaunched ? [.mpi] : [World.singleProcess], trials.keys.sorted())
    func `give the losses and weights of the batch at once`(_ world: World, _ name: String) throws {
      let trial = Self.trials[name]!
      let results = try world.run { world, folder -> [String] in
        let whole = try trial.train(world, folder, run: "whole")
        let cut = try trial.with("training.accumulate=2").train(world, folder, run: "cut")
        try world.barrier()
        return try Self.differences(folder, cut, "cut", whole, "whole")
      }
      for found in results { #expect(found == []) }
    }

    @Test(
      arguments: World.all,
      [
        Trial("training.accumulate=2", "training.batch_size=9"),
        Trial.overlapping.with("training.accumulate=2", "training.batch_size=9"),
        Trial.manySymbols.with("training.accumulate=2", "training.batch_size=9"),
        Trial("training.accumulate=2", "training.batch_size=9", "training.recompute=sqrt"),
      ])
    func `resume to the byte`(_ world: World, _ trial: Trial) throws {
      for found in try trial.with("training.steps=23").differencesWhenStopped(
        at: [4, 11, 12], in: world)
      {
        #expect(found.isEmpty)
      }
    }

    @Test(arguments: World.all)
    func `may be other ones when a run is resumed`(_ world: World) throws {
      let trial = Trial.overlapping.with("training.batch_size=13", "training.steps=23")
      let results = try world.run { world, folder -> [String] in
        let whole = try trial.train(world, folder, run: "whole")
        try trial.with("training.accumulate=3").train(world, folder, run: "changed", stop: 9)
        try trial.train(world, folder, run: "changed", stop: 14)
        let changed = try trial.with("training.accumulate=2").train(
          world, folder, run: "changed")
        try world.barrier()
        return try Self.differences(folder, changed, "changed", whole, "whole")
      }
      for found in results { #expect(found == []) }
    }

    @Test(arguments: World.all, ["", "training.recompute=2", "training.stride=3"])
    func `all keep their states where a step is skipped`(_ world: World, _ method: String) throws {
      let trial = Trial(
        "training.on_nonfinite=skip", "checkpoint.every=1", "training.steps=8",
        "training.accumulate=2", "training.batch_size=9"
      ).with(method.isEmpty ? "seed=7" : method)
      let results = try world.run { world, folder -> [String] in
        _ = try `Bad numbers`.train(trial, world, folder, poison: [5])
        let (before, after) = try (Kept(folder, step: 4), Kept(folder, step: 5))
        try world.barrier()
        return before.differences(after).filter {
          !["schedule", "step", "streams", "tokens"].contains($0)
            // Windows that overlap begin anew after one that was left out.
            && !(method.contains("stride") && ($0.hasPrefix("hidden") || $0 == "random"))
        }
      }
      for found in results { #expect(found == []) }
    }

    @Test func `that would be empty are refused`() throws {
      let results = try World.singleProcess.run { world, folder -> String in
        do {
          try Trial("training.accumulate=5").train(world, folder)
          return "trained"
        } catch {
          return "\(error)"
        }
      }
      #expect(
        results[0].contains("leaves some of the 5 micro-batches of 1 process without a stream"))
    }
  }
}
