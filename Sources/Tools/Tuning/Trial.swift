internal import Formats
internal import Foundation
internal import Reporting

/// One run of a search.
package struct Trial: Sendable {
  /// The state of a trial.
  package enum State: String, Sendable {
    case waiting, complete, diverged
    /// Begun, and to go on.
    case open
    /// Not among the better half.
    case dropped
    /// The program refused its settings, or ended with an error.
    case failed
  }

  /// The number, from 1.
  package let number: Int
  package let assignments: [String]
  package let folder: String
  package internal(set) var state = State.waiting
  /// The last step it has taken.
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
  }

  /// The file with what the trial's program says.
  package var log: String { folder + "/log.txt" }

  /// Reads what the trial's run has come to.
  mutating func update() {
    guard state != .failed, let history = try? RunHistory(folder) else { return }
    let wasDropped = state == .dropped
    step = history.step
    best = history.best
    switch history.state {
    case .complete: state = .complete
    case .diverged: state = .diverged
    case .running, .stopped: state = .open
    }
    if wasDropped { state = .dropped }
  }

  /// Returns the lowest validation loss up to a step, or of all; infinite without one, or if the run diverged
  /// before.
  func loss(upTo step: Int?) -> Double {
    guard state != .failed, let history = try? RunHistory(folder) else { return .infinity }
    let limit = step ?? .max
    if history.state == .diverged, history.step <= limit { return .infinity }
    return history.lines.filter { $0.step <= limit }.compactMap(\.validLoss).filter(\.isFinite)
      .min() ?? .infinity
  }

  /// True if it has nothing left to do until a step, or until its end.
  func isDone(by step: Int?) -> Bool {
    switch state {
    case .complete, .diverged, .dropped, .failed: true
    case .waiting: false
    case .open: step.map { self.step >= $0 } ?? false
    }
  }
}
