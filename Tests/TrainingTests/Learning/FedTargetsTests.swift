import Configuration
import Datasets
import Formats
import Foundation
import Recurrence
import TestSupport
import Testing
import Training

/// Layers that are fed the last tag learn to rely on it, and are measured without being told it.
@Suite struct `Tags that are fed back` {
  /// Sentences of a word that says nothing, whose tags alternate from a random start.
  private static func sentences(_ count: Int, seed: UInt32) -> String {
    var state = seed
    func draw(_ most: UInt32) -> Int {
      state = state &* 1_664_525 &+ 1_013_904_223
      return Int((state >> 16) % most)
    }
    return (0..<count).map { _ in
      let start = draw(2)
      return (0..<5 + draw(8)).map { "word|\(($0 + start) % 2 == 0 ? "even" : "odd")" }
        .joined(separator: " ")
    }.joined(separator: "\n")
  }

  @Test(
    arguments: [
      "{cell: jordan, hidden: 8, teacher_forcing: true}",
      "{cell: gru, hidden: 8, feedback: target}",
    ])
  func `are no better than chance where the first cannot be known`(layer: String) throws {
    try withTemporaryFolder { try check(layer, in: $0) }
  }

  private func check(_ layer: String, in folder: String) throws {
    for (name, count, seed) in [("train", 400, UInt32(1)), ("test", 1000, 2)] {
      try Self.sentences(count, seed: seed)
        .write(toFile: folder + "/\(name).txt", atomically: true, encoding: .utf8)
    }
    let trial = try LearningTrial(
      """
      data: {format: tags, train: \(folder)/train.txt, test: \(folder)/test.txt}
      model: {embedding: 3, layers: [\(layer)]}
      training:
        {batch_size: 20, epochs: 8, optimizer: {rule: adam}, schedule: {learning_rate: 0.02}}
      """)
    let (_, score) = try trial.learn()
    // Of given tags, only the first of each sentence is in doubt: ln 2 nats.
    let doubt = 1000 * log(2.0)
    #expect(
      score.lossSum > 0.95 * doubt && score.lossSum < 1.2 * doubt, "\(score.lossSum) of \(doubt)")
    // A sentence is predicted right from end to end or wrong from end to end.
    #expect(abs(score.accuracy - 0.5) < 0.06, "\(score.accuracy)")
    #expect(!trial.dataset.test!.readsItsTargets)

    // What is said of each step is said without being told either.
    var (right, steps) = (0, 0)
    try trial.forEachPrediction { _, outputs, target in
      let best = (0..<outputs.count).max { outputs[$0] < outputs[$1] }
      if best == Int(target) { right += 1 }
      steps += 1
    }
    #expect(steps == score.targets && right == score.correct)
  }

  @Test func `are given where each step reads the last one`() throws {
    let trial = try LearningTrial(
      """
      data: {task: reber, train_size: 100, test_size: 50}
      model: {layers: [{cell: jordan, hidden: 8, teacher_forcing: true}]}
      training:
        {batch_size: 10, epochs: 3, optimizer: {rule: adam}, schedule: {learning_rate: 0.05}}
      """)
    let part = try #require(trial.dataset.test)
    #expect(part.readsItsTargets)
    let (_, score) = try trial.learn()
    let loader = try part.loader(LoaderRequest(batchSize: 50, isBucketed: false))
    let batch = loader.makeBatch()
    let tape = Tape(
      trial.model.plan, fitting: loader.windowSizes, derivatives: false, resets: loader.mayReset)
    loader.next(into: batch)
    let pass = tape.begin(batch, weights: trial.trainer.weights)
    trial.model.read(pass)
    var right = 0
    for t in 0..<batch.steps {
      let outputs = trial.model.outputs(at: t, pass)
      for s in 0..<batch.streams {
        let best = (0..<outputs.columns).max { outputs[s, $0] < outputs[s, $1] }
        if best == Int(batch.targets.elements()[t * batch.streams + s]) { right += 1 }
      }
    }
    #expect(score.correct == right)
    #expect(trial.model.predict(pass) != right, "the same where predictions are fed")
  }
}
