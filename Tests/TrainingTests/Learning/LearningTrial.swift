import Collectives
import Configuration
import Datasets
import Formats
import Foundation
import Inference
import LinearAlgebra
import Recurrence
import Training

/// A task that a network is to learn: a configuration, trained in this process without a folder.
struct LearningTrial {
  let options: RunOptions
  let dataset: Dataset
  let trainer: Trainer

  /// - Parameter yaml: a configuration of a generated task.
  init(_ yaml: String, _ settings: String..., seed: UInt64 = 1) throws {
    var configuration = try Configuration(yaml: yaml, file: "lesson.yaml")
    for setting in settings + ["seed=\(seed)"] { try configuration.set(setting) }
    options = try configuration.decode(RunOptions.self)
    let cache = FileManager.default.temporaryDirectory.path
    dataset = try Dataset(options.data, cache: cache, writing: false, seed: options.seed)
      .ending(by: options.model.end)
    trainer = try Trainer(options, dataset: dataset, world: SingleProcess())
  }

  var model: SequenceModel { trainer.model as! SequenceModel }

  /// Trains to the end, or until the score of the part to validate on is as good as asked for, looked
  /// at once an epoch.
  /// - Returns: the sequences that this took, and the score of the test, taken once.
  @discardableResult
  func learn(until isLearnt: ((Score) -> Bool)? = nil) throws -> (Int, Score) {
    let state = { trainer.coordinator.state }
    while !trainer.coordinator.isComplete {
      let epoch = state().epoch
      while state().epoch == epoch { _ = try trainer.step() }
      if let isLearnt, isLearnt(try score(dataset.valid!)) { break }
    }
    return (sequences, try test())
  }

  /// How many sequences were trained on.
  var sequences: Int {
    (trainer.coordinator.state.epoch - 1) * dataset.train.count
  }

  /// The score of the part to test on.
  func test() throws -> Score { try score(dataset.test!) }

  /// The score of a part.
  func score(_ part: Split) throws -> Score {
    var windows = EvaluationOptions()
    windows.batchSize = 100
    let evaluation = try Evaluation(
      part, plan: trainer.model.plan, windows, world: SingleProcess())
    return try evaluation.run(trainer.model, weights: trainer.weights)
  }

  /// Hands over what is predicted at every step of the part to test on: the sequence's symbols up to
  /// then, and the logits of the next.
  /// - Parameter part: another part than the one to test on.
  func forEachPrediction(
    on part: Split? = nil,
    _ body: (_ prefix: [Int32], _ outputs: Row, _ target: Int32) -> Void
  ) throws {
    let predictions = try Predictions(
      of: model, weights: trainer.weights, on: part ?? dataset.test!,
      LoaderRequest(batchSize: 100, isBucketed: false))
    predictions.forEach { batch, t, outputs in
      let (inputs, targets) = (batch.inputs.elements(), batch.targets.elements())
      for s in 0..<batch.streams where t < Int(batch.lengths.elements()[s]) {
        let prefix = (0...t).map { inputs[$0 * batch.streams + s] }
        body(prefix, outputs[s], targets[t * batch.streams + s])
      }
    }
  }
}
