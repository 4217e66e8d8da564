import Configuration
import Datasets
import Formats
import Foundation
import Inference
import LinearAlgebra
import Recurrence
import Testing
import Training

/// Networks learn grammars: what is published of them is reached.
@Suite struct `Learning grammars` {
  private static let reber = """
    data: {task: reber, train_size: 16000, test_size: 10000}
    model: {layers: [{cell: elman, hidden: 10}]}
    training:
      {batch_size: 16, epochs: 6, optimizer: {rule: adam},
       schedule: {shape: cosine, learning_rate: 0.005}}
    """

  private static let embedded = """
    data: {task: embedded-reber, train_size: 8000, test_size: 10000}
    model: {layers: [{cell: lstm, hidden: 32}]}
    training:
      {batch_size: 16, epochs: 10, optimizer: {rule: adam}, clip: {norm: 1},
       schedule: {shape: cosine, learning_rate: 0.01}}
    """

  /// How far the loss of a lesson's test is above the least possible on the same strings, as a part
  /// of it; and how many strings have a step at which an illegal symbol is likelier than a legal
  /// one.
  private func measure(
    _ trial: LearningTrial, _ grammar: ReberGrammar, on part: Split? = nil
  ) throws -> (excess: Double, score: Score, illegal: Int) {
    var (ideal, illegal) = (0.0, 0)
    try trial.forEachPrediction(on: part) { prefix, outputs, _ in
      let legal = Set(grammar.successors(of: prefix)!)
      ideal += log(Double(legal.count))
      let worst = legal.map { outputs[Int($0)] }.min()!
      let others = (0..<outputs.count).filter { !legal.contains(Int32($0)) }
      if others.contains(where: { outputs[$0] >= worst }) { illegal += 1 }
    }
    let score = try trial.score(part ?? trial.dataset.test!)
    return (score.lossSum / ideal - 1, score, illegal)
  }

  @Test func `an elman of 10 units predicts Reber strings as well as can be`() throws {
    let trial = try LearningTrial(Self.reber)
    try trial.learn()
    let (excess, score, illegal) = try measure(trial, .plain)
    #expect(excess < 0.005, "\(excess) above the ideal, \(score.loss) nats")
    #expect(abs(score.loss - 6 * log(2.0) / 7) < 0.01)
    #expect(illegal == 0)
  }

  @Test func `3 units tell every legal successor from every illegal one`() throws {
    let trial = try LearningTrial(Self.reber, "model.layers.0.hidden=3", "training.epochs=12")
    try trial.learn()
    let (excess, _, illegal) = try measure(trial, .plain)
    #expect(illegal == 0, "\(illegal) steps of 10,000 strings, \(excess) above the ideal")
  }

  @Test(arguments: 1...10)
  func `an lstm remembers the outer letter of embedded Reber strings`(seed: UInt64) throws {
    let trial = try LearningTrial(Self.embedded, seed: seed)
    try trial.learn()
    let (excess, score, illegal) = try measure(trial, .embedded)
    #expect(illegal == 0, "\(illegal) steps of 10,000 strings")
    #expect(excess < 0.005, "\(excess) above the ideal, \(score.loss) nats")
  }

  @Test func `an lstm needs few embedded Reber strings until 256 others are right`() throws {
    let strings = try (1...10).map { seed in
      let trial = try LearningTrial(
        Self.embedded, "data.valid_size=256", "training.schedule={learning_rate: 0.01}",
        seed: UInt64(seed))
      // A look every 20 batches.
      while !trial.trainer.coordinator.isComplete {
        for _ in 0..<20 { _ = try trial.trainer.step() }
        if try measure(trial, .embedded, on: trial.dataset.valid).illegal == 0 { break }
      }
      return trial.trainer.coordinator.state.step * trial.options.training.batchSize
    }
    let needed = strings.map { Double($0) }
    print("Embedded Reber, strings until 256 others are right:", strings, "mean", mean(needed))
    #expect(mean(needed) < 8_440, "\(strings)")
    #expect(strings.allSatisfy { $0 < 80_000 }, "\(strings)")
  }

  @Test func `an elman whose gradient reaches back one step does not remember it`() throws {
    let trial = try LearningTrial(
      Self.embedded, "model.layers=[{cell: elman, hidden: 15}]", "training.bptt=1",
      "training.epochs=10")
    try trial.learn()
    let (_, score, _) = try measure(trial, .embedded)
    #expect(score.loss > 0.48)
    var (right, strings) = (0, 0)
    try trial.forEachPrediction { prefix, outputs, target in
      // The last but one is asked for after a whole Reber string.
      guard prefix.count > 6, ReberGrammar.embedded.successors(of: prefix)?.count == 1,
        ReberGrammar.embedded.successors(of: prefix + [target]) == [6]
      else { return }
      strings += 1
      if (0..<outputs.count).allSatisfy({ outputs[$0] <= outputs[Int(target)] }) { right += 1 }
    }
    #expect(strings == 10_000)
    #expect(Double(right) < 0.9 * Double(strings), "\(right) of \(strings)")
  }

  @Test(arguments: ["parity"] + (1...7).map { "tomita, grammar: \($0)" })
  func `a second-order network learns from short strings what it then knows of long ones`(
    task: String
  ) throws {
    let trial = try LearningTrial(
      """
      data: {task: \(task), train_size: 4000, valid_size: 1000, test_size: 1000}
      model: {layers: [{cell: second-order, hidden: 8, initial_state: e0}]}
      training:
        {batch_size: 16, epochs: 20, optimizer: {rule: adam}, clip: {norm: 1},
         schedule: {learning_rate: 0.03}}
      """)
    let (sequences, score) = try trial.learn { $0.correct == $0.targets }
    #expect(score.correct == score.targets, "\(score.accuracy) after \(sequences) strings")
  }

  @Test func `parity stays at chance for a second-order network that starts from zero`() throws {
    let trial = try LearningTrial(
      """
      data: {task: parity, train_size: 4000, test_size: 1000}
      model: {layers: [{cell: second-order, hidden: 8}]}
      training:
        {batch_size: 16, epochs: 5, optimizer: {rule: adam}, clip: {norm: 1},
         schedule: {learning_rate: 0.03}}
      """)
    let (_, score) = try trial.learn()
    #expect(score.accuracy < 0.6)
  }
}
