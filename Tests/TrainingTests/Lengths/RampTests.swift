import Collectives
import Configuration
import Formats
import TestSupport
import Testing
import Training

extension TrainerTests {
  /// Batches that grow over the first steps.
  @Suite struct `Growing batches` {
    /// 403 symbols in 6 streams of 66 steps: an epoch is 14 windows, the last of one step.
    static let text = Trial("training.batch_size=6", "training.steps=null", "training.epochs=3")
    static let byStreams = text.with("training.ramp={of: streams, from: 2, steps: 40}")
    static let byLength = text.with("training.ramp={of: bptt, from: 2, steps: 40}")

    @Test(arguments: [byStreams, byLength])
    func `read each symbol once an epoch, in as many steps as are announced`(
      _ trial: Trial
    ) throws {
      _ = try World.singleProcess.run { world, folder in
        let run = try trial.prepare(world, folder)
        let announced = run.trainer.coordinator.totalSteps
        #expect(try run.train() == .complete)
        let metrics = try Metrics(folder)
        #expect(metrics.steps("loss").count == announced)
        #expect(announced > 3 * 14)
        #expect(metrics.values("tokens").last == Double(3 * 6 * 66))
        // The first epoch ends where each stream was read once.
        let epochs = metrics.values("epoch")
        let second = epochs.firstIndex(of: 2)!
        #expect(metrics.values("tokens")[second - 1] == Double(6 * 66))
      }
    }

    @Test func `of streams take the streams in turn, more of them with time`() throws {
      _ = try World.singleProcess.run { world, folder in
        try Self.byStreams.train(world, folder)
        let tokens = try Metrics(folder).values("tokens")
        let sizes = zip(tokens, [0] + tokens).map { Int($0 - $1) }
        // Three updates of two streams, two of three, one of six; of 5 steps each.
        #expect(Array(sizes.prefix(3)) == [10, 10, 10])
        #expect(sizes.contains(15) && sizes.contains(30))
        #expect(sizes.filter { $0 == 10 }.count.isMultiple(of: 3))
        #expect(sizes.filter { $0 == 15 }.count.isMultiple(of: 2))
      }
    }

    @Test func `of windows are longer with time`() throws {
      _ = try World.singleProcess.run { world, folder in
        try Self.byLength.train(world, folder)
        let tokens = try Metrics(folder).values("tokens")
        let sizes = zip(tokens, [0] + tokens).map { Int($0 - $1) }
        #expect(Array(sizes.prefix(13)) == Array(repeating: 12, count: 13))
        #expect(sizes[14] == 18 && sizes.contains(24) && sizes.contains(30))
      }
    }

    @Test(arguments: [byStreams, byLength])
    func `have the loss of the whole batch where nothing is learnt`(_ trial: Trial) throws {
      _ = try World.singleProcess.run { world, folder in
        let still = trial.with(
          "training.schedule.learning_rate=1e-30", "model.dropout=0", "data.valid=FOLDER/valid.txt",
          "training.epochs=1")
        func nats(_ run: String) throws -> Double {
          let metrics = try Metrics(folder, run: run)
          let tokens = metrics.values("tokens")
          return zip(metrics.values("loss"), zip(tokens, [0] + tokens)).reduce(0) {
            $0 + $1.0 * ($1.1.0 - $1.1.1)
          }
        }
        try still.train(world, folder, run: "growing")
        try still.with("training.ramp=null").train(world, folder, run: "whole")
        #expect(abs(try nats("growing") / nats("whole") - 1) < 1e-6)
      }
    }

    @Test(arguments: World.several, [byStreams, byLength])
    func `do not depend on the number of ranks`(_ world: World, _ trial: Trial) throws {
      // Each rank has a stream in the smallest update.
      let trial = trial.with("training.batch_size=12").with(
        trial.settings.contains { $0.contains("bptt, from") } ? "seed=3" : "training.ramp.from=4")
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
    func `may be reproducible sums`(_ world: World) throws {
      let trial = Self.byStreams.with(
        "training.batch_size=12", "training.ramp.from=4", "communication.reproducible=4")
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

    @Test(arguments: [World.singleProcess, .threads(2)], [byStreams, byLength])
    func `resume to the byte, also inside a window`(_ world: World, _ trial: Trial) throws {
      // Inside a window of three updates and of two, at its end, and in a later epoch.
      for found in try trial.differencesWhenStopped(at: [1, 2, 3, 26, 29, 50], in: world) {
        #expect(found.isEmpty)
      }
    }

    @Test func `finish the window they are in when their ramp is taken away`() throws {
      _ = try World.singleProcess.run { world, folder in
        let trial = Self.byStreams
        try trial.train(world, folder, stop: 4)
        let ending = try trial.with("training.ramp=null").train(world, folder)
        #expect(ending.outcome == .complete)
        let metrics = try Metrics(folder)
        let tokens = metrics.values("tokens")
        #expect(tokens.last == Double(3 * 6 * 66))
        #expect(
          Array(zip(tokens, [0] + tokens).map { Int($0 - $1) }[3..<8]) == [10, 10, 10, 30, 30])
      }
    }

    @Test(arguments: [
      ("training.ramp={from: 6}", "ramp grows up to 6 (batch_size)"),
      ("training.ramp={of: bptt, from: 5}", "ramp grows up to 5 (bptt)"),
      ("training.ramp={of: tokens, from: 2}", "tokens"),
    ])
    func `that do not grow are refused`(_ setting: String, _ words: String) throws {
      let error = #expect(throws: ConfigurationError.self) {
        try Trial("training.batch_size=6").with(setting).options("/nowhere")
      }
      #expect(error?.message.contains(words) == true)
    }
  }
}
