import Collectives
import Configuration
import Formats
import TestSupport
import Testing
import Training

extension TrainerTests {
  @Suite struct `The number of ranks` {
    /// Five streams: no number of ranks above one divides them.
    static let trial = Trial(
      "training.batch_size=5", "training.steps=37", "data.valid=FOLDER/valid.txt",
      "evaluation={every: 10, batch_size: 3, bptt: 6}")

    static let trials: [(String, Trial)] = [
      ("Adam", trial),
      ("variational", trial.with("model.variational=true", "model.tied=true", "model.embedding=6")),
      (
        "states of several steps",
        trial.with(
          "model.layers=[{cell: skip, hidden: 9, delays: [2, 8], initial_state: learnt, zoneout: 0.1}, "
            + "{cell: jordan, hidden: 6, teacher_forcing: true}, {cell: clockwork, hidden: 6, "
            + "periods: [1, 3], feedback: output, initial_state: e0}]", "model.recurrent=true",
          "data.document=line")
      ),
      (
        "overlapping windows",
        trial.with("training.bptt=8", "training.stride=3", "data.document=line")
      ),
      (
        "adaptive softmax",
        trial.with("model.output={kind: adaptive, cutoffs: [4, 9], div_value: 2, soft_cap: 5}")
      ),
      ("sampled softmax", trial.with("model.output={kind: sampled, samples: 5}")),
      (
        "sampled softmax, tied",
        trial.with(
          "model.output={kind: sampled, samples: 5, order: index}", "model.tied=true",
          "model.embedding=6")
      ),
      (
        "Muon",
        trial.with("training.optimizer={rule: muon}", "training.schedule.learning_rate=0.02")
      ),
      (
        "AdEMAMix", trial.with("training.optimizer={rule: ademamix, warmup: 30}")
      ),
      ("Schedule-Free AdamW", trial.with("training.optimizer={rule: schedule_free}")),
      (
        "average with a trigger",
        trial.with(
          "training.average={trigger: 1}", "training.optimizer={rule: sgd}",
          "training.schedule.learning_rate=1")
      ),
      ("documents", trial.with("data.document=line")),
      (
        "blocks",
        trial.with(
          Trial.blockLayers, "model.embedding=8", "model.embedding_scale=sqrt",
          "model.final_norm=rmsnorm", "data.document=line")
      ),
      ("many symbols", .manySymbols.with("training.steps=37", "training.batch_size=5")),
      (
        "many symbols, Adagrad, by parameter",
        .manySymbols.with(
          "training.steps=37", "training.batch_size=5", "training.optimizer={rule: adagrad}",
          "training.clip={value: 0.05, per_parameter: 0.3}")
      ),
      ("no dropout", trial.with("model.dropout=0", "data.document=line")),
      (
        "sum over time",
        trial.with(
          "training.loss_reduction=sum_over_time", "training.optimizer={rule: sgd}",
          "training.schedule.learning_rate=0.1", "training.clip={norm: 0.5, per_parameter: 0.3}")
      ),
      (
        "a mixture of shards",
        {
          var mixture = Trial.mixture
          mixture.settings = trial.settings + mixture.settings + ["data.valid=FOLDER/b/0.tokens"]
          return mixture
        }()
      ),
      (
        "several files",
        {
          var several = Trial.severalFiles
          several.settings =
            trial.settings.filter { !$0.contains("valid") && !$0.hasPrefix("evaluation") }
            + several.settings
          return several
        }()
      ),
    ]

    @Test(arguments: World.several, trials.map(\.0))
    func `does not change the losses, the evaluations or the weights beyond rounding`(
      _ world: World, _ name: String
    ) throws {
      let trial = Self.trials.first { $0.0 == name }!.1
      let results = try world.run { world, folder in
        let many = try trial.train(world, folder, run: "together")
        let alone = try trial.train(SingleProcess(), folder, run: "alone \(world.rank)")
        let (a, b) = try (
          Metrics(folder, run: "together"), Metrics(folder, run: "alone \(world.rank)")
        )
        try world.barrier()
        return [
          divergence(a.values("loss"), b.values("loss")),
          divergence(a.values("gradient_norm"), b.values("gradient_norm")),
          divergence(a.values("valid_loss"), b.values("valid_loss")),
          divergence(many.weights, alone.weights),
          a.values("tokens") == b.values("tokens") ? 0 : 1,
          a.values("loss").count == 37 ? 0 : 1,
        ]
      }
      for found in results {
        #expect(found[0] < 1e-5)
        #expect(found[1] < 1e-4)
        #expect(found[2] < 1e-5)
        #expect(found[3] < 1e-4)
        #expect(found[4] == 0 && found[5] == 0)
      }
      #expect(results.count == 1 || Set(results.map { $0[3] }).count == 1)
    }

    @Test(arguments: World.several)
    func `All ranks hold the same bits at the end`(_ world: World) throws {
      let results = try world.run { world, folder in
        let ending = try Self.trial.train(world, folder)
        let bytes = ending.weights.withUnsafeBytes { Array($0) }
        return try world.agree(on: bytes) == .unanimous
      }
      for isSame in results { #expect(isSame) }
    }

    @Test(arguments: World.several)
    func `may change when a run is resumed, and its losses go on`(_ world: World) throws {
      let trial = Self.trial
      let results = try world.run { world, folder in
        // One rank, then all of them, and the other way round, against one rank all along; each rank
        // that trains alone does it in a folder of its own, but the run that changes hands is one.
        let alone = "alone \(world.rank)"
        try trial.train(SingleProcess(), folder, run: alone)
        if world.isRoot { try trial.train(SingleProcess(), folder, run: "grows", stop: 13) }
        try world.barrier()
        let grown = try trial.train(world, folder, run: "grows")
        try trial.train(world, folder, run: "shrinks", stop: 16)
        if world.isRoot { try trial.train(SingleProcess(), folder, run: "shrinks") }
        try world.barrier()
        let whole = try Metrics(folder, run: alone)
        let (grows, shrinks) = try (Metrics(folder, run: "grows"), Metrics(folder, run: "shrinks"))
        var found = [grown.outcome == .complete ? 0.0 : 1.0]
        for metrics in [grows, shrinks] {
          found.append(divergence(metrics.values("loss"), whole.values("loss")))
          found.append(divergence(metrics.values("valid_loss"), whole.values("valid_loss")))
        }
        return found
      }
      for found in results { for difference in found { #expect(difference < 1e-5) } }
    }

    @Test(arguments: World.several)
    func `above the number of streams is refused by one rank and known to all`(
      _ world: World
    ) throws {
      let messages = try world.run { world, folder in
        do {
          try Trial("training.batch_size=\(world.size - 1)").train(world, folder)
          return "trained"
        } catch let error as FailedElsewhere {
          return error.message
        } catch {
          return "\(error)"
        }
      }
      for message in messages {
        #expect(message.contains("without a stream") && message.contains("raise batch_size"))
      }
    }
  }
}
