import Checkpointing
import Collectives
import Configuration
import Formats
import TestSupport
import Testing
import Training

extension TrainerTests {
  /// Steps that are undone, and losses far above those before.
  @Suite struct `Bad steps` {
    static let trial = Trial(
      // An intercepted world sums all gradients.
      "communication.node=separate", "training.on_nonfinite=rollback", "checkpoint.every=3",
      "training.average={decay: 0.9}")

    /// The three ways to read: streams of a text, sequences, and blocks of shards in random order.
    static let readers: [(name: String, trial: Trial)] = [
      ("streams", trial),
      (
        "sequences",
        trial.with("data={format: lines, train: FOLDER/train.txt, tokenizer: character}")
      ),
      (
        "shards",
        {
          var shards = Trial.mixture
          shards.settings = trial.settings + shards.settings
          return shards
        }()
      ),
      ("random windows", trial.with("training.random_bptt={deviation: 2, shortest: 2}")),
      (
        "a growing batch",
        trial.with("training.batch_size=12", "training.ramp={of: streams, from: 4, steps: 12}")
      ),
      ("overlapping windows", trial.with("training.stride=2")),
    ]

    /// The parts of a checkpoint that a rollback takes from another.
    static let undone = [
      "model.safetensors", "optimizer.safetensors", "average.safetensors",
    ]

    @Test(arguments: World.few, readers.map(\.name))
    func `are undone to the latest checkpoint, and the data goes on behind them`(
      _ world: World, _ name: String
    ) throws {
      let trial = Self.readers.first { $0.name == name }!.trial
      let results = try world.run { world, folder -> ([String], Ending) in
        var found: [String] = []
        let ending = try trial.train(poisoned(world, at: [8]), folder)
        let (good, bad) = (try Kept(folder, step: 6), try Kept(folder, step: 8))
        for file in Self.undone where good.tensors[file] != bad.tensors[file] { found.append(file) }
        for count in ["optimizer", "average"]
        where good.state["random"]?[count] != bad.state["random"]?[count] {
          found.append("the updates of \(count)")
        }
        if good.state["streams"] == bad.state["streams"] { found.append("the same place") }
        if bad.state["step"] != .integer(8) { found.append("step") }
        let metrics = try Metrics(folder)
        if metrics.steps("rolled_back_to") != [8] || metrics.values("rolled_back_to") != [6]
          || metrics.values("rollbacks") != [1] || metrics.steps("updated") != [8]
        {
          found.append("metrics")
        }
        if metrics.steps("loss") != Array(1...23) { found.append("steps") }
        try world.barrier()
        // The windows behind the bad ones are those of a run without them.
        try trial.train(world, folder, run: "good")
        let other = try Kept(folder, run: "good")
        let last = try Kept(folder)
        for part in ["streams", "tokens", "epoch", "step"]
        where other.state[part] != last.state[part] {
          found.append("another \(part) at the end")
        }
        return (found, ending)
      }
      for (found, ending) in results {
        #expect(found.isEmpty)
        #expect(ending.outcome == .complete && ending.weights == results[0].1.weights)
        #expect(ending.weights.allSatisfy { $0.isFinite })
      }
    }

    @Test(arguments: World.few, readers.map(\.name))
    func `are undone alike by a run that was resumed after them or before them`(
      _ world: World, _ name: String
    ) throws {
      let trial = Self.readers.first { $0.name == name }!.trial
      let results = try world.run { world, folder -> [String] in
        var found: [String] = []
        try trial.train(poisoned(world, at: [8]), folder, run: "whole")
        for stop in [8, 13] {
          let run = "after-\(stop)"
          try trial.train(poisoned(world, at: [8]), folder, run: run, stop: stop)
          try trial.train(world, folder, run: run)
          found += try differencesFromWhole(folder, run: run).map { "\($0) after \(stop)" }
        }
        // As if it was killed before the rollback was saved: steps 7 and 8 are taken again.
        try trial.train(world, folder, run: "before", stop: 6)
        try trial.train(poisoned(world, at: [2]), folder, run: "before")
        return found + (try differencesFromWhole(folder, run: "before"))
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.few, ["sharded", "compressed", "outer", "overlapped"])
    func `are undone in all that the exchange of gradients keeps`(
      _ world: World, _ name: String
    ) throws {
      let settings = [
        "sharded": "communication={node: separate, shard_optimizer: true}",
        "compressed": "communication={node: separate, compression: {top_k: {share: 0.2}}}",
        "outer": "communication={outer: {every: 2, rule: nesterov}}",
        "overlapped": "communication={outer: {every: 4, rule: nesterov, overlap: 2}}",
      ]
      // A bad number in the loss: not every exchange sums gradients.
      let trial = Trial(
        settings[name]!, "training.on_spike={policy: rollback, window: 4, z: 1.2, limit: 30}",
        "checkpoint.every=3", "training.steps=30")
      let results = try world.run { world, folder -> [String] in
        var found: [String] = []
        try trial.train(world, folder, run: "whole")
        let metrics = try Metrics(folder, run: "whole")
        let steps = metrics.steps("rolled_back_to")
        if steps.isEmpty { found.append("no rollback in this trial") }
        for (step, good) in zip(steps, metrics.values("rolled_back_to")) {
          let good = try Kept(folder, run: "whole", step: Int(good))
          let bad = try Kept(folder, run: "whole", step: step)
          found += good.tensors.keys.filter {
            $0 != "hidden.safetensors" && good.tensors[$0] != bad.tensors[$0]
          }.map { "\($0) of step \(step)" }
        }
        try trial.train(world, folder, stop: (steps.first ?? 8) + 1)
        try trial.train(world, folder)
        return found + (try differencesFromWhole(folder))
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.few)
    func
      `are undone to the initial weights before the first checkpoint, and no more often than allowed`(
        _ world: World
      ) throws
    {
      let trial = Self.trial.with(
        "training.on_nonfinite={policy: rollback, limit: 2}", "checkpoint.every=1000")
      let results = try world.run { world, folder -> ([String], [Outcome]) in
        var found: [String] = []
        let first = try trial.train(poisoned(world, at: [2, 5]), folder).outcome
        for (step, good) in [(2, 0), (5, 2)] {
          let (bad, good) = (try Kept(folder, step: step), try Kept(folder, step: good))
          for file in Self.undone where good.tensors[file] != bad.tensors[file] {
            found.append("\(file) of step \(step)")
          }
        }
        let second = try trial.train(poisoned(world, at: [2, 5, 7]), folder, run: "third").outcome
        return (found, [first, second])
      }
      for (found, outcomes) in results {
        #expect(found.isEmpty)
        #expect(outcomes == [.complete, .diverged(step: 7)])
      }
    }

    // MARK: Spikes

    /// The spikes in the losses of a run, found once more: the z of each by its step.
    static func spikes(
      in metrics: Metrics, window: Int, z: Double, keepsSpikes: Bool, startsAnew: Bool
    ) -> [Int: Double] {
      var (found, kept): ([Int: Double], [Double]) = ([:], [])
      for (step, loss) in zip(metrics.steps("loss"), metrics.values("loss")) {
        let last = Array(kept.suffix(window))
        if last.count == window {
          let mean = last.reduce(0, +) / Double(window)
          let squares = last.map { ($0 - mean) * ($0 - mean) }.reduce(0, +)
          let height = (loss - mean) / max((squares / Double(window)).squareRoot(), mean / 100)
          if height > z {
            found[step] = height
            if startsAnew { kept = [] }
            if !keepsSpikes { continue }
          }
        }
        kept.append(loss)
      }
      return found
    }

    /// A run with many small spikes.
    static func spiky(_ policy: SpikeOptions.Policy) -> Trial {
      let limit = policy == .skip || policy == .rollback ? ", limit: 40" : ""
      return Trial(
        "training.on_spike={policy: \(policy.rawValue), window: 5, z: 1.2\(limit)}",
        "training.steps=40", "checkpoint.every=4")
    }

    @Test(arguments: World.few, SpikeOptions.Policy.allCases)
    func `are told where the loss is far above those before, and dealt with as asked`(
      _ world: World, _ policy: SpikeOptions.Policy
    ) throws {
      let trial = Self.spiky(policy)
      let results = try world.run { world, folder -> [String] in
        var found: [String] = []
        let ending = try trial.train(world, folder)
        let metrics = try Metrics(folder)
        let expected = Self.spikes(
          in: metrics, window: 5, z: 1.2, keepsSpikes: policy == .warn,
          startsAnew: policy == .rollback)
        let told = Dictionary(
          uniqueKeysWithValues: zip(metrics.steps("spike"), metrics.values("spike")))
        if told.keys.sorted() != expected.keys.sorted() || told.isEmpty {
          found.append("spikes \(told), expected \(expected)")
        }
        for (step, z) in expected where abs((told[step] ?? 0) - z) > 1e-6 * z {
          found.append("\(step): \(told[step] ?? 0), not \(z)")
        }
        let steps = told.keys.sorted()
        let expectedOutcome: Outcome =
          policy == .stop ? .spiked(step: steps.first ?? 0) : .complete
        if ending.outcome != expectedOutcome { found.append("\(ending.outcome)") }
        if metrics.steps("updated") != (policy == .warn ? [] : steps) { found.append("updates") }
        if metrics.steps("rolled_back_to") != (policy == .rollback ? steps : []) {
          found.append("rollbacks")
        }
        return found
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.few, SpikeOptions.Policy.allCases.filter { $0 != .stop })
    func `are the same in a resumed run`(
      _ world: World, _ policy: SpikeOptions.Policy
    ) throws {
      for found in try Self.spiky(policy).differencesWhenStopped(at: [3, 7, 12, 22], in: world) {
        #expect(found.isEmpty)
      }
    }

    @Test func `A loss that hardly varies has no spikes, and too few losses have none`() throws {
      var options = SpikeOptions()
      options.window = 4
      #expect(options.deviations(of: 9, from: [1, 1, 1]) == nil)
      // The deviation counts as a hundredth of the mean.
      #expect(abs(options.deviations(of: 2.1, from: [9, 2, 2, 2, 2])! - 5) < 1e-9)
      #expect(abs(options.deviations(of: 4, from: [1, 3, 1, 3])! - 2) < 1e-9)
    }
  }
}
