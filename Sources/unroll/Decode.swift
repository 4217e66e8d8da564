internal import ArgumentParser
internal import Foundation
internal import Recurrence
internal import Training

struct Decode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Says what a model makes of sources: translations, pronunciations.",
    discussion: "Reads sources, one a line, from a file or standard input; prints a line for each.")

  @Argument(help: "A checkpoint, or the folder of a run.", completion: .directory)
  var checkpoint: String

  @Option(help: "The file of sources; standard input unless given.", completion: .file())
  var source: String?

  @Option(help: "Hypotheses side by side; 1 takes the likeliest symbol after each other.")
  var beam = 4

  @Option(help: "How much longer hypotheses are preferred (Wu 2016).")
  var lengthNormalisation = 1.0

  @Flag(help: "Draw each symbol from its distribution in place of searching.")
  var sample = false

  @Option(help: "The same seed draws the same lines.")
  var seed: UInt64 = 1

  @OptionGroup var format: PrecisionOption

  func validate() throws {
    guard (1...64).contains(beam) else { throw ValidationError("--beam must be from 1 to 64.") }
    guard lengthNormalisation >= 0 else {
      throw ValidationError("--length-normalisation must not be negative.")
    }
  }

  func run() throws {
    let interpreter = try Interpreter(
      Checkpoint(verifying: CheckpointStore.locate(checkpoint)), precision: format.precision)
    let text: String
    if let source {
      guard let read = try? String(contentsOfFile: source, encoding: .utf8) else {
        throw UsageError("\(source) cannot be read as UTF-8: check the path")
      }
      text = read
    } else {
      text = String(
        decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
    }
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    if lines.last == "" { lines.removeLast() }
    for first in stride(from: 0, to: lines.count, by: 64) {
      let part = Array(lines[first..<min(first + 64, lines.count)])
      let said =
        sample
        ? interpreter.sample(part, seed: seed &+ UInt64(first))
        : interpreter.search(
          part, beam: beam, normalisation: LengthNormalisation(alpha: lengthNormalisation))
      for line in said { print(line) }
    }
  }
}
