internal import Configuration
internal import Foundation
internal import Training

/// Runs the trials of a search, several at once, each a process of its own that trains and resumes as `unroll
/// train` does.
package struct Tuner {
  package let search: Search
  package let folder: String
  package private(set) var trials: [Trial]
  private let given: [String]
  private let pool: ProgramPool

  /// - Parameters:
  ///   - given: The configuration files and assignments of every trial, as arguments of `unroll train`.
  ///   - program: The path of this program.
  ///   - refusal: Returns the error of a configuration with further assignments; nil if it is in order.
  /// - Throws: The error of the first trial if all are refused.
  package init(
    _ search: Search, in folder: String, given: [String], jobs: Int, program: String,
    refusal: ([String]) -> (any Error)?
  ) throws {
    (self.search, self.folder, self.given) = (search, folder, given)
    pool = ProgramPool(width: jobs, program: program)
    var refusals: [any Error] = []
    trials = (0..<search.trials).map { index in
      var trial = Trial(
        number: index + 1, assignments: search.assignments(of: index), in: folder)
      if let error = refusal(trial.assignments) {
        (trial.state, trial.reason) = (.failed, "\(error)")
        refusals.append(error)
      }
      trial.update()
      return trial
    }
    if let first = refusals.first, refusals.count == trials.count { throw first }
  }

  /// Takes every trial as far as it is to go.
  /// - Parameter say: Prints one line.
  /// - Returns: False if a stop was requested before.
  /// - Throws: `UsageError` if there is nothing to compare, or every trial failed.
  package mutating func run(say: (String) -> Void) throws -> Bool {
    for step in search.halvings.map(Optional.some) + [nil] {
      try advance(to: step, say: say)
      if trials.contains(where: { !$0.isDone(by: step) }) { return false }
      if let failed = trials.first(where: { $0.state == .failed }),
        trials.allSatisfy({ $0.state == .failed })
      {
        throw UsageError(
          "every trial failed, the first so: \(failed.reason ?? "see \(failed.log)")")
      }
      guard trials.contains(where: { $0.best != nil || $0.state == .diverged }) else {
        throw UsageError(
          "there is no validation loss to compare\(step.map { " up to step \($0)" } ?? ""): give "
            + "data.valid, and an evaluation.every within the trials' steps")
      }
      if let step { halve(after: step, say: say) }
    }
    return true
  }

  private mutating func advance(to step: Int?, say: (String) -> Void) throws {
    let indices = trials.indices.filter { !trials[$0].isDone(by: step) }
    let jobs = indices.map { index in
      ProgramPool.Job(
        arguments: ["train"] + given + trials[index].assignments.flatMap { ["--set", $0] }
          + ["--run", trials[index].folder, "--progress", "none"]
          + (step.map { ["--stop-at", "\($0)"] } ?? []),
        log: trials[index].log)
    }
    try pool.run(jobs) { place, code in
      let index = indices[place]
      trials[index].update()
      switch code {
      case ExitStatus.done, ExitStatus.resumable: break
      case ExitStatus.diverged: if trials[index].state == .open { trials[index].state = .diverged }
      default:
        trials[index].state = .failed
        trials[index].reason = ProgramPool.lastLine(of: trials[index].log) ?? "exit code \(code)"
      }
      say(Self.line(trials[index]))
    }
  }

  private static func line(_ trial: Trial) -> String {
    let values = trial.assignments.joined(separator: " ")
    if let reason = trial.reason { return "trial \(trial.number): \(values): failed: \(reason)" }
    let loss = trial.best.map { "loss \(rounded($0.loss)) at step \($0.step)" } ?? "no loss"
    return
      "trial \(trial.number): \(values): \(loss), \(trial.state.rawValue) after step \(trial.step)"
  }

  /// Formats a loss.
  static func rounded(_ loss: Double) -> String { String(format: "%.4f", loss) }

  /// Drops the worse half of the trials by their lowest loss up to a step. Of equal ones the earlier goes on.
  private mutating func halve(after step: Int, say: (String) -> Void) {
    let running = trials.indices.filter {
      trials[$0].state != .failed && trials[$0].state != .dropped
    }
    let losses = running.map { trials[$0].loss(upTo: step) }
    let order = running.indices.sorted { (losses[$0], $0) < (losses[$1], $1) }
    let kept = (running.count + 1) / 2
    for place in order.dropFirst(kept) { trials[running[place]].state = .dropped }
    say("After step \(step) the better \(kept) of \(running.count) trials go on.")
  }

  /// The trials from the lowest loss to the highest.
  package var ranking: [Trial] {
    trials.sorted { ($0.rank, $0.number) < ($1.rank, $1.number) }
  }
}

extension Trial {
  /// The number by which trials are ordered: the loss; infinite for those that diverged or have none.
  var rank: Double {
    state == .failed || state == .diverged ? .infinity : best?.loss ?? .infinity
  }
}
