import Collectives
import Configuration
import Formats
import Foundation
import TestSupport
import Testing
import Training

extension TrainerTests {
  @Suite struct `The gradient` {
    /// With all weights zero every symbol has the probability 1/V, and only the output bias has a
    /// gradient: targets · 1/V − (how often the symbol is a target).
    static let zero = Trial(
      "model.initializer={uniform: 0}", "model.dropout=0", "training.batch_size=5",
      "training.bptt=8", "training.steps=1", "training.optimizer={rule: sgd}",
      "training.schedule.learning_rate=1", "training.clip=null")

    /// The first window of five streams, cut by hand.
    static func expected() -> (gradient: [Double], targets: Int, symbols: [Character]) {
      let symbols = Array(zero.texts["train.txt"]!)
      let length = symbols.count / 5
      let targets = (0..<5).flatMap { symbols[$0 * length + 1...$0 * length + 8] }
      let known = Set(symbols).sorted()
      // Among the symbols of the model is one for all others, which is no target here.
      let share = Double(targets.count) / Double(known.count + 1)
      return (
        [share] + known.map { symbol in share - Double(targets.count { $0 == symbol }) },
        targets.count, known
      )
    }

    /// The output bias after one step, the reported norm and loss.
    static func step(_ trial: Trial, _ world: any Communicator, _ folder: String) throws
      -> (bias: [Double], norm: Double, loss: Double)
    {
      let run = try trial.prepare(world, folder)
      _ = try run.train()
      try world.barrier()
      let weights = run.trainer.weights
      let entry = weights.layout.entry(named: "decoder.bias")!
      let numbers = weights.elements(of: entry)
      let vocabulary = run.dataset.vocabulary
      let places =
        [vocabulary.unknown!]
        + expected().symbols.map {
          vocabulary.id(of: String($0).utf8)!
        }
      let bias = places.map { Double(numbers[Int($0)]) }
      let metrics = try Metrics(folder)
      try world.barrier()
      return (bias, metrics.values("gradient_norm")[0], metrics.values("loss")[0])
    }

    @Test(arguments: World.all)
    func `is the one computed by hand, of the mean, of the sum over time, and clipped`(
      _ world: World
    ) throws {
      let (gradient, targets, symbols) = Self.expected()
      let length = sqrt(gradient.reduce(0) { $0 + $1 * $1 })
      let trials: [(Trial, Double, Double)] = [
        (Self.zero, 1 / Double(targets), 1),
        (Self.zero.with("training.loss_reduction=sum_over_time"), 1 / 5.0, 1),
        (
          Self.zero.with("training.clip={norm: 0.05}"), 1 / Double(targets),
          0.05 / (length / Double(targets) + 1e-6)
        ),
        (
          Self.zero.with("training.loss_reduction=sum_over_time", "training.clip={norm: 0.5}"),
          1 / 5.0, 0.5 / (length / 5 + 1e-6)
        ),
      ]
      for (trial, scale, factor) in trials {
        for (bias, norm, loss) in try world.run({ try Self.step(trial, $0, $1) }) {
          #expect(abs(loss - log(Double(symbols.count + 1))) < 1e-6)
          #expect(abs(norm - length * scale) < 1e-6 * length)
          for (found, wanted) in zip(bias, gradient) {
            #expect(abs(found + wanted * scale * factor) < 1e-6)
          }
        }
      }
    }

    /// Sequences in batches of at most so many targets, of five of which the last is short, and trees.
    static let batches: [Trial] = {
      var lines = zero
      lines.yaml = """
        name: lines
        seed: 7
        data: {format: lines, train: FOLDER/train.txt, tokenizer: character}
        model: {embedding: 3, layers: [{cell: elman, hidden: 4}]}
        training: {batch_size: 5, epochs: 2}
        """
      lines.settings = [
        "model.initializer={uniform: 0}", "training.optimizer={rule: sgd}",
        "training.schedule.learning_rate=1e-30",
      ]
      lines.texts = [
        "train.txt": (0..<31).map { "abcdefghijklm".prefix(1 + $0 * 5 % 12) + "\n" }.joined()
      ]
      var trees = lines
      trees.yaml = """
        name: trees
        seed: 7
        data: {format: trees, view: nodes, train: FOLDER/train.txt}
        model: {embedding: 4, tree: {cell: plain, hidden: 4}}
        training: {batch_size: 5, epochs: 2}
        """
      trees.texts = ["train.txt": `Runs over trees`.trees(31, seed: 3)]
      return [
        lines, lines.with("training.batch_tokens=40"),
        lines.with("training.batch_tokens=40", "training.batch_size=1"),
        lines.with("training.batch_tokens=40", "training.bptt=4"), trees,
      ]
    }()

    /// The norms of a run's gradients times what they were divided by, with the mean, and the targets.
    static func norms(_ trial: Trial, _ world: any Communicator, _ folder: String, run: String)
      throws -> (norms: [Double], targets: [Double])
    {
      _ = try trial.prepare(world, folder, run: run).train()
      try world.barrier()
      let metrics = try Metrics(folder, run: run)
      let tokens = metrics.values("tokens")
      return (
        metrics.values("gradient_norm"), zip(tokens, [0] + tokens).map { $0 - $1 }
      )
    }

    @Test(arguments: World.all, batches)
    func `of sums over time is divided by the sequences of each batch, short ones too`(
      _ world: World, _ trial: Trial
    ) throws {
      let counts = try world.run { world, folder -> [Double] in
        let mean = try Self.norms(trial, world, folder, run: "mean")
        let sum = try Self.norms(
          trial.with("training.loss_reduction=sum_over_time"), world, folder, run: "sum")
        #expect(mean.targets == sum.targets)
        return zip(zip(mean.norms, mean.targets), sum.norms).map { $0.0 * $0.1 / $1 }
      }
      for counts in counts {
        for count in counts {
          #expect(abs(count - count.rounded()) < 1e-4 && count > 0.5, "\(counts)")
        }
        // Every sequence is in one batch of each epoch; where these are cut, in each of its windows.
        let total = counts.reduce(0) { $0 + $1.rounded() }
        #expect(
          trial.settings.contains("training.bptt=4") ? total > 62 : total == 62, "\(counts)")
        #expect(Set(counts.map { $0.rounded() }).count > 1)
      }
    }

    /// How far one step of SGD at rate 1 moves each parameter, and the reported norm.
    static func moves(_ trial: Trial, _ world: any Communicator, _ folder: String) throws -> (
      [String: [Float]], Double
    ) {
      let trial = trial.with(
        "training.steps=1", "training.optimizer={rule: sgd}", "training.schedule.learning_rate=1",
        "training.clip=null")
      let run = try trial.prepare(world, folder)
      let weights = run.trainer.weights
      let before = Array(weights.buffer.elements())
      _ = try run.train()
      try world.barrier()
      var moves: [String: [Float]] = [:]
      for entry in weights.layout.entries {
        moves[entry.name] = entry.range.map { before[$0] - weights.buffer.start[$0] }
      }
      let norm = try Metrics(folder).values("gradient_norm")[0]
      try world.barrier()
      return (moves, norm)
    }

    static func norm(_ moves: [String: [Float]]) -> Double {
      moves.values.joined().reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    }

    @Test(arguments: World.all)
    func `A tied matrix counts once in the norm`(_ world: World) throws {
      let trial = Trial("model.tied=true", "model.embedding=6")
      for (moves, norm) in try world.run({ try Self.moves(trial, $0, $1) }) {
        #expect(moves.keys.filter { $0.hasSuffix("coder.weight") }.count == 1)
        #expect(abs(norm - Self.norm(moves)) < 1e-5 * norm)
      }
    }

    @Test func `A frozen layer stays, is left out of the norm, and a rate scales its layer alone`()
      throws
    {
      let world = World.isLaunched ? World.mpi : .threads(2)
      let (free, freeNorm) = try world.run { try Self.moves(Trial(), $0, $1) }[0]
      let (frozen, frozenNorm) = try world.run {
        try Self.moves(Trial("model.layers.0.frozen=true"), $0, $1)
      }[0]
      let (slow, slowNorm) = try world.run {
        try Self.moves(Trial("model.layers.1.rate=0.5"), $0, $1)
      }[0]
      #expect(slowNorm == freeNorm)
      #expect(abs(frozenNorm - Self.norm(frozen)) < 1e-5 * frozenNorm)
      #expect(frozenNorm < freeNorm)
      for (name, move) in free {
        if name.hasPrefix("layers.0.") {
          #expect(frozen[name]!.allSatisfy { $0 == 0 })
        } else {
          #expect(divergence(frozen[name]!, move) < 1e-4, "\(name)")
        }
        let half = name.hasPrefix("layers.1.") ? move.map { $0 / 2 } : move
        #expect(divergence(slow[name]!, half) < 1e-4, "\(name)")
      }
    }
  }
}
