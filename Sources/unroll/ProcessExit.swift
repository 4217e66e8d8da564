internal import ArgumentParser
internal import Collectives
internal import Foundation
internal import Logging
internal import Reporting
internal import Training

/// Ends the process with an error: one sentence from one rank, and the documented exit code.
///
/// Before the ranks are connected, each rank finds the same mistake by itself. The first rank
/// prints it and the launcher then ends the others. A rank that is still running after a while has
/// an error of its own, and prints it.
func leave(_ error: any Error) -> Never {
  let launch = Launch()
  // Help, version, completions, exit codes and usage errors come from the argument parser.
  let parserCode = Unroll.exitCode(for: error).rawValue
  let isParsers = error is ValidationError || parserCode != 1
  if error is ExitCode || parserCode == 0 && launch.rank > 0 { exit(parserCode) }
  if launch.rank > 0 {
    // The launcher's request to end is obeyed without a message.
    signal(SIGTERM, SIG_DFL)
    sleep(3)
    say("rank \(launch.rank): \(isParsers ? Unroll.message(for: error) : "\(error)")")
  } else if isParsers {
    Unroll.exit(withError: error)
  } else {
    say("\(error)")
  }
  exit(isParsers ? parserCode : ExitStatus.of(error))
}

/// Prints one sentence on standard error.
func say(_ sentence: String) {
  StandardStreams.tell("unroll: \(sentence)\n")
}

/// Prints a warning on standard error.
func warn(_ sentence: String) { StandardStreams.tell("warning: \(sentence)\n") }

/// Runs `body` in the world that the launcher started, and leaves the world properly.
///
/// An error that all ranks agreed on is printed by the rank where it happened. Any other error,
/// once the ranks are connected, ends the whole job with its exit code.
func inWorld(_ body: (any Communicator) throws -> Int32) throws -> Never {
  let world = try joinWorld()
  do {
    let code = try body(world)
    try world.finish()
    exit(code)
  } catch is FailedElsewhere {
    // The rank that failed prints the error and gives the exit code.
    try world.finish()
    exit(ExitStatus.done)
  } catch {
    let host = world.size > 1 ? "rank \(world.rank) on \(world.hostName): " : ""
    say("\(host)\(error)")
    try world.abort(code: ExitStatus.of(error))
  }
}

/// A log handler that writes messages to standard error, without dates: metrics.jsonl has the
/// times.
struct ConsoleLog: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let level = event.level >= .error ? "unroll: " : event.level == .warning ? "warning: " : ""
    StandardStreams.tell("\(level)\(event.message)\n")
  }
}
