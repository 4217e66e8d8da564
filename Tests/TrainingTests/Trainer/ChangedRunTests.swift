import Collectives
import Configuration
import Formats
import Foundation
import TestSupport
import Testing
import Training

extension TrainerTests {
  /// Runs that go on with another configuration.
  @Suite struct `A changed run` {
    /// 403 symbols in 4 streams: an epoch is 20 windows of 5 steps, or 10 of 10.
    private static func inEpochs(_ schedule: String) -> Trial {
      Trial(
        "training.steps=null", "training.epochs=6",
        "training.schedule={learning_rate: 0.6, \(schedule)}")
    }

    @Test(arguments: World.all, [2, 10, 20])
    func `has as much of its schedule behind it as of its epochs`(
      _ world: World, _ bptt: Int
    ) throws {
      let trial = Self.inEpochs("shape: linear")
      let windows = [2: 50, 10: 10, 20: 5][bptt]!
      let results = try world.run { world, folder in
        try trial.train(world, folder, stop: 60)
        // Stopped once more, so that what a checkpoint says of it counts too.
        let longer = trial.with("training.bptt=\(bptt)")
        try longer.train(world, folder, stop: 61)
        let ending = try longer.train(world, folder)
        try world.barrier()
        return (ending, try Metrics(folder).values("learning_rate"))
      }
      for (ending, rates) in results {
        #expect(ending.outcome == .complete && ending.step == 60 + 3 * windows)
        #expect(rates.count == 60 + 3 * windows)
        for (step, rate) in rates.enumerated() {
          let done =
            step < 60 ? Double(step) / 120 : 0.5 + Double(step - 60) / Double(6 * windows)
          #expect(abs(rate - 0.6 * (1 - done)) < 1e-6, "step \(step + 1)")
        }
      }
    }

    @Test(arguments: [World.all[0]])
    func `keeps what its schedule counts in steps of its own`(_ world: World) throws {
      // By shape, the rate of a step that comes after the change at step 60.
      let shapes: [(String, @Sendable (Int) -> Double)] = [
        ("warmup: 10, shape: step, every: 30, factor: 0.5", { $0 < 70 ? 0.3 : 0.15 }),
        ("warmup: 10, shape: linear, steps: 100", { 0.6 * (1 - Double($0 - 10) / 100) }),
        // 50 of 110 steps are done, and what is left of the run takes 30.
        ("warmup: 10, shape: linear", { 0.6 * 60 / 110 * (1 - Double($0 - 60) / 30) }),
        // The warm-up goes on for 10 steps, and the shape takes the other 20.
        (
          "warmup: 70, shape: linear",
          { $0 < 70 ? 0.6 * Double($0 + 1) / 70 : 0.6 * (1 - Double($0 - 70) / 20) }
        ),
      ]
      for (shape, expected) in shapes {
        let results = try world.run { world, folder in
          let trial = Self.inEpochs(shape)
          try trial.train(world, folder, stop: 60)
          let run = try trial.with("training.bptt=10").prepare(world, folder)
          let told = run.trainer.coordinator.totalSteps
          _ = try run.train()
          try world.barrier()
          return (told, try Metrics(folder).values("learning_rate"))
        }
        for (told, rates) in results {
          #expect(rates.count == 90 && told == 90)
          for step in 60..<90 {
            // The length of a schedule is a whole number.
            #expect(abs(rates[step] - expected(step)) <= 0.005, "\(shape), step \(step)")
          }
        }
      }
    }

    @Test(arguments: World.all)
    func `that is measured in steps from now on counts as if it always was`(_ world: World) throws {
      let results = try world.run { world, folder in
        let trial = Self.inEpochs("shape: linear")
        try trial.train(world, folder, stop: 60)
        try trial.with("training.bptt=10").train(world, folder, stop: 70)
        let last = trial.with("training.bptt=10", "training.epochs=null", "training.steps=80")
        let ending = try last.train(world, folder)
        try world.barrier()
        return (ending.step, try Metrics(folder).values("learning_rate").last)
      }
      for (step, rate) in results {
        #expect(step == 80)
        #expect(abs(try #require(rate) - 0.6 / 80) < 1e-6)
      }
    }

    @Test(arguments: [World.all[0]])
    func `has the rate that it asks for once no plateau lowers it`(_ world: World) throws {
      let results = try world.run { world, folder in
        let trial = Trial(
          "data.valid=FOLDER/valid.txt", "evaluation={every: 2, batch_size: 2}",
          "training.schedule={learning_rate: 0.5, plateau: {factor: 0.5, patience: 0}}")
        try trial.train(world, folder, stop: 19)
        let lowered = try Metrics(folder).values("learning_rate").last
        try trial.with("training.schedule={learning_rate: 0.25}").train(world, folder)
        try world.barrier()
        return (lowered, try Metrics(folder).values("learning_rate").last)
      }
      for (lowered, last) in results {
        #expect(try #require(lowered) < 0.25 && last == 0.25)
      }
    }

    @Test(
      arguments: World.all,
      ["training.bptt=9", "training.batch_tokens=60", "training.bucket=false"])
    func `of sequences is refused inside an epoch where they are cut in another way`(
      _ world: World, _ setting: String
    ) throws {
      // Only sequences in files come in an order of their lengths.
      let name = setting.contains("bucket") ? "numbers fed back in windows" : "windows"
      let trial = `Runs over sequences`.trials[name]!.with(
        "training.steps=null", "training.epochs=2")
      let found = try `A run`.refusal(world) { world, folder in
        try trial.train(world, folder, stop: 5)
        try trial.with(setting).train(world, folder)
      }
      let key = String(setting.prefix { $0 != "=" })
      for (message, speaks, code) in found {
        #expect(message.contains("was made with another \(key), in the middle of an epoch"))
        if speaks { #expect(code == ExitStatus.data) }
      }
      // Between two epochs the order of what comes is all that changes.
      let epoch = try world.run { world, folder in
        let first = trial.with("training.epochs=1")
        let windows = try first.train(world, folder).step
        let both = try trial.with(setting).train(world, folder)
        return both.outcome == .complete && both.step > windows
      }
      #expect(epoch.allSatisfy { $0 })
    }

    @Test(
      arguments: World.all, ["model.dropout=0", "model.dropout=0.3", "model.layers.0.dropout=0.3"])
    func `of overlapping windows goes on with the states alone where its steps have other values`(
      _ world: World, _ setting: String
    ) throws {
      let results = try world.run { world, folder in
        let first = setting == "model.dropout=0" ? "model.dropout=0.3" : "model.dropout=0"
        try Trial.overlapping.with(first).train(world, folder, stop: 11)
        let ending = try Trial.overlapping.with(first, setting).train(world, folder)
        try world.barrier()
        return (ending.outcome, try Metrics(folder).values("loss"))
      }
      for (outcome, losses) in results {
        #expect(outcome == .complete && losses.allSatisfy { $0.isFinite && $0 < 5 })
      }
    }

    @Test(arguments: World.all)
    func `is tested in the precision that it is trained in`(_ world: World) throws {
      let trial = Trial(
        "training.precision=bfloat16", "data.valid=FOLDER/valid.txt", "data.test=FOLDER/valid.txt",
        "evaluation={every: 100, batch_size: 2}")
      let results = try world.run { world, folder in
        try trial.train(world, folder)
        try world.barrier()
        return try (Metrics(folder).values("valid_loss"), Metrics(folder).values("test_loss"))
      }
      for (valid, test) in results { #expect(valid == test && valid.count == 1) }
    }

    @Test(arguments: World.all)
    func `takes no harm from what a killed one left of its configuration`(_ world: World) throws {
      let results = try world.run { world, folder in
        if world.isRoot {
          try FileManager.default.createDirectory(
            atPath: folder + "/run", withIntermediateDirectories: true)
          for name in ["config.yaml.tmp", "config.json.tmp"] {
            try Data("half of it".utf8).write(to: URL(filePath: folder + "/run/" + name))
          }
        }
        try world.barrier()
        return try Trial("training.steps=3").train(world, folder).outcome
      }
      #expect(results.allSatisfy { $0 == .complete })
    }
  }
}
