import Configuration
import Datasets
import Formats
import Foundation
import Inference
import LinearAlgebra
import Recurrence
import Sequences
import TestSupport
import Testing
import Training

/// Models learn where sequences end, in each of the three ways.
@Suite struct `Learning ends` {
  private static func strings(_ count: Int, _ part: TaskPart) -> [[Int32]] {
    let set = TaskOptions(Reber(), trainSize: count, testSize: count).examples(part, seed: 1)!
    return (0..<count).map { index in
      let example = set.example(index, epoch: 1)
      return example.inputs + example.targets.suffix(1)
    }
  }

  private static func text(_ strings: [[Int32]]) -> String {
    strings.map { $0.map { ReberGrammar.symbols[Int($0)] }.joined() + "\n" }.joined()
  }

  @Test(arguments: [EndOfSequence.symbol, .halt, .length()])
  func `of Reber strings, so that drawn ones are legal and as long as given ones`(
    end: EndOfSequence
  ) throws {
    let temporary = TemporaryFolder()
    let folder = temporary.path
    let given = Self.strings(30_000, .train).filter { $0.count <= 20 }
    temporary.write("train.txt", Self.text(given))
    let others = Self.strings(1000, .test).filter { $0.count <= 20 }
    temporary.write("test.txt", Self.text(others))
    let trial = try LearningTrial(
      """
      data:
        {format: lines, train: \(folder)/train.txt, test: \(folder)/test.txt, tokenizer: character}
      model: {layers: [{cell: lstm, hidden: 30}], end: \(end.name)}
      training:
        {batch_size: 16, epochs: 6, optimizer: {rule: adam}, clip: {norm: 10},
         loss_reduction: sum_over_time,
         schedule: {shape: cosine, learning_rate: 0.01}}
      """)
    let (_, score) = try trial.learn()
    let nats = score.lossSum / Double(others.count)
    // All strings have 6 ln 2 nats on average, those of at most 20 symbols a little less.
    let ideal = 6 * log(2.0)
    let vocabulary = trial.dataset.vocabulary
    let decoder = SequenceDecoder(
      trial.model, weights: trial.trainer.weights, start: vocabulary.begin!,
      end: vocabulary.end!)
    let line = try LineScorer(
      trial.model, weights: trial.trainer.weights, vocabulary: vocabulary
    ).score(["BTXSE"], given: [DecoderInput()])[0]
    let likelihood = decoder.logLikelihoods(
      of: [vocabulary.encode("BTXSE")], given: [DecoderInput()])
    #expect(line.targets == 6 && abs(line.lossSum + likelihood[0]) < 1e-5)
    #expect(abs(line.lossSum - 3 * log(2.0)) < 0.3, "\(line.lossSum) nats for one string in 8")
    let drawn = decoder.sample(
      [DecoderInput](repeating: DecoderInput(), count: 4000), maximumLength: 80, seed: 3)
    let legal = drawn.count { hypothesis in
      guard hypothesis.isFinished,
        let numbers = ReberGrammar.numbers(vocabulary.decode(hypothesis.symbols))
      else { return false }
      return ReberGrammar.plain.accepts(numbers)
    }
    func shares(_ lengths: [Int]) -> [Double] {
      (0...80).map { length in Double(lengths.count { $0 == length }) / Double(lengths.count) }
    }
    let apart =
      zip(shares(drawn.map(\.symbols.count)), shares(given.map(\.count)))
      .reduce(0) { $0 + abs($1.0 - $1.1) } / 2
    #expect(nats < 1.03 * ideal, "\(nats) nats a string")
    #expect(legal > 3800, "\(legal) of 4000 drawn strings are legal")
    #expect(apart < 0.05, "lengths of drawn and given strings are \(apart) apart")
  }
}
