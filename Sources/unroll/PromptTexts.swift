internal import Configuration
internal import Datasets
internal import Foundation
internal import Inference
internal import Reporting

/// The prompts of `unroll generate`, each as often as texts are wanted of it.
struct PromptTexts {
  /// The symbols of each text's prompt.
  let all: [[Int32]]
  /// The text of each prompt.
  let prompts: [String]
  /// The number of texts of a prompt.
  let count: Int
  private(set) var unknown = UnknownSymbols()

  /// - Throws: `UsageError` where a prompt has no symbol that the model knows, or is longer than the
  ///   sequences that it predicts; `FileError` where the file cannot be read.
  init(_ command: Generate, _ generator: TextGenerator) throws {
    let vocabulary = generator.vocabulary
    prompts =
      try command.prompts.map { try lines(of: $0 == "-" ? nil : $0) } ?? [command.prompt ?? ""]
    count = command.count
    guard !prompts.isEmpty else {
      let path = command.prompts == "-" ? "standard input" : command.prompts ?? ""
      throw UsageError("\(path) has no lines: give a prompt on each line")
    }
    var symbols: [[Int32]] = []
    for (number, prompt) in prompts.enumerated() {
      let place = command.prompts.map { "\($0), line \(number + 1): " } ?? ""
      let given = PromptSymbols(prompt, vocabulary)
      unknown.add(given.unknown)
      if let fault = given.fault(
        atMost: generator.longestPredicted, of: command.from.checkpoint)
      {
        throw UsageError(place + fault)
      }
      symbols.append(given.symbols)
    }
    let times = count
    all = symbols.flatMap { Array(repeating: $0, count: times) }
  }
}

/// Prints the texts of `unroll generate`.
struct TextPrinter {
  private let texts: PromptTexts
  private let generator: TextGenerator
  private let stop: [String]
  private let asJSON: Bool

  init(_ texts: PromptTexts, _ generator: TextGenerator, _ stop: [String], asJSON: Bool) {
    (self.texts, self.generator, self.stop, self.asJSON) = (texts, generator, stop, asJSON)
  }

  /// Prints the continuation of a text.
  func put(_ index: Int, _ text: TextGenerator.Continuation) throws {
    let bytes = generator.bytes(texts.all[index], text, stop: stop)
    guard asJSON else {
      // A line tells several texts apart.
      let head = texts.all.count > 1 ? Data("======== \(index + 1)\n".utf8) : Data()
      return try StandardStreams.put(head + Data(bytes) + Data([UInt8(ascii: "\n")]))
    }
    let vocabulary = generator.vocabulary
    let record = Record(
      prompt: texts.prompts[index / texts.count], text: String(decoding: bytes, as: UTF8.self),
      symbols: text.symbols.map { vocabulary.decode([$0]) }, ids: text.symbols,
      logProbabilities: text.logProbabilities, end: text.end.rawValue)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    try StandardStreams.put(try encoder.encode(record) + Data([UInt8(ascii: "\n")]))
  }

  private struct Record: Encodable {
    let prompt: String
    let text: String
    let symbols: [String]
    let ids: [Int32]
    let logProbabilities: [Double]
    let end: String

    enum CodingKeys: String, CodingKey {
      case prompt, text, symbols, ids, end
      case logProbabilities = "log_probabilities"
    }
  }
}
