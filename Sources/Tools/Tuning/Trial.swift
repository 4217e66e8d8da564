internal import Checkpointing
internal import Formats
internal import Foundation
internal import Reporting

/// One run of a search.
package struct Trial: Sendable {
  /// The state of a trial.
  package enum State: String, Codable, Sendable {
    case waiting
    /// Taken to a step, and to go on.
    case open
    case complete, diverged
    /// Not among the better half.
    case dropped
    /// Refused by the program, or ended with an error.
    case failed
  }

  /// The end of the trial's last process, which its folder keeps. A process that was stopped or killed has none.
  private struct Outcome: Codable {
    let state: State
    /// The step up to which the trial was taken.
    let step: Int
  }

  /// The number, from 1.
  package let number: Int
  package let assignments: [String]
  package let folder: String
  package internal(set) var state = State.waiting
  /// The step up to which it was taken.
  package private(set) var step = 0
  /// The lowest validation loss in nats, with its step; nil before the first.
  package private(set) var best: (loss: Double, step: Int)?
  /// Why it failed, in one sentence.
  package internal(set) var reason: String?

  init(number: Int, assignments: [String], in folder: String) {
    self.number = number
    self.assignments = assignments
    let digits = String(number)
    self.folder =
      "\(folder)/trial-" + String(repeating: "0", count: max(0, 3 - digits.count)) + digits
    if let data = try? readFile(outcomeFile),
      let outcome = try? JSONValue.decoder.decode(Outcome.self, from: Data(data))
    {
      (state, step) = (outcome.state, outcome.step)
      best = (try? RunHistory(self.folder))?.best
    }
  }

  private var outcomeFile: String { folder + "/outcome.json" }
  /// The file with what the trial's program says.
  package var log: String { folder + "/log.txt" }
  /// True if a run was begun in its folder.
  package var isUsed: Bool { RunFolder(folder).isUsed }

  /// Records in the folder that a process has ended by itself.
  /// - Parameters:
  ///   - state: `open`, `complete` or `diverged`.
  ///   - target: The step after which it was to stop; nil for its end.
  mutating func conclude(_ state: State, at target: Int?) throws {
    let history = try? RunHistory(folder)
    let reached = history?.step ?? 0
    // The process was stopped by somebody else.
    if state == .open, reached < target ?? .max { return }
    self.state = state
    step = reached
    best = history?.best
    try replaceFile(outcomeFile, with: prettyJSON(Outcome(state: state, step: step)))
  }

  /// Returns the lowest validation loss up to a step, or of all; infinite without one, or if the run diverged by
  /// then.
  func loss(upTo limit: Int) -> Double {
    guard state != .failed, !(state == .diverged && step <= limit),
      let history = try? RunHistory(folder)
    else { return .infinity }
    return history.lines.filter { $0.step <= limit }.compactMap(\.validLoss).filter(\.isFinite)
      .min() ?? .infinity
  }

  /// True if it has nothing left to do until a step, or until its end.
  func isDone(by target: Int?) -> Bool {
    switch state {
    case .complete, .diverged, .dropped, .failed: true
    case .waiting: false
    case .open: target.map { step >= $0 } ?? false
    }
  }

  /// The number by which trials are ordered at the end: the loss; infinite for those that diverged or have none.
  var rank: Double {
    state == .failed || state == .diverged ? .infinity : best?.loss ?? .infinity
  }

  /// A line for the console.
  var line: String {
    let values = assignments.joined(separator: " ")
    if let reason { return "trial \(number): \(values): failed: \(reason)" }
    let loss = best.map { "loss \(Self.rounded($0.loss)) at step \($0.step)" } ?? "no loss"
    return "trial \(number): \(values): \(loss), \(state.rawValue) after step \(step)"
  }

  /// Formats a loss.
  static func rounded(_ loss: Double) -> String { String(format: "%.4f", loss) }
}
