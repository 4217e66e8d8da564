public import ArgumentParser
internal import Configuration
internal import Foundation
internal import Reporting
public import Tools

extension Purpose: ExpressibleByArgument {}

struct Init: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a commented configuration to start from.",
    discussion: """
      The purposes are:

      \(Purpose.allCases.map { "\($0.rawValue): \($0.words)." }.joined(separator: "\n"))

      Widths, windows and epochs are chosen by the size of the data. An existing file is never replaced.
      """)

  @Argument(help: "The purpose.")
  var purpose: Purpose

  @Argument(help: "The data; names that stand for files unless given.", completion: .file())
  var data: [String] = []

  @Option(
    name: [.short, .long], help: "The file to write; NAME.yaml after the data unless given.",
    completion: .file(extensions: ["yaml"]))
  var output: String?

  func run() throws {
    var start = try StartingConfiguration(purpose, data)
    let file = output ?? start.name + ".yaml"
    guard !file.unicodeScalars.contains(where: { $0.value < 32 }) else {
      throw UsageError("--output has a line end or another control character: choose another name")
    }
    let end = [".yaml", ".yml"].first { file.hasSuffix($0) } ?? ""
    let tokenizer = String(file.dropLast(end.count)) + ".model"
    for path in [file] + (start.needsTokenizer ? [tokenizer] : []) {
      guard !FileManager.default.fileExists(atPath: path) else {
        throw UsageError("\(path) exists already: choose another file with --output, or remove it")
      }
    }
    if start.needsTokenizer {
      try start.trainTokenizer(to: tokenizer)
      print(tokenizer)
    }
    let yaml = start.yaml(
      file: file, tokenizer: start.needsTokenizer ? tokenizer : "tokenizer.model")
    do {
      try Data(yaml.utf8).write(to: URL(filePath: file), options: .withoutOverwriting)
    } catch {
      throw UsageError("\(file) cannot be written: choose another file with --output")
    }
    print(file)
    StandardStreams.tell(
      "unroll train \(StartingConfiguration.shellWord(file)) starts the training.\n")
  }
}
