internal import ArgumentParser
internal import Checkpointing
internal import Collectives
internal import Configuration
internal import Foundation
internal import Formats
internal import Reporting
internal import Runs
internal import Tools
internal import Training

struct Tune: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Searches for settings by training with several, or tests learning rates.",
    discussion: """
      Each trial is a run of its own in the search's folder, as many at once as there are cores. With \
      --halve-at the better half of the trials, by their lowest validation loss, goes on after each of these \
      steps. The same command, started again, goes on where the search was stopped. At the end stands a table, \
      and tune.svg in the folder; unroll report FOLDER/trial-* shows the curves.

      With --find-rate a single run raises its learning rate step by step; the loss tells from where on it \
      falls, and where it diverges.
      """)

  @OptionGroup var arguments: ConfigurationArguments

  @Option(
    name: .customLong("over"), parsing: .singleValue,
    help: "A setting and its values: KEY=1e-4..1e-2:log, KEY=2..6 or KEY=adam,sgd; may be repeated."
  )
  var settings: [String] = []

  @Option(help: "The number of trials; 12 unless given.")
  var trials: Int?

  @Option(
    help: "Steps after each of which the better half of the trials goes on, as in 500,1000,2000.")
  var halveAt: String?

  @Option(help: "The seed of the values; 1 unless given.")
  var seed: UInt64?

  @Option(help: "The most trials at once; the number of cores unless given.")
  var jobs: Int?

  @Flag(help: "Test learning rates in a single run.")
  var findRate = false

  @Option(help: "With --find-rate: the first and the last rate; 1e-6..1 unless given.")
  var rates: String?

  @Option(help: "With --find-rate: the number of steps; 300 unless given.")
  var rateSteps: Int?

  @Option(
    name: .customLong("run"), help: "The search's folder; runs/NAME-tune unless given.",
    completion: .directory)
  var folder: String?

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    guard trials ?? 1 >= 1, trials ?? 1 <= 9999 else {
      throw ValidationError("--trials needs 1 to 9999.")
    }
    guard jobs ?? 1 >= 1 else { throw ValidationError("--jobs must be at least 1.") }
    guard (50...1_000_000).contains(rateSteps ?? 50) else {
      throw ValidationError("--rate-steps needs 50 to 1000000.")
    }
    let ofSearch =
      !settings.isEmpty || trials != nil || halveAt != nil || seed != nil || jobs != nil
    guard !(findRate && ofSearch) else {
      throw ValidationError(
        "--find-rate is a single run: remove --over, --trials, --halve-at, --seed and --jobs.")
    }
    guard findRate || (rates == nil && rateSteps == nil) else {
      throw ValidationError("--rates and --rate-steps have no effect without --find-rate.")
    }
  }

  func run() throws {
    guard Launch().launcher == .none else {
      throw UsageError(
        "unroll tune starts its trials itself: run it without mpirun or srun, with --jobs for their number"
      )
    }
    let options = try arguments.load()
    StopRequest.listen()
    StopRequest.waitForSteps()
    let path = folder ?? "runs/\(options.name)-tune"
    if findRate { return try find(options, in: path) }
    try search(options, in: path)
  }

  private func search(_ options: RunOptions, in path: String) throws {
    let search = try Search(
      over: settings, trials: trials ?? 12, seed: seed ?? 1, halvings: try halvings(of: options))
    for assignment in arguments.assignments where search.varies(assignment) {
      throw UsageError(
        "--set \(assignment) would do nothing: --over gives other values to the same key")
    }
    let lock = try RunFolder(path).lock()
    defer { withExtendedLifetime(lock) {} }
    var tuner = try Tuner(
      search, in: path,
      given: arguments.configurations + arguments.assignments.flatMap { ["--set", $0] },
      jobs: jobs ?? ProcessInfo.processInfo.activeProcessorCount,
      program: ownProgram
    ) { assignments in
      var further = arguments
      further.assignments += assignments
      do {
        _ = try further.load()
        return nil
      } catch {
        return error
      }
    }
    try search.keep(
      in: path, configuration: try ResolvedConfiguration.yaml(options),
      isBegun: tuner.trials.contains(where: \.isUsed))
    guard try tuner.run(say: { StandardStreams.tell($0 + "\n") }) else { throw stopped }
    let report = SearchReport(tuner)
    try replaceFile(path + "/tune.svg", with: report.svg)
    print(json ? try report.json : report.words)
    guard let best = report.best else {
      StandardStreams.tell("unroll: every trial diverged: give lower rates\n")
      throw ExitCode(ExitStatus.diverged)
    }
    if json { return }
    let settings = best.assignments.map { " --set \($0)" }.joined()
    print("\nThe best: \(best.folder), with\(settings)")
  }

  private func find(_ options: RunOptions, in path: String) throws {
    let written = rates ?? "1e-6..1"
    let range = written.range(of: "..").map {
      (Double(written[..<$0.lowerBound]), Double(written[$0.upperBound...]))
    }
    guard let low = range?.0, let high = range?.1, 0 < low, low < high, high.isFinite else {
      throw UsageError("--rates \(written): write the first and the last rate, as in 1e-6..1")
    }
    let lock = try RunFolder(path).lock()
    defer { withExtendedLifetime(lock) {} }
    let finder = RateFinder(in: path, program: ownProgram)
    let tested = try RateFinder.options(options, rates: low...high, steps: rateSteps ?? 300)
    guard let test = try finder.run(tested) else { throw stopped }
    try replaceFile(path + "/rates.svg", with: test.svg)
    print(json ? try test.json : test.words)
  }

  private func halvings(of options: RunOptions) throws -> [Int] {
    guard let halveAt else { return [] }
    let steps = try halveAt.split(separator: ",", omittingEmptySubsequences: false).map {
      guard let step = Int($0) else {
        throw UsageError("--halve-at \(halveAt): write steps, as in 500,1000,2000")
      }
      return step
    }
    guard options.training.readout == nil else {
      throw UsageError("a readout is fitted in one pass: remove --halve-at")
    }
    if case .steps(let length) = options.training.length, let last = steps.last, last >= length {
      throw UsageError(
        "--halve-at \(last) is not before the end of the trials, which take \(length) steps: give earlier steps"
      )
    }
    return steps
  }

  /// The path of this program.
  private var ownProgram: String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
      ?? CommandLine.arguments[0]
  }

  /// The end of a search that was asked to stop.
  private var stopped: ExitCode {
    StandardStreams.tell("unroll: stopped as asked; the same command goes on\n")
    return ExitCode(ExitStatus.resumable)
  }
}
