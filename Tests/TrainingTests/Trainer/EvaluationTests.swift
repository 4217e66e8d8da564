import Checkpointing
import Collectives
import Configuration
import Datasets
import Formats
import Inference
import LinearAlgebra
import Recurrence
import Sequences
import TestSupport
import Testing
import Training

extension TrainerTests {
  @Suite struct `Evaluations` {
    static let trial = Trial(
      "data.valid=FOLDER/valid.txt", "training.steps=25",
      "evaluation={every: 4, batch_size: 3, bptt: 7}", "checkpoint={every: 4, keep: 1000}")

    /// −ln p of a text in so many streams, read symbol by symbol: states are zero where a stream or, if
    /// asked for, a line begins, and every symbol but each stream's first is a target.
    static func plain(
      _ text: String, _ vocabulary: Vocabulary, _ model: SequenceModel, _ weights: ParameterVector,
      streams: Int, lines: Bool
    ) -> Score {
      let symbols = vocabulary.encode(text)
      let newline = vocabulary.encode("\n")[0]
      let length = symbols.count / streams
      let tape = Tape(model.plan, steps: 1, streams: 1, derivatives: false)
      let batch = Batch(rows: 1)
      var score = Score(lossSum: 0, targets: 0)
      for stream in 0..<streams {
        tape.clearCarried()
        for place in stream * length..<(stream + 1) * length - 1 {
          if lines && place > 0 && symbols[place - 1] == newline { tape.clearCarried() }
          batch.begin(steps: 1, streams: 1)
          batch.inputs.start[0] = symbols[place]
          batch.targets.start[0] = symbols[place + 1]
          batch.resets.start[0] = 0
          let pass = tape.begin(batch, weights: weights)
          model.forward(pass)
          tape.carryStates()
          score.lossSum += pass.loss.sum
          score.targets += pass.loss.targets
        }
      }
      return score
    }

    @Test(arguments: World.all, [1, 2, 3])
    func `is the sum of a plain loop over the text`(_ world: World, _ streams: Int) throws {
      for (document, bptt) in [("none", 1), ("line", 1), ("none", 6), ("line", 500)] {
        let trial = Self.trial.with("data.document=\(document)")
        let results = try world.run { world, folder in
          let run = try trial.prepare(world, folder)
          let (model, weights) = (run.trainer.model as! SequenceModel, run.trainer.weights)
          var windows = EvaluationOptions()
          windows.batchSize = streams
          windows.bptt = bptt
          let evaluation = try Evaluation(
            run.dataset.valid!, plan: model.plan, windows, world: world)
          // Twice: nothing may be left from the time before.
          _ = try evaluation.run(model, weights: weights)
          let found = try evaluation.run(model, weights: weights)
          let wanted = Self.plain(
            trial.texts["valid.txt"]!, run.dataset.vocabulary, model, weights, streams: streams,
            lines: document == "line")
          return (found, wanted)
        }
        for (found, wanted) in results {
          #expect(found.targets == wanted.targets)
          #expect(found.targets == streams * (131 / streams - 1))
          #expect(abs(found.lossSum - wanted.lossSum) < 1e-5 * wanted.lossSum)
        }
      }
    }

    @Test(arguments: World.all)
    func `leaves training as it is`(_ world: World) throws {
      let results = try world.run { world, folder in
        try Self.trial.train(world, folder, run: "with")
        try Self.trial.with("data.valid=null", "evaluation=null").train(
          world, folder, run: "without")
        return try Kept(folder, run: "with").differences(Kept(folder, run: "without"))
      }
      for found in results {
        #expect(found.allSatisfy { ["early_stop", "schedule"].contains($0) })
      }
    }

    @Test(arguments: World.all)
    func `comes after the update and before the plateau, the best and the checkpoint`(
      _ world: World
    ) throws {
      // A rate at which nothing improves after the first evaluations.
      let trial = Self.trial.with(
        "training.schedule={learning_rate: 0.9, plateau: {factor: 0.5, patience: 0, threshold: 0.5}}"
      )
      let results = try world.run { world, folder -> [String] in
        try trial.train(world, folder)
        let metrics = try Metrics(folder)
        var found: [String] = []
        // Every fourth step, and the last.
        let steps = [4, 8, 12, 16, 20, 24, 25]
        if metrics.steps("valid_loss") != steps { found.append("\(metrics.steps("valid_loss"))") }
        let store = CheckpointStore(folder + "/run/checkpoints")
        let rates = metrics.values("learning_rate")
        var best = Double.infinity
        var bestStep = 0
        for (step, loss) in zip(steps, metrics.values("valid_loss")) {
          let checkpoint = try Checkpoint(verifying: store.path(ofStep: step))
          // The checkpoint knows of the evaluation and is of the weights evaluated, which are large at
          // such a rate, so that rounding shows.
          let (model, weights, vocabulary) = try checkpoint.model()
          let again = Self.plain(
            trial.texts["valid.txt"]!, vocabulary, model, weights, streams: 3, lines: false)
          if abs(again.loss - loss) > 1e-3 * loss {
            found.append("\(step): \(again.loss), not \(loss)")
          }
          if loss < best { (best, bestStep) = (loss, step) }
          if checkpoint.state.bestLoss != best { found.append("best at \(step)") }
          guard step > 4 else { continue }
          // Never half as low as the first, so every evaluation but the first halves the rate.
          if step < 25, rates[step] != rates[step - 1] / 2 { found.append("rate after \(step)") }
        }
        if store.best != bestStep { found.append("best is \(String(describing: store.best))") }
        return found
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.all, [7, 8, 9])
    func `is neither repeated nor left out where a run is resumed`(
      _ world: World, _ stop: Int
    ) throws {
      let trial = Self.trial.with("training.average={decay: 0.9}")
      let results = try world.run { world, folder in
        try trial.train(world, folder, run: "whole")
        try trial.train(world, folder, stop: stop)
        try trial.train(world, folder)
        let (whole, cut) = try (Metrics(folder, run: "whole"), Metrics(folder))
        return try Kept(folder).differences(Kept(folder, run: "whole"))
          + (whole.withoutTimes == cut.withoutTimes ? [] : ["metrics"])
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.all)
    func `ends a run that no longer improves, and the test is of the best weights`(
      _ world: World
    ) throws {
      var trial = Trial(
        "data.valid=FOLDER/valid.txt", "data.test=FOLDER/test.txt", "training.steps=1000",
        "training.early_stop={patience: 3}", "evaluation={every: 3, batch_size: 2, bptt: 9}",
        "training.optimizer={rule: sgd}",
        "training.schedule={learning_rate: 20}", "training.clip=null")
      trial.texts["test.txt"] = text(91, seed: 8)
      let (fixed, test) = (trial, trial.texts["test.txt"]!)
      let results = try world.run { world, folder -> [String] in
        let ending = try fixed.train(world, folder)
        var found: [String] = []
        // At such a rate the loss may be above that of guessing.
        if ![.complete, .worseThanGuessing].contains(ending.outcome) || ending.step >= 1000 {
          found.append("\(ending.outcome)")
        }
        // A run that is complete stays so, and its metrics too.
        for _ in 0..<2 {
          let metrics = try Metrics(folder)
          let losses = metrics.values("valid_loss")
          let best = losses.indices.min { losses[$0] < losses[$1] }!
          if losses.count != best + 4 { found.append("\(losses)") }
          if metrics.having("test_loss").count != 1 {
            found.append("\(metrics.having("test_loss").count) tests")
          }
          let store = CheckpointStore(folder + "/run/checkpoints")
          if store.best != 3 * (best + 1) { found.append("\(String(describing: store.best))") }
          let (model, weights, vocabulary) = try Checkpoint(
            verifying: store.path(ofStep: 3 * (best + 1))
          ).model()
          let wanted = Self.plain(test, vocabulary, model, weights, streams: 2, lines: false)
          if abs(metrics.values("test_loss")[0] - wanted.loss) > 1e-5 { found.append("test") }
          try world.barrier()
          let again = try fixed.train(world, folder)
          if again.outcome != ending.outcome || again.step != ending.step { found.append("again") }
        }
        return found
      }
      for found in results { #expect(found.isEmpty) }
    }

    @Test(arguments: World.all)
    func `An epoch starts from states of zero`(_ world: World) throws {
      // At a rate that changes no weight, an epoch is like the one before.
      let trial = Trial(
        "model.dropout=0", "training.steps=40", "training.optimizer={rule: sgd}",
        "training.schedule.learning_rate=1e-30")
      let results = try world.run { world, folder in
        try trial.train(world, folder)
        return try Metrics(folder).values("loss")
      }
      for losses in results {
        #expect(losses.count == 40 && losses.prefix(20) == losses.suffix(20))
      }
    }

    @Test(arguments: World.all)
    func `and schedules follow epochs`(_ world: World) throws {
      let trial = Trial(
        "data.valid=FOLDER/valid.txt", "training.steps=null", "training.epochs=3",
        "training.schedule={shape: epoch_decay, learning_rate: 0.8, factor: 0.5, after: 1}",
        "checkpoint.every=epoch")
      let results = try world.run { world, folder -> [String] in
        try trial.train(world, folder)
        let metrics = try Metrics(folder)
        var found: [String] = []
        if metrics.steps("valid_loss") != [20, 40, 60] { found.append("evaluations") }
        let rates = [0.8, 0.4, 0.2].flatMap { [Double](repeating: $0, count: 20) }
        if metrics.values("learning_rate") != rates { found.append("rates") }
        let epochs = (1...3).flatMap { [Double](repeating: Double($0), count: 20) }
        if metrics.having("loss").compactMap({ $0["epoch"]?.double }) != epochs {
          found.append("epochs")
        }
        let steps = try CheckpointStore(folder + "/run/checkpoints").list().map(\.step)
        if steps != [20, 40, 60] { found.append("checkpoints \(steps)") }
        if metrics.values("tokens").last != 3 * 4 * 99 { found.append("tokens") }
        return found
      }
      for found in results { #expect(found.isEmpty) }
    }
  }
}
