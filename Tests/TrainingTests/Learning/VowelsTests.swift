import Collectives
import Configuration
import Datasets
import Formats
import Foundation
import TestSupport
import Testing
import Training

/// The configurations of the Japanese Vowels, on generated utterances of the same shape.
@Suite(.serialized) struct `Learning vowels` {
  private static let task = LabelledFrames(classes: 9, width: 12, length: 7...29)

  /// Utterances as the table that `docs/data.md` makes of the original files.
  private static func table(_ part: TaskPart, seed: UInt64) throws -> String {
    let options = TaskOptions(task, trainSize: 270, testSize: 370)
    let set = try #require(options.examples(part, seed: seed))
    return (0..<set.count).map { index in
      let example = set.example(index, epoch: 1)
      let rows = (0..<example.steps).map { t -> String in
        let numbers: [String] = example.frames[t * task.width..<(t + 1) * task.width].map {
          "\($0)"
        }
        return (["\(example.targets.last! + 1)"] + numbers).joined(separator: ",") + "\n"
      }
      return rows.joined() + "\n"
    }.joined()
  }

  @Test(arguments: ["japanese-vowels", "japanese-vowels-echo"])
  func `Speakers of generated utterances are told apart`(_ name: String) throws {
    let yaml = try `Echo state networks`.configuration(name)
    let scores = try (1...3).map { seed in
      try withTemporaryFolder { folder in
        for part in [TaskPart.train, .test] {
          try Self.table(part, seed: UInt64(seed)).write(
            toFile: "\(folder)/\(part).csv", atomically: true, encoding: .utf8)
        }
        let trial = try LearningTrial(
          yaml, "data.train=\(folder)/train.csv", "data.test=\(folder)/test.csv",
          seed: UInt64(seed))
        #expect(try trial.trainer.run() == .complete)
        return try trial.test()
      }
    }
    print("\(name):", scores.map { $0.targets - $0.correct }, "errors of 370")
    #expect(scores.allSatisfy { $0.targets == 370 && $0.targets - $0.correct <= 4 })
  }
}
