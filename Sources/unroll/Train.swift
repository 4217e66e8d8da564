public import ArgumentParser
internal import Checkpointing
internal import Collectives
internal import Configuration
internal import Foundation
internal import Logging
internal import Runs
internal import Training

extension ConsoleOptions.Progress: ExpressibleByArgument {}

/// The measurements that a run can make while it trains.
enum DiagnosisKind: String, CaseIterable, ExpressibleByArgument { case gradients }

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a model, alone or under mpirun.",
    discussion: """
      The run's folder holds the configuration, metrics.jsonl and the checkpoints. The same \
      command, started again, resumes from the latest checkpoint. SIGTERM, SIGINT, SIGUSR1 and \
      SIGHUP end the run early with a checkpoint and exit code 75.
      """)

  @OptionGroup var arguments: ConfigurationArguments

  @Option(
    name: .customLong("run"), help: "The run's folder; runs/NAME unless given.",
    completion: .directory)
  var folder: String?

  @Option(help: "auto, none, or the path of a checkpoint to resume.", completion: .directory)
  var resume = "auto"

  @Option(
    help: "Start from the weights of this checkpoint or .safetensors file.", completion: .file())
  var initFrom: String?

  @Option(help: "auto, bar, lines or none.")
  var progress: ConsoleOptions.Progress?

  @Option(
    help: "gradients: write gradient norms by lag, gates and spectral radii to metrics.jsonl.")
  var diagnose: DiagnosisKind?

  @Option(help: "The number of steps between two diagnoses; 100 unless given.")
  var diagnoseEvery: Int?

  @Option(
    help: """
      Save and stop with exit code 75 before this time, such as 90m or 24h, has passed; the end of a SLURM \
      job unless given.
      """)
  var timeLimit: String?

  @Option(
    help: """
      Save and stop with exit code 75 after this step; without it, or with a later one, the same command \
      goes on.
      """)
  var stopAt: Int?

  @Flag(help: "Check the configuration, the data and the checkpoint, and train nothing.")
  var check = false

  @Flag(help: "Print the configuration with every default filled in, and stop.")
  var printConfig = false

  func validate() throws {
    guard stopAt ?? 1 >= 1 else { throw ValidationError("--stop-at must be at least 1.") }
    guard diagnoseEvery ?? 1 >= 1 else {
      throw ValidationError("--diagnose-every must be at least 1.")
    }
    guard diagnoseEvery == nil || diagnose != nil else {
      throw ValidationError(
        "--diagnose-every has no effect without a diagnosis: add --diagnose gradients.")
    }
  }

  func run() throws {
    // Until there is something to save, a request to stop ends the process at once.
    if !check && !printConfig { StopRequest.listen() }
    let options = try arguments.load()
    if printConfig {
      if Launch().rank == 0 { print(try ResolvedConfiguration.yaml(options), terminator: "") }
      return
    }
    if initFrom != nil, resume != "auto", resume != "none" {
      throw UsageError(
        "--init-from starts a new run and --resume continues one: give one of them")
    }
    let request = RunRequest(
      options, given: try arguments.text(options),
      folder: RunFolder(folder ?? "runs/\(options.name)"),
      resume: resume == "auto" ? .auto : resume == "none" ? .none : .path(resume),
      initFrom: initFrom, progress: style(options), isRehearsal: check,
      diagnosingEvery: diagnose == .gradients ? diagnoseEvery ?? 100 : nil,
      timeLimit: try timeLimit.map { try TimeLimit(option: $0) } ?? TimeLimit.ofJob(),
      stopStep: stopAt)
    try inWorld { world in
      let log = Logger(label: "unroll") { _ in ConsoleLog() }
      if let limit = options.watchdog.seconds {
        _ = try Watchdog.start(world, limit: Double(limit), exitCode: ExitStatus.stuck)
      }
      let run = try Run(request, world: world, log: log)
      if check {
        if world.isRoot {
          print("Configuration, data and checkpoint are in order.")
          print(run.memory)
          if !run.parameterSettings.isEmpty { print("Settings of single parameters:") }
          for line in run.parameterSettings { print("  " + line) }
        }
        return ExitStatus.done
      }
      return ExitStatus.of(try run.train())
    }
  }

  /// Returns the style of the progress display: the given one, or a bar on a terminal.
  private func style(_ options: RunOptions) -> ConsoleOptions.Progress {
    let asked = progress ?? options.console.progress
    if asked != .auto { return asked }
    // Under mpirun standard output is a terminal even if it is redirected; the launcher script
    // knows better.
    if let told = ProcessInfo.processInfo.environment["UNROLL_PROGRESS"],
      let style = ConsoleOptions.Progress(rawValue: told), style != .auto
    {
      return style
    }
    return Launch().launcher == .none && isatty(STDERR_FILENO) == 1 ? .bar : .lines
  }
}
