public import ArgumentParser
internal import Collectives
internal import Configuration
public import Datasets
internal import Formats
internal import Foundation
internal import Reporting
internal import Tools
internal import Training

extension DocumentBoundary: ExpressibleByArgument {
  /// The boundaries of texts; others are of shards.
  public static var allValueStrings: [String] { ["file", "line", "blank_line", "none"] }

  public init?(argument: String) {
    guard Self.allValueStrings.contains(argument) else { return nil }
    self.init(rawValue: argument)
  }
}
extension ShardFormat: ExpressibleByArgument {}
extension InvalidText: ExpressibleByArgument {}

struct Prepare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turns texts into shards of tokens, alone or under mpirun.",
    discussion: """
      The folder gets the shards, vocabulary.json and manifest.json; the same bytes on any number of \
      ranks. The same command, started again, goes on where it was killed. SIGTERM, SIGINT, SIGUSR1 \
      and SIGHUP end it early with exit code 75.
      """)

  @Argument(
    help: """
      Files, folders, quoted globs, or - for standard input. Names that end in .gz or .zst are \
      unpacked; .jsonl and .ndjson are JSON lines, of which each is a document.
      """, completion: .file())
  var texts: [String]

  @Option(
    help: """
      A file of a tokenizer, a vocabulary.json, a list of words; or byte, or character or word, whose \
      symbols are counted in the training documents first.
      """, completion: .file())
  var tokenizer: String

  @Option(help: "The folder of the shards.", completion: .directory)
  var out: String

  @Option(help: "What a document of plain text is: file, line, blank_line (a paragraph) or none.")
  var document = DocumentBoundary.file

  @Option(help: "The field of a line of JSON that is the text.")
  var field = "text"

  @Flag(help: "Read texts of any name, and standard input, as JSON lines.")
  var jsonl = false

  @Flag(help: "Put no end-of-document token after documents.")
  var noEndToken = false

  @Option(
    help: """
      Shares of the documents for other shards, as in valid=0.01,test=0.01; which documents, is a \
      function of --seed and of their places in the texts.
      """)
  var split: String?

  @Option(help: "The seed of --split.")
  var seed: UInt64 = 1

  @Option(help: "The tokens of a shard, which ends with the document that reaches them.")
  var shardTokens = 100_000_000

  @Option(help: "The files to write: unroll, llm.c or megatron.")
  var format = ShardFormat.unroll

  @Option(help: "What to do with bytes that are not UTF-8: refuse, or replace by U+FFFD.")
  var invalid = InvalidText.refuse

  @Option(help: "The most symbols of the vocabulary of character or word.")
  var vocabularySize: Int?

  @Option(help: "The seconds of work that may be lost if the command is killed.")
  var saveEvery = 10.0

  @Option(help: "auto, bar, lines or none.")
  var progress = ConsoleOptions.Progress.auto

  @Flag(help: "Print the report as one JSON object.")
  var json = false

  func validate() throws {
    guard (1...1 << 30).contains(shardTokens) else {
      throw ValidationError("--shard-tokens must be from 1 to \(1 << 30).")
    }
    guard vocabularySize ?? 3 >= 3 else {
      throw ValidationError("--vocabulary-size must be at least 3.")
    }
    guard saveEvery >= 0 else { throw ValidationError("--save-every must not be negative.") }
    guard split != nil || seed == 1 else {
      throw ValidationError("--seed has no effect without --split: remove it.")
    }
    guard !texts.isEmpty else { throw ValidationError("Give a text to prepare.") }
    _ = try shares()
  }

  private func shares() throws -> [DocumentShare] {
    try (split ?? "").split(separator: ",").map { part in
      let words = part.split(separator: "=", maxSplits: 1).map(String.init)
      guard words.count == 2, let share = Double(words[1]), share > 0, share < 1,
        !words[0].isEmpty, words[0].allSatisfy({ $0.isASCII && ($0.isLetter || $0 == "_") })
      else {
        throw ValidationError("--split \(part) is not like valid=0.01, a name and a share below 1.")
      }
      return DocumentShare(words[0], share)
    }
  }

  func run() throws {
    StopRequest.listen()
    var settings = PreparationSettings()
    settings.document = document
    settings.hasEndTokens = !noEndToken
    settings.split = try shares()
    settings.seed = seed
    settings.shardTokens = shardTokens
    settings.format = format
    settings.field = field
    settings.readsJSONLines = jsonl
    settings.invalid = invalid
    settings.vocabularySize = vocabularySize
    var request = PreparationRequest(texts, tokenizer: tokenizer, folder: out, settings: settings)
    request.saveEvery = saveEvery
    try inWorld { world in
      let display = ProgressDisplay(style)
      defer { display.end() }
      let preparation = Preparation(request, world: world) { progress in
        display.show(progress.done, of: progress.total, words(progress))
      }
      let result = try preparation.run()
      display.end()
      let isStopped = try world.broadcast([world.isRoot && result?.manifest == nil ? 1 : 0]) == [1]
      if isStopped {
        if world.isRoot { say("stopped as asked; the same command goes on from here") }
        return ExitStatus.resumable
      }
      guard let result else { return ExitStatus.done }
      let report = PreparationReport(result)
      print(json ? try report.json : report.words)
      if let warning = report.warning { warn(warning) }
      return ExitStatus.done
    }
  }

  private func words(_ progress: PreparationProgress) -> [String] {
    let speed = Double(progress.bytes) / max(progress.seconds, 1e-9) / 1e6
    var figures = [
      progress.isCounting ? "counting symbols" : "\(progress.tokens) tokens",
      "\(fixed(speed, 1)) MB/s",
    ]
    if let total = progress.total {
      let done = progress.done - progress.doneBefore
      let left = progress.seconds / Double(max(done, 1)) * Double(total - progress.done)
      figures.insert("\(fixed(100 * Double(progress.done) / Double(max(total, 1)), 1)) %", at: 0)
      figures.append("left \(ProgressDisplay.duration(left))")
    }
    return figures
  }

  private var style: ProgressDisplay.Style {
    switch progress {
    case .bar: .bar
    case .lines: .lines
    case .none: .none
    case .auto:
      Launch().launcher == .none && isatty(STDERR_FILENO) == 1 ? .bar : .lines
    }
  }
}
