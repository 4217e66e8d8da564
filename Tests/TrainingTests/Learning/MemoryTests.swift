import Configuration
import Datasets
import Formats
import Foundation
import LinearAlgebra
import Recurrence
import Testing
import Training

/// Networks learn what has to be remembered for many steps.
@Suite struct `Learning long lags` {
  private static let adding = """
    data: {task: adding, length: 100, train_size: 5000, test_size: 1000}
    model: {layers: [{cell: lstm, hidden: 64, chrono: 100}]}
    training:
      {batch_size: 50, epochs: 15, optimizer: {rule: adam}, clip: {norm: 1},
       schedule: {learning_rate: 0.005}}
    """

  @Test(arguments: ["lstm", "gru"])
  func `two numbers of a hundred are added`(cell: String) throws {
    let trial = try LearningTrial(Self.adding, "model.layers.0.cell=\(cell)")
    let (sequences, score) = try trial.learn { $0.loss < 0.001 }
    #expect(score.loss < 0.001, "\(score.loss) after \(sequences) sequences")
  }

  @Test func `an elman does not add them`() throws {
    let trial = try LearningTrial(
      Self.adding, "model.layers=[{cell: elman, hidden: 64}]", "training.epochs=15")
    let (_, score) = try trial.learn()
    #expect(score.loss > 0.1)
  }

  @Test func `the order of two symbols of a hundred is told`() throws {
    let trial = try LearningTrial(
      """
      data: {task: temporal-order, train_size: 2560, test_size: 2560}
      model: {layers: [{cell: lstm, hidden: 32, chrono: 100}]}
      training:
        {batch_size: 32, epochs: 12, optimizer: {rule: adam}, clip: {norm: 1},
         schedule: {learning_rate: 0.005}}
      """)
    let (sequences, score) = try trial.learn { $0.targets - $0.correct <= 1 }
    #expect(score.targets - score.correct <= 3 && sequences <= 31_390)
  }

  @Test func `five symbols are copied after twenty steps`() throws {
    let trial = try LearningTrial(
      """
      data: {task: copy, delay: 20, symbols: 5, train_size: 5000, test_size: 1000}
      model: {layers: [{cell: lstm, hidden: 64, chrono: 30}]}
      training:
        {batch_size: 32, epochs: 25, optimizer: {rule: adam}, clip: {norm: 1},
         schedule: {learning_rate: 0.01}}
      """)
    let baseline = 5 * log(8.0) / 30
    let (_, score) = try trial.learn { $0.loss < baseline / 20 }
    #expect(score.loss < baseline / 10)
  }

  @Test(arguments: ConditionPlace.allCases)
  func `texts of a class are written when the class is given`(place: ConditionPlace) throws {
    let trial = try LearningTrial(
      try `Echo state networks`.configuration("conditioned"), "model.condition=\(place.rawValue)")
    try trial.learn()
    guard case .examples(let set) = trial.dataset.test!,
      let task = (set as? GeneratedExamples)?.task as? ConditionedText
    else { preconditionFailure("another task") }
    let generator = Generator(trial.model, weights: trial.trainer.weights, seed: 3)
    let begin = trial.dataset.vocabulary.begin!
    let end = trial.dataset.vocabulary.end!
    var right = 0
    for k in 0..<200 {
      generator.restart(condition: (0..<task.classes).map { $0 == k % task.classes ? 1 : 0 })
      generator.read(begin)
      var text: [Int32] = []
      while text.count < 60, let symbol = generator.next(), symbol != end { text.append(symbol) }
      if task.likeliestClass(of: text) == k % task.classes { right += 1 }
    }
    print("Texts of a class, \(place.rawValue):", right, "of 200")
    #expect(right >= 190, "\(right) of 200")
  }
}
