import Collectives
import Configuration
import Foundation
import TestSupport
import Testing
import Tools

/// The configurations of `unroll init`.
@Suite struct `Configurations to start from` {
  private static func data(_ purpose: Purpose) -> [String] {
    let text = text(6000, seed: 4)
    let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
    let lines = stride(from: 0, to: words.count - 4, by: 4).map { words[$0..<$0 + 4] }
    return switch purpose {
    case .characters, .words, .subwords: [text]
    case .classification:
      [
        lines.enumerated().map { "\($0 % 2 == 0 ? "even" : "odd")\t\($1.joined(separator: " "))" }
          .joined(separator: "\n") + "\n"
      ]
    case .tagging:
      [
        lines.map { $0.map { "\($0)|\($0.count > 3 ? "L" : "S")" }.joined(separator: " ") }
          .joined(separator: "\n") + "\n"
      ]
    case .translation:
      [
        lines.map { $0.joined(separator: " ") }.joined(separator: "\n") + "\n",
        lines.map { $0.reversed().joined(separator: " ") }.joined(separator: "\n") + "\n",
      ]
    case .music:
      [String(repeating: "51,55,58 | 55,58 |  | 51,55\n30 | 31 | 32,40 | 33\n", count: 20)]
    case .series:
      [
        "run,x,y\n"
          + (0..<200).map { "\($0 / 10),\(Double($0 % 7) / 7),\(Double($0 % 5) / 5)\n" }.joined()
      ]
    }
  }

  @Test(arguments: Purpose.allCases)
  func `train on the data that they were made for`(_ purpose: Purpose) throws {
    let folder = TemporaryFolder()
    let files = Self.data(purpose).enumerated().map { folder.write("my data \($0).txt", $1) }
    let start = try StartingConfiguration(purpose, files)
    let tokenizer = folder.path + "/t.model"
    if start.needsTokenizer { try start.trainTokenizer(to: tokenizer) }
    // A few steps show that all fits.
    var trial = Trial("training.steps=3", "training.epochs=null", "training.schedule.warmup=0")
    trial.yaml = start.yaml(file: "a.yaml", tokenizer: tokenizer)
    trial.texts = [:]
    #expect(trial.yaml.contains("\t") == false)
    let options = try Configuration(yaml: trial.yaml, file: "a.yaml").decode(RunOptions.self)
    #expect(options.violations(at: .start).map(\.sentence) == [])
    #expect(try trial.train(SingleProcess(), folder.path).step == 3)
  }

  @Test(arguments: Purpose.allCases)
  func `are whole without data as well`(_ purpose: Purpose) throws {
    let yaml = try StartingConfiguration(purpose, []).yaml(file: "a.yaml")
    let options = try Configuration(yaml: yaml, file: "a.yaml").decode(RunOptions.self)
    #expect(options.violations(at: .start).map(\.sentence) == [])
    #expect(options.name == purpose.rawValue)
  }

  @Test(arguments: [0, 1, 37, 400, 3000, 2_000_000])
  func `fit texts of any size that can be trained on`(_ count: Int) throws {
    let folder = TemporaryFolder()
    let file = folder.write("t.txt", String(repeating: "ab c\n", count: count / 5 + 1))
    let yaml = try StartingConfiguration(.characters, [file]).yaml(file: "a.yaml")
    let training = try Configuration(yaml: yaml, file: "a.yaml").decode(RunOptions.self).training
    #expect(training.batchSize >= 1 && training.bptt >= 8)
    if count >= 3000 { #expect(training.batchSize * training.bptt * 10 <= count * 2) }
  }

  @Test func `another number of files is refused`() {
    #expect(throws: UsageError.self) { try StartingConfiguration(.translation, ["/dev/null"]) }
    #expect(throws: UsageError.self) { try StartingConfiguration(.tagging, ["a", "b"]) }
    #expect(throws: (any Error).self) { try StartingConfiguration(.characters, ["/no/such"]) }
  }
}
