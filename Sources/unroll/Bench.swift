public import ArgumentParser
internal import Collectives
internal import Configuration
internal import Foundation
internal import Inference
internal import Recurrence
internal import Tools
internal import Training

extension BenchRequest.Task: ExpressibleByArgument {}

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures the speed and memory of a model, alone or under mpirun.",
    discussion: """
      The model comes from flags, or from configuration files whose values the flags override; the \
      text is generated. Training without a configuration uses SGD with gradient norm clipping. \
      Results: docs/performance.md.
      """)

  @Argument(
    help: "Configuration files whose model and training are measured.",
    completion: .file(extensions: ["yaml", "yml"]))
  var configurations: [String] = []

  @Option(help: "train, evaluate or generate.")
  var task = BenchRequest.Task.train

  @Option(help: "The cell of every layer; lstm unless given.")
  var cell: String?

  @Option(help: "The number of recurrent layers; 2 unless given.")
  var layers: Int?

  @Option(help: "Units of each layer; 650 unless given.")
  var hidden: Int?

  @Option(help: "The embedding's width; that of the layers unless given.")
  var embedding: Int?

  @Option(help: "The number of symbols; 10000 unless given.")
  var vocabulary: Int?

  @Option(help: "Parallel streams of each rank; 20 unless given.")
  var batchSize: Int?

  @Option(help: "Time steps per window; 35 unless given.")
  var bptt: Int?

  @Option(help: "float32 or bfloat16: the number format of the products.")
  var precision: String?

  @Option(help: "The number of timed steps; about ten seconds of steps unless given.")
  var steps: Int?

  @Option(help: "The number of steps before the timed ones.")
  var warmUp = 2

  @Option(
    help: "Write the generated symbols here, 32-bit numbers stream after stream.",
    completion: .file())
  var writeText: String?

  @Option(
    help: "Write the initial weights here, as a file that PyTorch loads.",
    completion: .file(extensions: ["safetensors"]))
  var writeWeights: String?

  @Option(
    name: .customLong("set"), parsing: .singleValue,
    help: "Set a key of the configuration, as in communication.wire=bfloat16; may be repeated.")
  var assignments: [String] = []

  @Flag(help: "Print one JSON object.")
  var json = false

  @Option(
    help: ArgumentHelp(
      "Measure training on each of these numbers of ranks in turn, with the same streams on each rank.",
      valueName: "1,2,4"))
  var scaling: RankCounts?

  @Option(
    help:
      "With --scaling, the number of times that each number of ranks is measured; 3 unless given.")
  var rounds: Int?

  @Option(
    help: """
      With --scaling, a file to compare with; it is written if there is none. The exit code is 78 if a \
      figure has fallen by more than --tolerance.
      """,
    completion: .file(extensions: ["json"]))
  var baseline: String?

  @Option(help: "With --baseline, the share by which a figure may fall; 0.05 unless given.")
  var tolerance: Double?

  @Option(
    help: ArgumentHelp(
      "Measure sums of so many numbers over the ranks instead of a model.", valueName: "numbers"))
  var sum: Int?

  func run() throws {
    if let sum { try measureSum(of: sum) }
    var shape = BenchRequest.Shape()
    shape.cell = cell
    shape.layers = layers
    shape.hidden = hidden
    shape.embedding = embedding
    shape.vocabulary = vocabulary
    shape.batchSize = batchSize
    shape.bptt = bptt
    shape.precision = precision
    let given: RunOptions?
    if !configurations.isEmpty {
      given = try Configuration.decode(RunOptions.self, from: configurations, set: assignments)
    } else if assignments.isEmpty {
      given = nil
    } else {
      given = try BenchRequest.defaults(set: assignments)
      shape.vocabulary = vocabulary ?? 10_000
      if !assignments.contains(where: { $0.hasPrefix("training.batch_size=") }) {
        shape.batchSize = batchSize ?? 20
      }
    }
    if let scaling { try measureScaling(scaling.counts, shape, given) }
    for (flag, isGiven) in [
      ("--rounds", rounds != nil), ("--baseline", baseline != nil),
      ("--tolerance", tolerance != nil),
    ] where isGiven {
      throw UsageError("\(flag) belongs to --scaling, as in unroll bench --scaling 1,2,4 \(flag)")
    }
    // Checked before MPI starts, so that a mistake is reported at once.
    let ranks = Launch().size ?? 1
    var request = try BenchRequest(
      task, shape, configuration: given, steps: steps, warmUp: warmUp, ranks: ranks)
    request.textPath = writeText
    request.weightsPath = writeWeights
    try inWorld { [request] world in
      let report = try Benchmark(request).run(in: world)
      if world.isRoot { print(json ? try report.json : report.words) }
      return ExitStatus.done
    }
  }

  /// Measures sums over the ranks.
  private func measureSum(of count: Int) throws -> Never {
    guard (1...Int(Int32.max)).contains(count) else {
      throw UsageError("--sum is \(count): give a count of numbers from 1 to \(Int32.max)")
    }
    try inWorld { world in
      if let table = try SumBenchmark(count: count).run(in: world) { print(table) }
      return ExitStatus.done
    }
  }

  /// Measures growing numbers of ranks, and compares them with a baseline.
  private func measureScaling(
    _ sizes: [Int], _ shape: BenchRequest.Shape, _ configuration: RunOptions?
  ) throws -> Never {
    if writeText != nil || writeWeights != nil {
      throw UsageError("--write-text and --write-weights do not go with --scaling: leave them out")
    }
    if tolerance != nil, baseline == nil {
      throw UsageError("--tolerance belongs to --baseline: give a file to compare with")
    }
    let tolerance = tolerance ?? 0.05
    guard (0..<1).contains(tolerance) else {
      throw UsageError("--tolerance is \(tolerance): give a share from 0 to below 1, such as 0.05")
    }
    let arguments = CommandLine.arguments.dropFirst().joined(separator: " ")
    let request = try ScalingRequest(
      task, shape, configuration: configuration, sizes: sizes, rounds: rounds ?? 3, steps: steps,
      warmUp: warmUp, ranks: Launch().size ?? 1, command: "unroll \(arguments)")
    try inWorld { world in
      let benchmark = ScalingBenchmark(request)
      let subject = try benchmark.subject(in: world)
      let before = try world.unanimous { () -> ScalingBaseline? in
        guard world.isRoot, let baseline, let before = try ScalingBaseline(baseline) else {
          return nil
        }
        try before.check(subject, sizes: request.sizes)
        return before
      }
      guard let report = try benchmark.run(subject, in: world) else { return ExitStatus.done }
      return try show(report, before, tolerance: tolerance)
    }
  }

  /// Prints a report and its comparison, or writes it as the baseline.
  /// - Returns: The exit code.
  private func show(
    _ report: ScalingReport, _ before: ScalingBaseline?, tolerance: Double
  ) throws -> Int32 {
    let comparison = before?.compare(report, tolerance: tolerance)
    if json {
      print(try ScalingOutput(report, comparison).json)
    } else {
      print(report.words)
      if let comparison { print("\n" + comparison.words) }
    }
    if let baseline, before == nil {
      try ScalingBaseline.write(report, to: baseline)
      say("wrote the baseline \(baseline).")
    }
    guard let complaint = comparison?.complaint else { return ExitStatus.done }
    say(complaint)
    return ExitStatus.slower
  }
}

/// Numbers of ranks, as in `1,2,4`.
struct RankCounts: ExpressibleByArgument {
  let counts: [Int]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    let counts = parts.compactMap { Int($0) }
    guard !counts.isEmpty, counts.count == parts.count else { return nil }
    self.counts = counts
  }
}
