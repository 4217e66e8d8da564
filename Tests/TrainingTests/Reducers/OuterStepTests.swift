import Checkpointing
import Collectives
import Configuration
import Formats
import LinearAlgebra
import Recurrence
import TestSupport
import Testing
import Training

extension TrainerTests {
  /// Ranks that train alone for a round of steps, and the outer steps between the rounds.
  @Suite struct `Outer steps` {
    static let layout: ParameterLayout = {
      var plan = Plan()
      _ = plan.parameter("weight", from: 5, to: 7, pytorch: .zero)
      _ = plan.parameter("table", from: 3, to: 4, pytorch: .zero, isRowSparse: true)
      return ParameterLayout(plan)
    }()

    static func options(
      _ rule: OuterOptions.Rule, every: Int = 2, rate: Double? = nil, momentum: Double? = nil,
      overlap: Int = 0, fragments: Int = 1
    ) -> OuterOptions {
      var options = OuterOptions()
      options.fragments = fragments
      (options.rule, options.every, options.overlap) = (rule, every, overlap)
      (options.givenRate, options.givenMomentum) = (rate, momentum)
      return options
    }

    /// A number in the first half of the weights, and one in the second.
    static let places = [3, 33]

    /// A number of steps after which no change of any of `rules` is under way: memory that a sum uses must
    /// last until it is complete.
    static let steps = 14

    /// The weights of a number that starts at 10 and that rank r moves by r + 1 at every step, after so many
    /// steps.
    static func path(
      _ options: OuterOptions, _ world: any Communicator, steps: Int, place: Int
    ) throws -> [Float] {
      let weights = ParameterVector(Self.layout)
      let entry = Self.layout.entry(named: "weight")!
      weights.update { $0.elements(of: entry)[place] = 10 }
      let outer = OuterSteps(options, of: weights, wire: .float32, in: world)
      return try (1...steps).map { step in
        weights.update { $0.elements(of: entry)[place] += Float(world.rank + 1) }
        try outer.finishStep(step, weights)
        return weights.elements(of: entry)[place]
      }
    }

    /// The same by the equations, for one rank.
    static func expected(
      _ options: OuterOptions, rank: Int, size: Int, steps: Int, place: Int
    ) -> [Float] {
      // The piece of the number, of one or two, begins its rounds so much later.
      let phase = options.fragments == 2 && place >= 32 ? options.every / 2 : 0
      let momentum = options.momentum(ranks: size)
      var theta = 10.0
      var velocity = 0.0
      // The weight of each rank.
      var own = [Double](repeating: 10, count: size)
      var change: Double?
      return (1...steps).map { step in
        for r in own.indices { own[r] += Double(r + 1) }
        guard step >= phase else { return Float(own[rank]) }
        if (step - phase) % options.every == 0 {
          change = own.map { $0 - theta }.reduce(0, +) / Double(size)
        }
        if (step - phase) % options.every == options.overlap, let delta = change {
          change = nil
          switch options.rule {
          case .average: theta += delta
          case .blockMomentum:
            velocity = momentum * velocity + options.rate * delta
            theta += velocity
          case .nesterov:
            velocity = momentum * velocity - delta
            theta -= options.rate * (momentum * velocity - delta)
          }
          for r in own.indices {
            own[r] = options.overlap == 0 ? theta : (own[r] + theta) / 2
          }
        }
        return Float(own[rank])
      }
    }

    static let rules: [OuterOptions] = [
      options(.average), options(.average, every: 3, overlap: 1),
      options(.blockMomentum), options(.blockMomentum, every: 3, rate: 0.5, momentum: 0.25),
      options(.nesterov), options(.nesterov, every: 3, rate: 0.5, momentum: 0.25, overlap: 2),
      options(.average, every: 4, fragments: 2),
      options(.nesterov, every: 5, overlap: 2, fragments: 2),
    ]

    @Test(arguments: World.all, rules)
    func `move the weights as their equations say`(_ world: World, _ options: OuterOptions) throws {
      let results = try world.run { world, _ in
        (
          world.rank, world.size,
          try Self.places.map { try Self.path(options, world, steps: Self.steps, place: $0) }
        )
      }
      for (rank, size, paths) in results {
        for (place, path) in zip(Self.places, paths) {
          let expected = Self.expected(
            options, rank: rank, size: size, steps: Self.steps, place: place)
          for (a, b) in zip(path, expected) { #expect(abs(a - b) < 1e-4 * abs(b)) }
        }
      }
    }

    @Test(arguments: World.several)
    func `after every step are the sum of gradients, for a rule without moments`(
      _ world: World
    ) throws {
      // Every rank has the same number of targets, so that the mean of their steps is a step by the mean
      // gradient.
      let trial = Trial(
        "training.batch_size=12", "training.optimizer={rule: sgd}", "training.clip=null",
        "training.schedule.learning_rate=0.5", "data.valid=FOLDER/valid.txt",
        "evaluation={every: 10, batch_size: 4}")
      let results = try world.run { world, folder in
        let whole = try trial.train(world, folder, run: "sum")
        let outer = try trial.with("communication.outer={every: 1}").train(
          world, folder, run: "outer")
        let (a, b) = try (Metrics(folder, run: "sum"), Metrics(folder, run: "outer"))
        try world.barrier()
        return [
          divergence(whole.weights, outer.weights),
          divergence(a.values("valid_loss"), b.values("valid_loss")),
          a.values("valid_loss").isEmpty ? 1 : 0,
        ]
      }
      for found in results { #expect(found[0] < 1e-4 && found[1] < 1e-5 && found[2] == 0) }
    }

    @Test(arguments: World.all)
    func `use no change of a round that they did not see the end of`(_ world: World) throws {
      let results = try world.run { world -> (resumed: [Real], used: [Real]) in
        let options = Self.options(.average, every: 7, overlap: 3)
        let weights = ParameterVector(Self.layout)
        let entry = Self.layout.entry(named: "weight")!
        weights.update { $0.elements(of: entry)[3] = 10 }
        // A run that was without outer steps until step 8.
        let outer = OuterSteps(options, of: weights, wire: .float32, in: world)
        outer.resume()
        weights.update { $0.elements(of: entry)[3] = 12 }
        try outer.finishStep(10, weights)
        let resumed = Array(weights.elements(of: entry))
        // A change is used once, also if a run is resumed with rounds of another length.
        try outer.finishStep(14, weights)
        try outer.finishStep(17, weights)
        outer.resume()
        weights.update { $0.elements(of: entry)[3] = 20 }
        try outer.finishStep(24, weights)
        return (resumed, Array(weights.elements(of: entry)))
      }
      for local in results {
        #expect(local.value.resumed[3] == 12)
        #expect(local.value.used[3] == 20)
      }
    }

    static let resumed: [String] = [
      "{every: 7}", "{every: 7, overlap: 3}", "{every: 5, rule: block_momentum}",
      "{every: 5, rule: nesterov, overlap: 2}",
      "{every: 6, rule: nesterov, overlap: 1, fragments: 3}",
    ]

    @Test(arguments: World.all, resumed)
    func `and what each rank has of its own go on as they were after a resume`(
      _ world: World, _ outer: String
    ) throws {
      let trial = Trial(
        "training.steps=23", "communication.outer=\(outer)", "training.average={decay: 0.9}",
        "data.valid=FOLDER/valid.txt", "evaluation={every: 6, batch_size: 4}")
      // Inside a round, at its end, and while changes are under way.
      for found in try trial.differencesWhenStopped(at: [5, 7, 8, 11, 16, 20], in: world) {
        #expect(found.isEmpty)
      }
    }

    @Test(arguments: World.several, ["{rule: muon}", "{rule: lion}"])
    func `go on as they were with a rule that shares out work elsewhere`(
      _ world: World, _ rule: String
    ) throws {
      let trial = Trial(
        "training.steps=13", "communication.outer={every: 4}", "training.optimizer=\(rule)",
        "training.average={trigger: 1}", "data.valid=FOLDER/valid.txt",
        "evaluation={every: 3, batch_size: 4}")
      for found in try trial.differencesWhenStopped(at: [5, 8], in: world) {
        #expect(found.isEmpty)
      }
    }

    @Test(arguments: World.several)
    func `go on from the mean of the ranks on another number of them`(_ world: World) throws {
      let trial = Trial(
        "training.steps=23", "communication.outer={every: 7, rule: nesterov}",
        "checkpoint.every=1", "data.valid=FOLDER/valid.txt", "evaluation={every: 1, batch_size: 4}")
      let results = try world.run { world, folder -> Double in
        try trial.train(world, folder, stop: 12)
        defer { try? world.barrier() }
        guard world.isRoot else { return 0 }
        let run = try trial.prepare(SingleProcess(), folder)
        // The checkpoint holds the model that was evaluated, which is the mean.
        let saved = ParameterVector(run.trainer.weights.layout)
        try SafetensorsFile(folder + "/run/checkpoints/step-00000012/model.safetensors").load(
          into: [("", saved)])
        return divergence(
          Array(saved.buffer.elements()), Array(run.trainer.weights.buffer.elements()))
      }
      for found in results { #expect(found < 1e-6) }
    }
  }
}
