internal import ArgumentParser
internal import Datasets
internal import Foundation
internal import Training

struct ScoreLines: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Prints the log-probability of each line of a text, in nats.",
    discussion: """
      Each line is a text of its own: the state is zero before it, it follows the end of a line, and \
      its own end counts. To a model of sequences a line is a sequence, whose end counts too. Printed: \
      log-probability, symbols, and the line, separated by tabs.
      """)

  @Argument(help: "A checkpoint, or the folder of a run.", completion: .directory)
  var checkpoint: String

  @Argument(help: "A text; standard input unless given.", completion: .file())
  var file: String?

  @OptionGroup var format: PrecisionOption

  func run() throws {
    let (model, weights, vocabulary) = try Checkpoint(
      verifying: CheckpointStore.locate(checkpoint)
    ).model(precision: format.precision)
    let text: Data
    if let file {
      guard let read = FileManager.default.contents(atPath: file) else {
        throw DataError("\(file) cannot be read: check the path and its permissions")
      }
      text = read
    } else {
      text = FileHandle.standardInput.readDataToEndOfFile()
    }
    let scorer = try LineScorer(model, weights: weights, vocabulary: vocabulary)
    var lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    for (number, line) in lines.enumerated() {
      guard let words = String(validating: line, as: UTF8.self) else {
        throw DataError(
          "\(file ?? "standard input"):\(number + 1): the line is not UTF-8; convert it with iconv")
      }
      let score = scorer.score(words)
      print("\(fixedPoint(-score.nats))\t\(score.targets)\t\(words)")
    }
  }

  private func fixedPoint(_ value: Double) -> String { String(format: "%.6f", value) }
}
