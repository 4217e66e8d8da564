public import ArgumentParser
internal import Checkpointing
internal import Collectives
internal import Configuration
internal import Datasets
internal import Foundation
internal import Inference
internal import Reporting
internal import Training

extension SequenceScore.Part: ExpressibleByArgument {}
extension EvaluationTask: ExpressibleByArgument {}

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Scores a text, sequences or a task with a model: loss, perplexity, accuracy, NRMSE.",
    discussion: """
      The state is carried through a whole text. Sequences are read in the format of the run's \
      data; --part takes them from the run's own data. --task reads sets of the field: unroll \
      evaluate CHECKPOINT --task lambada FILE.jsonl. With --dynamic or --cache the model adapts to \
      the text. Works under mpirun too.
      """)

  @OptionGroup var from: CheckpointArgument

  @Argument(help: "The file of --task, a JSON object on each line.", completion: .file())
  var file: String?

  @Option(
    help: """
      lambada: the last word of each text; pairs: the better of two sentences; choices: the right \
      ending.
      """)
  var task: EvaluationTask?

  @Option(help: "A text or a file of sequences, or a folder of them.", completion: .file())
  var data: [String] = []

  @Option(help: "The sources of pairs in --data.", completion: .file())
  var source: String?

  @Option(
    help: "The table of conditions of the sequences in --data, if the model's data has one.",
    completion: .file())
  var conditions: String?

  @Option(help: "valid or test: a split of the run's own data.")
  var part: SequenceScore.Part?

  @Option(
    help: """
      Parallel streams or sequences; 1, unless given, carries a text's state from end to end; 32, \
      unless given, for --task.
      """)
  var batchSize: Int?

  @Option(
    help: """
      For sequences, instead of --batch-size: the most steps × sequences in a batch; \
      evaluation.batch_tokens of the run unless one of the two is given.
      """)
  var batchTokens: Int?

  @Option(help: "Time steps per window of a text; changes memory and speed, not the result.")
  var bptt = 512

  @Option(
    help: "The width of beam search, if sources are decoded; 0 for the loss only.")
  var beam = 1

  @Option(
    help: """
      Lets a model of series predict N steps from its own outputs, and measures the last step; \
      needs --after.
      """)
  var free: Int?

  @Option(help: "The number of steps of each series that are given before --free begins.")
  var after: Int?

  @OptionGroup var adapting: AdaptationOptions

  @OptionGroup var format: PrecisionOption

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    guard batchSize ?? 1 >= 1 else { throw ValidationError("--batch-size must be at least 1.") }
    guard batchTokens ?? 1 >= 1 else {
      throw ValidationError("--batch-tokens must be at least 1.")
    }
    guard batchSize == nil || batchTokens == nil else {
      throw ValidationError("Give --batch-size or --batch-tokens, not both.")
    }
    guard (0...64).contains(beam) else { throw ValidationError("--beam must be from 0 to 64.") }
    guard bptt >= 1 else { throw ValidationError("--bptt must be at least 1.") }
    let steps = 1...1_000_000_000
    guard (free == nil) == (after == nil), steps.contains(free ?? 1), steps.contains(after ?? 1)
    else {
      throw ValidationError("--free and --after go together; both must be from 1 to a billion.")
    }
    guard (task == nil) == (file == nil) else {
      throw ValidationError(
        task == nil
          ? "Give a text or sequences with --data, and a file without it to --task."
          : "Give the file of --task.")
    }
    if task != nil {
      guard data.isEmpty, part == nil, source == nil, conditions == nil, free == nil,
        batchTokens == nil, adapting.adaptation == nil, bptt == 512, beam == 1
      else {
        throw ValidationError(
          "--task takes a file, --batch-size, --precision and --json; remove the other options.")
      }
      return
    }
    guard data.isEmpty != (part == nil) else {
      throw ValidationError("Give files with --data, or a split of the run's data with --part.")
    }
    guard part == nil || source == nil && conditions == nil else {
      throw ValidationError(
        "--source and --conditions belong to --data; a split of the run's data has its own.")
    }
  }

  func run() throws {
    try inWorld { world in
      let (checkpoint, isText) = try world.unanimous {
        let path = try from.locate()
        return (path, try Checkpoint(verifying: path).interface().isRunning)
      }
      if let task, let file {
        try score(task, file, with: checkpoint, world)
      } else if let adaptation = adapting.adaptation {
        try score(adaptation, with: checkpoint, world)
      } else if isText, part == nil {
        try scoreText(with: checkpoint, world)
      } else {
        try scoreSequences(with: checkpoint, world)
      }
      return ExitStatus.done
    }
  }

  /// Refuses options that mean nothing for a text.
  private func checkTextOptions() throws {
    guard free == nil else {
      throw UsageError("--free and --after are for series of numbers; remove them")
    }
    guard source == nil, conditions == nil else {
      throw UsageError("--source and --conditions are for sequences; remove them")
    }
    guard batchTokens == nil else {
      throw UsageError("--batch-tokens is for sequences; give --batch-size for a text")
    }
  }

  private func scoreText(with checkpoint: String, _ world: any Communicator) throws {
    try world.unanimous { try checkTextOptions() }
    let result = try TextScore(
      of: data, with: checkpoint, batchSize: batchSize ?? 1, bptt: bptt,
      precision: format.precision, world: world)
    guard world.isRoot else { return }
    print(json ? try result.json : result.words)
    from.tell(checkpoint)
    if let warning = result.unknown.warning(of: "the text") { warn(warning) }
  }

  private func scoreSequences(with checkpoint: String, _ world: any Communicator) throws {
    let free = free.flatMap { free in after.map { FreeSteps(told: $0, predicted: free) } }
    let result = try SequenceScore(
      of: part.map { .part($0) } ?? .files(data, source: source, conditions: conditions),
      with: checkpoint, batchSize: batchSize, batchTokens: batchTokens, beam: beam, free: free,
      precision: format.precision, world: world)
    guard world.isRoot else { return }
    print(json ? try result.json : result.words)
    from.tell(checkpoint)
    if let warning = result.unknown.warning(of: "the data") { warn(warning) }
  }

  private func score(
    _ adaptation: Adaptation, with checkpoint: String, _ world: any Communicator
  ) throws {
    try world.unanimous { try checkTextOptions() }
    let result = try AdaptedScore(
      of: part.map { .part($0) } ?? .files(data), with: checkpoint, adaptation,
      searches: adapting.searches, batchSize: batchSize ?? 1, bptt: bptt,
      precision: format.precision, world: world
    ) { adaptation, score in
      StandardStreams.tell("\(adaptation.words): validation loss \(score.loss)\n")
    }
    guard world.isRoot else { return }
    print(json ? try result.json : result.words)
    StandardStreams.tell(result.adaptation.words + "\n")
    from.tell(checkpoint)
    if let warning = result.unknown.warning(of: "the text") { warn(warning) }
  }

  private func score(
    _ task: EvaluationTask, _ file: String, with checkpoint: String, _ world: any Communicator
  ) throws {
    let read = try world.unanimous { world.isRoot ? try lines(of: file) : [] }
    var progress = TextProgress()
    let result = try TaskScore(
      task, read, of: file, with: checkpoint, batchSize: batchSize ?? 32,
      precision: format.precision, world: world, progress: { progress.show($0, of: $1) })
    guard world.isRoot else { return }
    progress.finish()
    print(json ? try result.json : result.words)
    from.tell(checkpoint)
    if let warning = result.unknown.warning(of: "the texts") { warn(warning) }
  }
}

/// The progress of a command over its texts, on a terminal only.
private struct TextProgress {
  private let clock = ContinuousClock()
  private let isShown = isatty(STDERR_FILENO) == 1
  private var shown: ContinuousClock.Instant?

  /// Shows the part that is done, at most five times a second.
  mutating func show(_ done: Int, of total: Int) {
    guard isShown, shown.map({ clock.now - $0 > .milliseconds(200) }) ?? true else { return }
    shown = clock.now
    StandardStreams.tell(
      "\r" + ProgressLine.bar(done, of: total) + "  \(done) of \(total) texts  ")
  }

  /// Clears the line.
  func finish() { if shown != nil { StandardStreams.tell("\r\u{1B}[K") } }
}
