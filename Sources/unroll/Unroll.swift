internal import ArgumentParser
internal import CFileFaults
internal import Checkpointing
internal import Collectives
internal import Configuration
internal import Formats
internal import Foundation
internal import LinearAlgebra
internal import Names
internal import Training

@main
struct Unroll: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unroll",
    abstract: "Trains recurrent language models on CPUs, alone or under mpirun.",
    discussion: """
      Exit codes: 0 done, 64 wrong usage or configuration, 65 bad data or checkpoint, 70 internal, \
      73 or 74 cannot write, 75 stopped early and resumable, 76 diverged, 77 another run trains in \
      the folder.

      Completion of commands, options and files by the shell: unroll --generate-completion-script \
      bash, zsh or fish prints a script; for bash: source <(unroll --generate-completion-script \
      bash)
      """,
    version: sourceCommit.map { "\(Version.number) (\($0))" } ?? Version.number,
    subcommands: [
      Train.self, Evaluate.self, Generate.self, Decode.self, ScoreLines.self, Export.self,
      Import.self, TokenizerCommand.self, Prepare.self, CheckpointCommand.self, Networks.self,
      Bench.self, Tune.self, Plan.self, Doctor.self, Diagnose.self, Runs.self, Report.self,
      Init.self,
      Schema.self,
    ])

  /// Parses the arguments once per job: with several ranks, only the first prints an error.
  static func main() {
    KernelChoice.restartIfBetter()
    // Exceeding a limit on file sizes is an error to report, not a reason to be killed by a signal.
    signal(SIGXFSZ, SIG_IGN)
    file_faults_tell(Int32(Launch().rank))
    do {
      try checkCommand()
      var command = try parseAsRoot()
      try command.run()
    } catch {
      leave(error)
    }
  }

  /// For an unknown command, suggests the most similar one.
  private static func checkCommand() throws {
    guard let word = CommandLine.arguments.dropFirst().first, !word.hasPrefix("-") else { return }
    let names = configuration.subcommands.map {
      $0.configuration.commandName ?? String(describing: $0).lowercased()
    }
    guard !names.contains(word), word != "help" else { return }
    throw UsageError(
      "there is no command \"\(word)\"; "
        + (Suggestion.nearest(word, among: names).map { "did you mean \"\($0)\"?" }
          ?? "write one of \(names.joined(separator: ", "))"))
  }
}
