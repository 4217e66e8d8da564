import Collectives
import Configuration
import Formats
import TestSupport
import Testing
import Training

extension TrainerTests {
  /// Windows of random lengths.
  @Suite struct `Windows of random lengths` {
    /// 403 symbols in 6 streams of 66 steps.
    static let text = Trial(
      "training.batch_size=6", "training.steps=null", "training.epochs=3", "training.bptt=9",
      "training.random_bptt={short: 0.3, deviation: 2, shortest: 3}")
    static let regularised = text.with(
      "model.layers.0.weight_dropout=0.4", "model.embedding=5", "model.embedding_dropout=0.2",
      "training.activation_regularization=2", "training.temporal_regularization=1")

    @Test func `read each symbol once an epoch, in as many steps as are announced`() throws {
      _ = try World.singleProcess.run { world, folder in
        let run = try Self.text.prepare(world, folder)
        let announced = run.trainer.coordinator.totalSteps
        #expect(try run.train() == .complete)
        let metrics = try Metrics(folder)
        #expect(metrics.steps("loss").count == announced)
        #expect(metrics.values("tokens").last == Double(3 * 6 * 66))
        let epochs = metrics.values("epoch")
        let second = epochs.firstIndex(of: 2)!
        #expect(metrics.values("tokens")[second - 1] == Double(6 * 66))
      }
    }

    @Test func `are those of the formula, and the rate grows with the length`() throws {
      _ = try World.singleProcess.run { world, folder in
        let options = try Self.text.options(folder)
        let random = try #require(options.training.randomWindows)
        try Self.text.train(world, folder)
        let metrics = try Metrics(folder)
        let (tokens, rates) = (metrics.values("tokens"), metrics.values("learning_rate"))
        let rate = options.training.schedule.learningRate
        var place = 0
        for (step, (end, start)) in zip(tokens, [0] + tokens).enumerated() {
          let drawn = random.length(step: step, bptt: 9, seed: options.seed)
          let read = Int(end - start) / 6
          #expect(read == min(drawn, 66 - place))
          #expect(abs(rates[step] / (rate * Double(drawn) / 9) - 1) < 1e-12)
          place = (place + read) % 66
        }
      }
    }

    @Test func `have the mean, the deviation and the share of short ones that they are given`() {
      let random = RandomWindows()
      let lengths = (0..<20_000).map { random.length(step: $0, bptt: 70, seed: 3) }
      #expect(lengths.allSatisfy { (5...random.most(bptt: 70)).contains($0) })
      let short = lengths.filter { $0 < 53 }
      #expect(abs(Double(short.count) / 20_000 - 0.05) < 0.006)
      let long = lengths.filter { $0 >= 53 }.map(Double.init)
      let mean = long.reduce(0, +) / Double(long.count)
      // Lengths are cut to whole steps.
      #expect(abs(mean - 69.5) < 0.2)
      let variance = long.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(long.count)
      #expect(abs(variance.squareRoot() - 5) < 0.15)
      #expect(lengths != (0..<20_000).map { random.length(step: $0, bptt: 70, seed: 4) })
      // Counting stops where it would take long.
      let counted = random.steps(epochs: 30, length: 1000, bptt: 70, seed: 3)
      let estimated = random.steps(epochs: 30, length: 1000, bptt: 70, seed: 3, counting: 100)
      #expect(abs(Double(estimated) / Double(counted) - 1) < 0.05)
      // Short windows of few steps.
      #expect((0..<500).allSatisfy { random.length(step: $0, bptt: 8, seed: 1) >= 5 })
    }

    @Test(arguments: World.several, [text, regularised])
    func `do not depend on the number of ranks`(_ world: World, _ trial: Trial) throws {
      let trial = trial.with("training.batch_size=12")
      let results = try world.run { world, folder -> [String] in
        let together = try trial.train(world, folder, run: "together")
        let own = "alone \(world.rank)"
        let alone = try trial.train(SingleProcess(), folder, run: own)
        try world.barrier()
        return try `Micro-batches`.differences(folder, together, "together", alone, own)
      }
      for found in results { #expect(found == []) }
    }

    @Test(arguments: World.isLaunched ? [.mpi] : [World.threads(2)])
    func `and all regularisers may be reproducible sums`(_ world: World) throws {
      let trial = Self.regularised.with(
        "training.batch_size=12", "communication.reproducible=4")
      let results = try world.run { world, folder -> [String] in
        if world.isRoot { try trial.train(SingleProcess(), folder, run: "alone") }
        try world.barrier()
        try trial.train(world, folder, run: "together")
        let found = try `Reproducible sums`.differences(folder, "together", "alone")
        try world.barrier()
        return found
      }
      for found in results { #expect(found == []) }
    }

    @Test(arguments: [World.singleProcess, .threads(2)], [text, regularised])
    func `resume to the byte`(_ world: World, _ trial: Trial) throws {
      for found in try trial.differencesWhenStopped(at: [1, 4, 9, 17], in: world) {
        #expect(found.isEmpty)
      }
    }

    @Test(arguments: [
      ("training.random_bptt={shortest: 10}", "set shortest to at most that"),
      ("training.random_bptt={deviation: 0}", "deviation is a number of steps"),
      ("training.random_bptt={short: 2}", "short is a probability"),
      ("training.ramp={from: 2}", "random_bptt and ramp both choose the windows"),
      ("training.stride=3", "random_bptt is for windows that do not overlap"),
    ])
    func `that cannot be are refused`(_ setting: String, _ words: String) throws {
      let error = #expect(throws: ConfigurationError.self) {
        try Self.text.with(setting).options("/nowhere")
      }
      #expect(error?.message.contains(words) == true)
    }
  }
}
