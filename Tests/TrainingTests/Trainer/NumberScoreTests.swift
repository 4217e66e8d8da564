import Configuration
import Datasets
import Formats
import Inference
import LinearAlgebra
import Recurrence
import TestSupport
import Testing
import Training

extension TrainerTests {
  @Suite struct `Scores of numbers` {
    /// Two numbers a step, far from 0 and of different spreads, in series of 5 to 9 steps.
    private static let trial: Trial = {
      var trial = Trial()
      trial.yaml = """
        name: numbers
        seed: 7
        data:
          format: csv
          train: FOLDER/train.csv
          valid: FOLDER/valid.csv
          columns: {inputs: [x, y], targets: next, id: run}
        model: {layers: [{cell: elman, hidden: 6}], dropout: 0.2}
        training:
          {batch_size: 5, steps: 20, optimizer: {rule: adam}, schedule: {learning_rate: 0.05}}
        """
      trial.texts = ["train.csv": series(13, from: 0), "valid.csv": series(7, from: 20)]
      return trial
    }()

    private static func series(_ count: Int, from first: Int) -> String {
      (first..<first + count).reduce("run,x,y\n") { text, run in
        (0..<5 + run % 5).reduce(text) {
          $0 + "\(run),\(100 + ($1 * 7 + run * 3) % 5),\(Double(($1 + run) % 3) / 2)\n"
        }
      }
    }

    /// The errors of each of two outputs, told all or left to go on, by plain loops over the
    /// sequences.
    private static func plain(
      _ model: SequenceModel, _ weights: ParameterVector, _ examples: [Example], told: Int,
      steps: Int
    ) -> (all: [Double], free: [Double]) {
      (0..<2).map { j in
        let truth = examples.flatMap { $0.values.everyOther(from: j) }
        let found = examples.flatMap { outputs(of: model, weights, for: $0).map { $0[j] } }
        let errors = zip(truth, found).map { ($0 - $1) * ($0 - $1) }
        let last = examples.map { example -> Double in
          var series = Example()
          series.frames = Array(example.frames[..<(2 * told)])
          for _ in 0..<steps {
            series.targets = Array(repeating: 0, count: series.frames.count / 2)
            series.frames += outputs(of: model, weights, for: series).last!.map { Real($0) }
          }
          let place = 2 * (told + steps - 1) + j
          let error = Double(series.frames[place]) - Double(example.values[place - 2])
          return error * error
        }
        let frames = examples.flatMap { $0.frames.everyOther(from: j) }
        return (
          (mean(errors) / variance(truth)).squareRoot(),
          (mean(last) / variance(frames)).squareRoot()
        )
      }.reduce(into: ([], [])) {
        $0.0.append($1.0)
        $0.1.append($1.1)
      }
    }

    @Test(
      arguments: World.all,
      [1, 4, 30])
    func `are those of plain loops, on any number of ranks and in any batches`(
      _ world: World, _ batch: Int
    ) throws {
      let results = try world.run { world, folder in
        try Self.trial.train(world, folder)
        let run = try Self.trial.prepare(world, folder)
        let score = try SequenceScore(
          of: .part(.valid), with: folder + "/run", batchSize: batch,
          free: FreeSteps(told: 3, predicted: 2), world: world)
        guard case .examples(let set) = run.dataset.valid else {
          throw UsageError("no sequences")
        }
        let examples = (0..<set.count).map { set.example($0, epoch: 1) }
        let wanted = Self.plain(
          run.trainer.model as! SequenceModel, run.trainer.weights, examples, told: 3, steps: 2)
        return (score.measures.map(\.name), score.measures.map(\.value), wanted, score.words)
      }
      for (names, values, wanted, words) in results {
        #expect(names == ["nrmse_1", "nrmse_2", "nrmse_free_2_1", "nrmse_free_2_2"])
        for (value, wanted) in zip(values, wanted.all + wanted.free) {
          #expect(abs(value - wanted) < 1e-4 * wanted, "\(values) for \(wanted)")
        }
        #expect(words.contains(", nrmse 1 ") && words.contains(", nrmse free 2 2 "))
      }
    }

    @Test func `refuse to go on beyond a series, or without reading what is predicted`() throws {
      for (trial, told, sentence) in [
        (Self.trial, 5, "a series has"),
        (Self.trial.with("data.columns={inputs: [x], targets: [y], id: run}"), 2, "on its own"),
      ] {
        let results = try World.singleProcess.run { world, folder in
          try trial.train(world, folder)
          let error = #expect(throws: UsageError.self) {
            _ = try SequenceScore(
              of: .part(.valid), with: folder + "/run", batchSize: 2,
              free: FreeSteps(told: told, predicted: 1), world: world)
          }
          return error.map { "\($0)" } ?? ""
        }
        #expect(results.allSatisfy { $0.contains(sentence) }, "\(results)")
      }
    }
  }
}

extension [Real] {
  /// One of two numbers of each step.
  fileprivate func everyOther(from j: Int) -> [Double] {
    stride(from: j, to: count, by: 2).map { Double(self[$0]) }
  }
}
