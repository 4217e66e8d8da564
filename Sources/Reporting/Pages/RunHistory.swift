package import Checkpointing
internal import Configuration
package import Formats
internal import Foundation

/// A run as its folder tells it: its configuration, the lines of `metrics.jsonl`, its checkpoints.
package struct RunHistory: Sendable {
  /// The state of a run.
  package enum State: String, Sendable {
    /// A process trains in the folder now.
    case running
    /// Every step was taken, or validation stopped improving.
    case complete
    /// It ended earlier and can be resumed.
    case stopped
    /// The last loss or gradient was not finite.
    case diverged
  }

  /// The folder as it was given.
  package let folder: String
  /// The last part of the folder's path.
  package let name: String
  /// The configuration with every default filled in; nil if it cannot be read.
  package let configuration: JSONValue?
  /// The configuration as it was given; nil if it cannot be read.
  package let given: String?
  package let lines: [MetricsRecord]
  package let checkpoints: [CheckpointStore.Summary]
  /// The `state.json` of the last checkpoint; nil without one.
  package let checkpointState: JSONValue?
  package let state: State
  /// The steps of the whole run; nil if it is measured in epochs or tokens.
  package let plannedSteps: Int?

  /// Reads a run.
  /// - Parameter tail: The most bytes of the metrics that are read, the last ones; nil for all.
  /// - Throws: `UsageError` if the folder has no metrics.
  package init(_ folder: String, tail: Int? = nil) throws {
    let run = RunFolder(folder)
    guard let lines = MetricsRecord.read(run.metrics, tail: tail) else {
      throw UsageError("\(run.metrics) cannot be read: give the folder of a run")
    }
    self.folder = folder
    self.lines = lines
    name = folder.split(separator: "/").last.map(String.init) ?? folder
    configuration = (try? readFile(run.resolvedConfiguration)).flatMap {
      try? JSONValue.decode(from: Data($0))
    }
    given = (try? readFile(run.givenConfiguration)).map { String(decoding: $0, as: UTF8.self) }
    checkpoints = (try? CheckpointStore(run.checkpoints).list()) ?? []
    let training = configuration?["training"]
    plannedSteps = training?["steps"]?.double.flatMap { Int(exactly: $0) }
    let last = checkpoints.last { $0.isLatest } ?? checkpoints.last
    checkpointState = last.flatMap { try? readFile($0.path + "/state.json") }.flatMap {
      try? JSONValue.decode(from: Data($0))
    }
    if run.isInUse {
      state = .running
    } else if lines.last(where: { $0.loss != nil })?.isFinite == false {
      state = .diverged
    } else {
      state =
        Self.hasReachedEnd(training, checkpointState) ? .complete : .stopped
    }
  }

  /// The last step in the metrics.
  package var step: Int { lines.last?.step ?? 0 }

  /// The lowest validation loss in nats, with its step; nil without one.
  package var best: (loss: Double, step: Int)? {
    lines.filter { $0.validLoss?.isFinite == true }
      .min { $0.validLoss! < $1.validLoss! }.map { ($0.validLoss!, $0.step) }
  }

  /// The mean loss of the last steps in nats; nil before the first step.
  package var recentLoss: Double? {
    let last = lines.lazy.reversed().compactMap(\.loss).prefix(20)
    return last.isEmpty ? nil : last.reduce(0, +) / Double(last.count)
  }

  /// The median of the last steps' targets per second; nil before the first step.
  package var speed: Double? {
    let last = lines.lazy.reversed().compactMap(\.tokensPerSecond).prefix(50).sorted()
    return last.isEmpty ? nil : last[last.count / 2]
  }

  /// The loss of the test in nats; nil before it.
  package var testLoss: Double? { lines.last { $0.testLoss != nil }?.testLoss }

  /// The time of the last line in seconds since 1970; nil without one.
  package var changed: Double? { lines.last?.time }
}

extension RunHistory {
  /// Returns true if a checkpoint is the last one of its run.
  private static func hasReachedEnd(_ training: JSONValue?, _ checkpoint: JSONValue?) -> Bool {
    func number(_ key: String, _ value: JSONValue?) -> Double? { value?[key]?.double }
    guard let training, let checkpoint else { return false }
    if let patience = number("patience", training["early_stop"]),
      let bad = number("bad_evaluations", checkpoint["early_stop"]), bad >= patience
    {
      return true
    }
    if let steps = number("steps", training) { return number("step", checkpoint) ?? 0 >= steps }
    if let tokens = number("tokens", training) {
      return number("tokens", checkpoint) ?? 0 >= tokens
    }
    // The epoch of the next window, from 1.
    return number("epoch", checkpoint) ?? 0 > number("epochs", training) ?? .infinity
  }
}
