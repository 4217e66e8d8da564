public import ArgumentParser
internal import Checkpointing
internal import Collectives
internal import Configuration
internal import Datasets
internal import Foundation
internal import Inference
internal import Training

extension SequenceScore.Part: ExpressibleByArgument {}

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Scores a text or sequences with a model: loss, perplexity, accuracy, NRMSE.",
    discussion: """
      The state is carried through a whole text. Sequences are read in the format of the run's \
      data; --part takes them from the run's own data. Works under mpirun too.
      """)

  @OptionGroup var from: CheckpointArgument

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
      Parallel streams or sequences; 1, unless given, carries a text's state from end to end.
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
      let free = free.flatMap { free in after.map { FreeSteps(told: $0, predicted: free) } }
      guard !isText || part != nil else {
        try world.unanimous {
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
        let result = try TextScore(
          of: data, with: checkpoint, batchSize: batchSize ?? 1, bptt: bptt,
          precision: format.precision, world: world)
        if world.isRoot {
          print(json ? try result.json : result.words)
          from.tell(checkpoint)
          if let warning = result.unknown.warning(of: "the text") { warn(warning) }
        }
        return ExitStatus.done
      }
      let result = try SequenceScore(
        of: part.map { .part($0) } ?? .files(data, source: source, conditions: conditions),
        with: checkpoint, batchSize: batchSize, batchTokens: batchTokens, beam: beam, free: free,
        precision: format.precision, world: world)
      if world.isRoot {
        print(json ? try result.json : result.words)
        from.tell(checkpoint)
        if let warning = result.unknown.warning(of: "the data") { warn(warning) }
      }
      return ExitStatus.done
    }
  }
}
