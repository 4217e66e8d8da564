internal import ArgumentParser
internal import Datasets
internal import Foundation
internal import Recurrence
internal import Training

struct ScoreLines: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Prints the log-probability of each line of a text, in nats.",
    discussion: """
      Each line is a text of its own: the state is zero before it, it follows the end of a line, and \
      its own end counts. To a model of sequences a line is a sequence, whose end counts too, and to one \
      with an encoder the answer to the same line of --source. What is known of a line stands in front of \
      it as in the model's data, or is told by --condition or --conditions. Printed: log-probability, symbols, and \
      the line, separated by tabs.
      """)

  @OptionGroup var from: CheckpointArgument

  @Argument(help: "A text; standard input unless given.", completion: .file())
  var file: String?

  @Option(
    help: "The file of sources, a line for each, for a model that has an encoder.",
    completion: .file())
  var source: String?

  @OptionGroup var known: ConditionsOption

  @OptionGroup var format: PrecisionOption

  /// Lines of which those of like lengths are read side by side.
  private static let group = 1024

  func run() throws {
    let path = try from.locate()
    let loaded = try Checkpoint(verifying: path)
    var unknown = UnknownSymbols()
    guard try loaded.interface().encoded != nil else {
      guard source == nil else {
        throw UsageError("\(from.checkpoint) has no encoder that would read --source: remove it")
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
        for line in said[part] { unknown.add(vocabulary.encode(line), vocabulary) }
      }
      from.tell(path)
      return unknown.tell(of: "the lines")
    }
    guard let source else {
      throw UsageError(
        "\(from.checkpoint) makes something of a source: name the file with --source")
    }
    let interpreter = try SequenceTranslator(loaded, precision: format.precision)
    let (all, name) = (try lines(of: file), file ?? "standard input")
    var (given, said): ([DecoderInput], [String])
    if interpreter.readsFrames {
      (given, said) = try interpreter.pairs(all, of: source, from: name)
    } else {
      (given, said) = (try lines(of: source).map(interpreter.given), all)
      guard said.count == given.count else {
        throw DataError(
          "\(source) has \(given.count) lines and \(name) \(said.count): give a source for each line"
        )
      }
    }
    given = try known.told(loaded).add(to: given, of: name)
    for first in stride(from: 0, to: said.count, by: Self.group) {
      let part = first..<min(first + Self.group, said.count)
      let scores = interpreter.score(Array(said[part]), of: Array(given[part]))
      for (score, line) in zip(scores, all[part]) { show(score, line) }
      unknown.add(interpreter.unknown(in: said[part]))
      unknown.add(interpreter.unknown(inSources: given[part]))
    }
    from.tell(path)
    unknown.tell(of: "the lines and sources")
  }

  private func show(_ score: Score, _ line: String) {
    print("\(String(format: "%.6f", -score.lossSum))\t\(score.targets)\t\(line)")
  }
}
