import Collectives
import Configuration
import Formats
import LinearAlgebra
import Recurrence
import TestSupport
import Testing
import Training

extension TrainerTests {
  /// Ranks that each sum a slice of the gradients and update that slice of the weights.
  @Suite struct `Slices of the parameters` {
    static let optimizers = [
      "{rule: sgd}", "{rule: sgd, momentum: 0.9, nesterov: true, weight_decay: 0.01}",
      "{rule: adam}",
      "{rule: adamw, decay: matrices}", "{rule: adagrad, initial_sum: 0.1}", "{rule: adagrad}",
      "{rule: rmsprop, centered: true, momentum: 0.5}", "{rule: lion, weight_decay: 0.1}",
      "{rule: ademamix, warmup: 4}", "{rule: schedule_free, weight_decay: 0.1}",
    ]
    /// The average of an optimizer that keeps none.
    static func average(_ optimizer: String) -> String {
      "training.average=" + (optimizer.contains("schedule_free") ? "null" : "{decay: 0.5}")
    }
    static let clips = [
      "null", "{norm: 0.1}", "{value: 0.01}", "{per_parameter: 0.05}", "{adaptive: 0.02}",
      "{value: 0.02, adaptive: 0.1, per_parameter: 0.05, norm: 0.1}",
    ]
    /// Matrices of several blocks, an embedding of which a window reads few rows, and vectors.
    static let trial = Trial.manySymbols.with(
      "model.layers=[{cell: lstm, hidden: 81}, {cell: gru, hidden: 6}]", "training.steps=6",
      "training.batch_size=6",
      "training.schedule.learning_rate=0.05", "training.average={decay: 0.5}",
      "data.valid=FOLDER/valid.txt", "evaluation={every: 3, batch_size: 3, bptt: 6}",
      "checkpoint={every: 3, keep: 10}")
    /// Each optimizer with one clipping, and each clipping with one optimizer.
    static let cases = optimizers.map { ($0, clips.last!) } + clips.map { (optimizers[2], $0) }

    static func differences(
      _ trial: Trial, _ world: any Communicator, _ folder: String, _ first: String, _ second: String
    ) throws -> [String] {
      let a = try trial.with("communication=\(first)").train(world, folder, run: "first")
      let b = try trial.with("communication=\(second)").train(world, folder, run: "second")
      var found = a == b ? [] : ["\(a.outcome) \(b.outcome), weights in memory"]
      for step in [3, 6] {
        found += try Kept(folder, run: "first", step: step).differences(
          Kept(folder, run: "second", step: step)
        ).map { "\(step): \($0)" }
      }
      for member in ["loss", "gradient_norm", "valid_loss"] {
        let (a, b) = try (Metrics(folder, run: "first"), Metrics(folder, run: "second"))
        if a.values(member) != b.values(member) || a.values(member).isEmpty { found.append(member) }
      }
      try world.barrier()
      return found
    }

    @Test(arguments: World.isLaunched ? [.mpi] : [World.threads(2), .threads(4)], cases)
    func `in shared memory leave the bytes of ranks that each have all`(
      _ world: World, _ choice: (String, String)
    ) throws {
      let trial = Self.trial.with(
        "training.optimizer=\(choice.0)", "training.clip=\(choice.1)", Self.average(choice.0))
      for found in try world.run({ world, folder in
        // On several hosts the order of terms is another one.
        world.nodeSize < world.size
          ? [] : try Self.differences(trial, world, folder, "{node: shared}", "{node: separate}")
      }) {
        #expect(found.isEmpty)
      }
    }

    @Test(
      arguments: World.isLaunched
        ? [.mpi] : [World.threads(3), .hosts(threads: 3, ranksPerHost: 1)], cases)
    func `of moments alone leave the bytes of ranks that each have all`(
      _ world: World, _ choice: (String, String)
    ) throws {
      guard choice.0 != "{rule: sgd}", choice.0 != Self.optimizers[0] else { return }
      let trial = Self.trial.with(
        "training.optimizer=\(choice.0)", "training.clip=\(choice.1)", Self.average(choice.0))
      for found in try world.run({ world, folder in
        try Self.differences(
          trial, world, folder, "{node: separate, shard_optimizer: true}", "{node: separate}")
      }) {
        #expect(found.isEmpty)
      }
    }

    @Test(arguments: World.isLaunched ? [.mpi] : [World.threads(3)] + World.spread, [false, true])
    func `have the same bits where gradients are never whole`(
      _ world: World, _ diagnoses: Bool
    ) throws {
      let trial = Self.trial.with("training.clip={per_parameter: 0.3}", "communication.node=shared")
      var released = trial
      released.reducer = { request in
        var request = request
        request.leastReleased = 1
        return makeGradientReducer(request)
      }
      for found in try world.run({ [released] world, folder in
        let every = diagnoses ? 2 : nil
        let a = try trial.train(world, folder, run: "whole", diagnosingEvery: every)
        let b = try released.train(world, folder, diagnosingEvery: every)
        return try differencesFromWhole(folder) + (a == b ? [] : ["weights in memory"])
      }) {
        #expect(found.isEmpty)
      }
    }

    @Test(
      arguments: World.isLaunched
        ? [.mpi] : [World.threads(3), .hosts(threads: 4, ranksPerHost: 2)],
      Precision.allCases)
    func `have the same bits with packed weights that ranks share`(
      _ world: World, _ precision: Precision
    ) throws {
      // Products of a time step so large that copies pay.
      let trial = Self.trial.with(
        "model.layers=[{cell: lstm, hidden: 261}]", "training.batch_size=20",
        "training.average=null", "training.optimizer={rule: adam}",
        "training.precision=\(precision.rawValue)", "training.bptt=3")
      for found in try world.run({ world, folder in
        world.nodeSize < world.size
          ? try Self.differences(
            trial, world, folder, "{node: shared}", "{node: shared, shard_optimizer: true}")
          : try Self.differences(trial, world, folder, "{node: shared}", "{node: separate}")
      }) {
        #expect(found.isEmpty)
      }
    }

    @Test(
      arguments: World.spread,
      [
        "{node: shared, shard_optimizer: true}", "{node: shared, overlap: false}",
        "{node: shared, shard_optimizer: true, overlap: false}",
      ])
    func `have the same bits over hosts, whoever keeps the moments and whenever sums begin`(
      _ world: World, _ communication: String
    ) throws {
      for (optimizer, clip) in [Self.cases[2], Self.cases[5]] {
        let trial = Self.trial.with("training.optimizer=\(optimizer)", "training.clip=\(clip)")
        for found in try world.run({ world, folder in
          try Self.differences(trial, world, folder, "{node: shared}", communication)
        }) {
          #expect(found.isEmpty)
        }
      }
    }

    @Test(arguments: World.isLaunched ? [.mpi] : [World.threads(2), .threads(4)])
    func `leave each rank weights of its own of which some are dropped`(_ world: World) throws {
      let trial = Self.trial.with(
        "model.layers.0.weight_dropout=0.5", "model.layers.1.weight_dropout=0.4",
        "model.embedding_dropout=0.2", "training.activation_regularization=2",
        "training.temporal_regularization=1")
      for found in try world.run({ world, folder in
        world.nodeSize < world.size
          ? [] : try Self.differences(trial, world, folder, "{node: shared}", "{node: separate}")
      }) {
        #expect(found.isEmpty)
      }
    }

    @Test(arguments: World.spread)
    func `over hosts are near those of ranks that each have all`(_ world: World) throws {
      let trial = Self.trial.with("training.optimizer={rule: adam}")
      for (far, same, wire) in try world.run({ world, folder in
        let a = try trial.with("communication.node=shared").train(world, folder, run: "first")
        let b = try trial.with("communication.node=separate").train(world, folder, run: "second")
        let narrow = try trial.with("communication={node: shared, wire: bfloat16}").train(
          world, folder, run: "narrow")
        let bytes = a.weights.withUnsafeBytes { Array($0) }
        return (
          divergence(a.weights, b.weights), try world.agree(on: bytes),
          divergence(a.weights, narrow.weights)
        )
      }) {
        #expect(far < 1e-3)
        #expect(same == .unanimous)
        #expect(wire < 0.1)
      }
    }

    static let settings = [
      "{node: shared}", "{node: separate}", "{node: separate, shard_optimizer: true}",
      "{node: shared, shard_optimizer: true}",
    ]

    @Test(
      arguments: World.isLaunched
        ? [.mpi] : [World.threads(3), .hosts(threads: 4, ranksPerHost: 2)])
    func `may be others after a resume, to the same bytes`(_ world: World) throws {
      let trial = Self.trial.with(
        "training.optimizer={rule: adamw}", "training.clip={per_parameter: 0.3, norm: 0.1}",
        "communication.overlap=false")
      let results = try world.run { world, folder -> [String] in
        var found: [String] = []
        // On several hosts only settings with one order of terms can be exchanged.
        let settings =
          world.nodeSize == world.size ? Self.settings : [Self.settings[0], Self.settings[3]]
        let whole = try trial.with("communication=\(settings[0])").train(
          world, folder, run: "whole")
        for first in settings {
          for second in settings {
            let run = "\(first) then \(second)"
            try trial.with("communication=\(first)").train(world, folder, run: run, stop: 4)
            let end = try trial.with("communication=\(second)").train(world, folder, run: run)
            if end.weights != whole.weights { found.append(run) }
            found += try Kept(folder, run: run).differences(Kept(folder, run: "whole")).map {
              "\(run): \($0)"
            }
          }
        }
        try world.barrier()
        return found
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.several)
    func `are resumed on one rank and on several`(_ world: World) throws {
      let trial = Self.trial.with("training.optimizer={rule: adam}")
      let results = try world.run { world, folder -> [Double] in
        var far: [Double] = []
        for setting in Self.settings {
          let many = trial.with("communication=\(setting)")
          let name = "\(setting)"
          // Several ranks, then one, then several.
          try many.train(world, folder, run: name, stop: 2)
          if world.isRoot {
            try trial.with("training.steps=4").train(SingleProcess(), folder, run: name)
          }
          try world.barrier()
          let end = try many.train(world, folder, run: name)
          let alone = try trial.train(SingleProcess(), folder, run: "alone \(world.rank) \(name)")
          far.append(divergence(end.weights, alone.weights))
          try world.barrier()
        }
        return far
      }
      for far in results { #expect(far.allSatisfy { $0 < 1e-3 }) }
    }

    @Test(arguments: World.isLaunched ? [.mpi] : [World.threads(3)] + World.spread)
    func `are skipped together after bad numbers`(_ world: World) throws {
      let trial = Self.trial.with(
        "training.on_nonfinite=skip", "training.optimizer={rule: adam}",
        "training.schedule.learning_rate=1e30", "communication.node=shared")
      for outcomes in try world.run({ world, folder in
        let end = try trial.train(world, folder)
        return try world.allGather(Array("\(end.outcome) \(end.step)".utf8))
      }) {
        #expect(Set(outcomes).count == 1)
      }
    }
  }

  @Suite struct `Owners of blocks` {
    static let layout: ParameterLayout = {
      var plan = Plan()
      _ = plan.parameter("table", from: 30, to: 3_000, pytorch: .zero, isRowSparse: true)
      _ = plan.parameter("weight", from: 5, to: 7, pytorch: .zero)
      _ = plan.parameter("wide", from: 40_000, to: 3, pytorch: .zero)
      _ = plan.parameter("matrix", from: 300, to: 1_001, pytorch: .zero)
      return ParameterLayout(plan)
    }()

    @Test func `blocks are whole rows, in order, and hold every number once`() {
      var next = [Int](repeating: 0, count: Self.layout.entries.count)
      for block in Self.layout.blocks {
        let entry = Self.layout.entries[block.entry]
        #expect(block.rows.lowerBound == next[block.entry] && !block.rows.isEmpty)
        #expect(block.numbers == entry.range(ofRows: block.rows))
        #expect(
          block.rows.count == 1 || block.numbers.count <= ParameterLayout.numbersOfBlock)
        next[block.entry] = block.rows.upperBound
      }
      #expect(next == Self.layout.entries.map(\.rows))
      #expect(
        Self.layout.blocks.map(\.numbers.lowerBound)
          == Self.layout.blocks.map(\.numbers.lowerBound).sorted())
    }
  }
}
