internal import Checkpointing
internal import Configuration
internal import Foundation
internal import Training

/// Runs the trials of a search, several at once, each a process of its own that trains and resumes as `unroll
/// train` does.
package struct Tuner {
  package let search: Search
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
    (self.search, self.given) = (search, given)
    pool = ProgramPool(width: jobs, program: program)
    var refusals: [any Error] = []
    trials = search.assignments.enumerated().map { index, assignments in
      var trial = Trial(number: index + 1, assignments: assignments, in: folder)
      if let error = refusal(assignments) {
        (trial.state, trial.reason) = (.failed, "\(error)")
        refusals.append(error)
      }
      return trial
    }
    if let first = refusals.first, refusals.count == trials.count { throw first }
  }

  /// Takes every trial as far as it is to go.
  /// - Parameter say: Prints one line.
  /// - Returns: False if a stop was requested before.
  /// - Throws: `UsageError` if there is nothing to compare, or every trial failed; `FolderInUse` if a trial is
  ///   still trained by another process.
  package mutating func run(say: (String) -> Void) throws -> Bool {
    for trial in trials where trial.state == .failed { say(trial.line) }
    for target in search.halvings.map(Optional.some) + [nil] {
      try advance(to: target, say: say)
      if trials.contains(where: { !$0.isDone(by: target) }) { return false }
      if let failed = trials.first(where: { $0.state == .failed }),
        trials.allSatisfy({ $0.state == .failed })
      {
        throw UsageError(
          "every trial failed, the first so: \(failed.reason ?? "see \(failed.log)")")
      }
      let limit = target ?? .max
      guard trials.contains(where: { $0.loss(upTo: limit).isFinite || $0.state == .diverged })
      else {
        throw UsageError(
          "there is no validation loss to compare\(target.map { " up to step \($0)" } ?? ""): give "
            + "data.valid, and an evaluation.every within the trials' steps")
      }
      if let target { halve(after: target, say: say) }
    }
    return true
  }

  private mutating func advance(to target: Int?, say: (String) -> Void) throws {
    let indices = trials.indices.filter { !trials[$0].isDone(by: target) }
    let jobs = indices.map { index in
      ProgramPool.Job(
        arguments: ["train"] + given + trials[index].assignments.flatMap { ["--set", $0] }
          + ["--run", trials[index].folder, "--progress", "none"]
          + (target.map { ["--stop-at", "\($0)"] } ?? []),
        log: trials[index].log)
    }
    try pool.run(jobs) { place, code in
      try conclude(indices[place], target, code)
      if trials[indices[place]].isDone(by: target) { say(trials[indices[place]].line) }
    }
  }

  private mutating func conclude(_ index: Int, _ target: Int?, _ code: Int32) throws {
    switch code {
    case ExitStatus.done: try trials[index].conclude(.complete, at: nil)
    case ExitStatus.diverged: try trials[index].conclude(.diverged, at: nil)
    case ExitStatus.resumable:
      if !StopRequest.isMade { try trials[index].conclude(.open, at: target) }
    case ExitStatus.inUse: throw FolderInUse(path: trials[index].folder)
    default:
      trials[index].state = .failed
      trials[index].reason =
        ProgramPool.reason(in: trials[index].log) ?? "exit code \(code), see \(trials[index].log)"
    }
  }

  /// Drops the worse half of the trials by their lowest loss up to a step, and all without one. Of equal ones
  /// the earlier goes on.
  private mutating func halve(after step: Int, say: (String) -> Void) {
    let running = trials.indices.filter {
      trials[$0].state != .failed && trials[$0].state != .dropped
    }
    let losses = running.map { trials[$0].loss(upTo: step) }
    let order = running.indices.filter { losses[$0].isFinite }
      .sorted { (losses[$0], $0) < (losses[$1], $1) }
    let kept = order.prefix((running.count + 1) / 2).map { running[$0] }
    for index in running where !kept.contains(index) && trials[index].state != .diverged {
      trials[index].state = .dropped
    }
    say("After step \(step) \(kept.count) of \(running.count) trials go on.")
  }

  /// The trials from the lowest loss to the highest.
  package var ranking: [Trial] {
    trials.sorted { ($0.rank, $0.number) < ($1.rank, $1.number) }
  }
}
