import Collectives
import Configuration
import Datasets
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
    var start = try StartingConfiguration(purpose, files)
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

  private func yaml(ofTable text: String) throws -> String {
    let folder = TemporaryFolder()
    return try StartingConfiguration(.series, [folder.write("t.csv", text)]).yaml(file: "a.yaml")
  }

  @Test(
    arguments: [
      // A date is another one in each row.
      (
        "date,open,close\n2020-01-01,1,2\n2020-01-02,2,3\n2020-01-03,3,4\n",
        "inputs: [open, close], targets: next}"
      ),
      // Values that repeat in runs tell series apart.
      ("who,x\neva,1\neva,2\nadam,3\nadam,4\n", "inputs: [x], targets: next, id: who}"),
      // Not so if they come again.
      ("who,x\neva,1\nadam,2\neva,3\nadam,4\n", "inputs: [x], targets: next}"),
      // Numbers are an id by their name alone.
      ("run,x\n1,5\n1,6\n2,7\n2,8\n", "inputs: [x], targets: next, id: run}"),
      ("run,x\n1,5\n2,6\n3,7\n4,8\n", "inputs: [run, x], targets: next}"),
      // A first line with a number is data.
      ("a,1,5\na,2,6\nb,3,7\nb,4,8\n", "inputs: [2, 3], targets: next, id: 1}"),
      ("a,1\nb,2\nc,3\n", "inputs: [2], targets: next}"),
    ]) func `find the columns of a table`(_ text: String, _ columns: String) throws
  {
    let yaml = try yaml(ofTable: text)
    #expect(yaml.contains(columns), "\(yaml)")
    #expect(throws: Never.self) {
      try Configuration(yaml: yaml, file: "a.yaml").decode(RunOptions.self)
    }
  }

  @Test func `name the columns that are left out, and refuse a gap in one of numbers`() throws {
    #expect(try yaml(ofTable: "date,x\nmon,1\ntue,2\nwed,3\n").contains("no numbers: date\n"))
    let error = #expect(throws: DataError.self) {
      try self.yaml(ofTable: "x,y\n1,2\n\n3,\n4,5\n")
    }
    #expect(error?.description.contains("t.csv, line 4 has no number in column 2 (y)") == true)
  }

  @Test func `give a tokenizer of all characters, and tell its size`() throws {
    let folder = TemporaryFolder()
    // 3,000 characters, each ten times: more than one symbol for 200 characters.
    var text = ""
    for number in 0..<30_000 {
      text.unicodeScalars.append(UnicodeScalar(UInt32(0x4E00 + number * 7 % 3000))!)
      if number % 20 == 19 { text += "\n" }
    }
    let file = folder.write("my text's.txt", text)
    var start = try StartingConfiguration(.subwords, [file])
    let tokenizer = folder.path + "/t.model"
    try start.trainTokenizer(to: tokenizer)
    let yaml = start.yaml(file: "my file.yaml", tokenizer: tokenizer)
    let size = yaml.split(separator: "--size ").last?.prefix { $0.isNumber }.description
    #expect(try #require(size.flatMap { Int($0) }) >= 3000 + 259)
    #expect(yaml.contains("unroll train 'my file.yaml' "))
    #expect(yaml.contains("my text'\\''s.txt'"))
  }

  @Test(arguments: [Purpose.characters, .words, .subwords, .classification, .series])
  func `refuse what is compressed, whichever file it is, and a path with a line end`(
    _ purpose: Purpose
  ) throws {
    let folder = TemporaryFolder()
    let text = folder.write("a.txt", "a b\n")
    let packed = folder.path + "/b.gz"
    try Data([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3]).write(to: URL(filePath: packed))
    let files = [.characters, .words, .subwords].contains(purpose) ? [text, packed] : [packed]
    let error = #expect(throws: DataError.self) { try StartingConfiguration(purpose, files) }
    #expect(error?.description.contains("b.gz is compressed by gzip") == true)
    let broken = folder.write("c\nd.txt", "a b\n")
    #expect(throws: UsageError.self) { try StartingConfiguration(purpose, [broken]) }
  }

  @Test func `another number of files is refused`() {
    #expect(throws: UsageError.self) { try StartingConfiguration(.translation, ["/dev/null"]) }
    #expect(throws: UsageError.self) { try StartingConfiguration(.tagging, ["a", "b"]) }
    #expect(throws: (any Error).self) { try StartingConfiguration(.characters, ["/no/such"]) }
  }
}
