internal import ArgumentParser
internal import Checkpointing
internal import Configuration
internal import Datasets
internal import Foundation
internal import Inference
internal import Recurrence
internal import Reporting
internal import Training

struct ScoreLines: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Prints the log-probability of each line of a text, in nats.",
    discussion: """
      Each line is scored by itself: the initial state is zero, the first input is the end of a \
      line, and its own end counts. For a model of sequences a line is a sequence, whose end \
      counts too; \
      for a model with an encoder it is the target of the same line of --source. The condition of \
      a line is at its beginning as in the model's data, or is given by --condition or \
      --conditions. Prints log-probability, number of symbols and line, separated by tabs, and \
      at the end the perplexity and the bits per byte of all lines on standard error.
      """)

  @OptionGroup var from: CheckpointArgument

  @Argument(help: "A text; standard input unless given.", completion: .file())
  var file: String?

  @Option(
    help: "The file of sources, one per line, for a model with an encoder.",
    completion: .file())
  var source: String?

  @OptionGroup var known: ConditionsOption

  @OptionGroup var format: PrecisionOption

  /// The number of lines that are grouped by length and scored in parallel.
  private static let group = 1024

  func run() throws {
    let path = try from.locate()
    let loaded = try Checkpoint(verifying: path)
    var unknown = UnknownSymbols()
    var sum = LineSum()
    guard try loaded.interface().encoded != nil else {
      guard source == nil else {
        throw UsageError("\(from.checkpoint) has no encoder to read --source: remove it")
      }
      let (model, weights, vocabulary) = try loaded.model(precision: format.precision)
      let scorer = try LineScorer(model, weights: weights, vocabulary: vocabulary)
      let all = try lines(of: file)
      let (given, said) = try known.told(loaded, readsLines: true).read(
        all, of: file ?? "standard input")
      for first in stride(from: 0, to: all.count, by: Self.group) {
        let part = first..<min(first + Self.group, all.count)
        let scores = scorer.score(Array(said[part]), given: Array(given[part]))
        for (score, line) in zip(scores, all[part]) { show(score, line) }
        sum.add(scores, of: said[part])
        for line in said[part] { unknown.add(vocabulary.encode(line), vocabulary) }
      }
      from.tell(path)
      sum.tell()
      return unknown.tell(of: "the lines")
    }
    guard let source else {
      throw UsageError(
        "\(from.checkpoint) needs a source for its encoder: name the file with --source")
    }
    let translator = try SequenceTranslator(loaded, precision: format.precision)
    let (all, name) = (try lines(of: file), file ?? "standard input")
    var (given, said): ([DecoderInput], [String])
    if translator.readsFrames {
      (given, said) = try translator.pairs(all, of: source, from: name)
    } else {
      (given, said) = (try lines(of: source).map(translator.given), all)
      guard said.count == given.count else {
        throw DataError(
          "\(source) has \(given.count) lines and \(name) \(said.count): give a source for each line"
        )
      }
    }
    given = try known.told(loaded).add(to: given, of: name)
    for first in stride(from: 0, to: said.count, by: Self.group) {
      let part = first..<min(first + Self.group, said.count)
      let scores = translator.score(Array(said[part]), of: Array(given[part]))
      for (score, line) in zip(scores, all[part]) { show(score, line) }
      sum.add(scores, of: said[part])
      unknown.add(translator.unknown(in: said[part]))
      unknown.add(translator.unknown(inSources: given[part]))
    }
    from.tell(path)
    sum.tell()
    unknown.tell(of: "the lines and sources")
  }

  private func show(_ score: Score, _ line: String) {
    print("\(String(format: "%.6f", -score.lossSum))\t\(score.targets)\t\(line)")
  }
}

/// The sum of the scores of lines.
private struct LineSum {
  private var score = Score(lossSum: 0, targets: 0)
  private var bytes = 0

  /// Adds lines, each of its text and the end of the line.
  mutating func add(_ scores: [Score], of lines: some Sequence<String>) {
    for (one, line) in zip(scores, lines) {
      score.lossSum += one.lossSum
      score.targets += one.targets
      bytes += line.utf8.count + 1
    }
  }

  /// Prints a line on standard error.
  func tell() {
    guard score.targets > 0 else { return }
    var score = score
    score.bytesPerTarget = Double(bytes) / Double(score.targets)
    let bits = score.bitsPerByte.map { ", \(String(format: "%.4f", $0)) bits per byte" } ?? ""
    StandardStreams.tell(
      "\(score.targets) symbols, perplexity \(String(format: "%.3f", score.perplexity))\(bits)\n")
  }
}
