internal import ArgumentParser
internal import Collectives
internal import Foundation
internal import Logging
internal import Training

/// Ends the process with what an error says: one sentence from one rank, and the documented exit code.
///
/// Before the ranks have met, each finds the same mistake by itself. The first rank says it, upon which
/// the launcher ends the others; another rank that is still there after a while has a mistake of its own.
func leave(_ error: any Error) -> Never {
  let launch = Launch()
  // Help, version, completions, exit codes and usage errors are the argument parser's.
  let parserCode = Unroll.exitCode(for: error).rawValue
  let isParsers = error is ValidationError || parserCode != 1
  if error is ExitCode || parserCode == 0 && launch.rank > 0 { exit(parserCode) }
  if launch.rank > 0 {
    // The launcher's request to end is to be obeyed in silence.
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

/// Runs a body in the world that the launcher started, and leaves it in order.
///
/// Errors that all ranks agreed on are printed by the rank they happened on; any other error, once the
/// ranks are in the world, ends the whole job with its code.
func inWorld(_ body: (any Communicator) throws -> Int32) throws -> Never {
  let world = try joinWorld()
  do {
    let code = try body(world)
    try world.finish()
    exit(code)
  } catch is FailedElsewhere {
    // The rank that failed speaks and gives the exit code.
    try world.finish()
    exit(ExitStatus.done)
  } catch {
    let host = world.size > 1 ? "rank \(world.rank) on \(world.hostName): " : ""
    say("\(host)\(error)")
    try world.abort(code: ExitStatus.of(error))
  }
}

/// Writes messages of the program to standard error, without dates: metrics.jsonl has the times.
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
