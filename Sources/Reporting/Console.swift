package import Configuration
package import Datasets
internal import Formats
internal import Foundation
package import Inference
package import Logging
internal import Recurrence
internal import Sequences
package import Training

extension TaskSignature {
  /// The name of targets in displayed speeds.
  var targetWord: String {
    if isTree { return "labels" }
    if asksOnce { return "sequences" }
    if case .symbols = input { return "symbols" }
    return "frames"
  }

  /// A description of the inputs.
  var inputWords: String {
    switch input {
    case .symbols(let count): "\(count) symbol\(count == 1 ? "" : "s")"
    case .frames(let width): "frames of \(width) \(width == 1 ? "number" : "numbers")"
    case .nothing: "nothing to read"
    }
  }
}

/// Displays the progress of a run: one redrawn line on a terminal, otherwise a line from time to
/// time.
package final class Console: MetricsSink {
  private let style: ConsoleOptions.Progress
  private let every: Interval
  private let unit: ScoreUnit
  /// The name of targets.
  private let targets: String
  private let log: Logger
  private let clock = ContinuousClock()
  private var begun: ContinuousClock.Instant
  private var shown: ContinuousClock.Instant
  private var firstStep = 0
  /// The sums of loss and targets since the last line, so that displayed values are means over
  /// several windows.
  private var recent = Score(lossSum: 0, targets: 0)
  /// The time of these steps, without evaluations and checkpoints.
  private var recentSeconds = 0.0
  /// The seconds that each rank has computed in these steps.
  private var recentRanks: [Double]
  /// The host of each rank.
  private let hosts: [String]
  /// The imbalance from which the slowest rank is displayed.
  private static let notableImbalance = 0.1
  private var drawn = 0
  /// True if a new line was begun after a request to stop.
  private var hasLeftLine = false

  package init(
    _ style: ConsoleOptions.Progress, _ options: RunOptions, _ dataset: Dataset, hosts: [String],
    log: Logger
  ) {
    self.hosts = hosts
    recentRanks = [Double](repeating: 0, count: hosts.count)
    self.style = style
    self.log = log
    every = options.console.every
    unit = ScoreUnit(dataset, hasEnds: options.model.end != .symbol)
    targets = dataset.interface.targetWord
    begun = clock.now
    shown = clock.now
  }

  func words(_ score: Score) -> String {
    let loss = "\(fixed(score.loss, 4)) \(unit.lossWords)"
    let figures = [
      loss, score.targets == 1 && unit == .accuracy ? nil : unit.words(score),
      unit.byteWords(score),
      score.rootWords,
    ]
    return figures.compactMap(\.self).joined(separator: ", ")
      + (score.targets == 1 ? "" : " on \(score.targets) targets")
  }

  /// Starts to measure the time of the run.
  package func begin(_ coordinator: Coordinator) {
    begun = clock.now
    shown = clock.now
    firstStep = coordinator.state.step
  }

  package func record(step report: StepReport, _ coordinator: Coordinator) {
    show(report, coordinator)
    if let spike = report.spike {
      warn(
        """
        The loss \(fixed(report.score.loss, 4)) of step \(report.step) is a spike: \
        \(fixed(spike, 1)) standard deviations above the mean of the steps before.
        """)
    }
    if report.verdict == .skip {
      warn(
        """
        Step \(report.step) was skipped: its loss is \(report.score.loss) and the norm of its \
        gradient \(report.gradientNorm); lower the learning rate or clip if this continues.
        """)
    }
  }

  package func record(rollbackTo step: Int, _ coordinator: Coordinator) {
    warn(
      """
      Step \(coordinator.state.step) was undone with all since the checkpoint of step \(step), whose \
      weights the run continues with on the next windows; lower the learning rate or clip if this \
      continues.
      """)
  }

  private func show(_ report: StepReport, _ coordinator: Coordinator) {
    guard style != .none else { return }
    // A skipped step has no valid loss.
    if report.score.lossSum.isFinite {
      recent.lossSum += report.score.lossSum
      recent.targets += report.score.targets
      recent.correct += report.score.correct
      recent.bytesPerTarget = report.score.bytesPerTarget
    }
    recentSeconds += report.time.total
    for (rank, time) in report.ranks.enumerated() where rank < hosts.count {
      recentRanks[rank] += time
    }
    guard isDue(report, coordinator) else { return }
    let now = clock.now
    let done = report.step - firstStep
    let left =
      (now - begun) / .seconds(1) / Double(max(done, 1))
      * Double(coordinator.totalSteps - report.step)
    // The most important first: if the terminal is narrow, the last ones are left out.
    let figures = [
      "step \(report.step)/\(coordinator.totalSteps)",
      "loss \(fixed(recent.loss, 4))", unit.words(recent), unit.byteWords(recent),
      "left \(duration(left))",
      "\(Int(Double(recent.targets) / max(recentSeconds, 1e-9))) \(targets)/s",
      "epoch \(report.epoch)", "rate \(short(report.learningRate))",
      "|g| \(fixed(report.gradientNorm, 3))", slowestRank,
    ].compactMap(\.self)
    if style == .bar {
      draw(figures, bar: ProgressLine.bar(report.step, of: coordinator.totalSteps))
    } else {
      line(figures.joined(separator: "  "))
    }
    shown = now
    recent = Score(lossSum: 0, targets: 0)
    recentSeconds = 0
    for rank in recentRanks.indices { recentRanks[rank] = 0 }
  }

  /// Names the slowest rank, its host, and its computing over the mean; nil if the ranks are about equal.
  private var slowestRank: String? {
    guard recentRanks.count > 1 else { return nil }
    let mean = recentRanks.reduce(0, +) / Double(recentRanks.count)
    guard let rank = recentRanks.indices.max(by: { recentRanks[$0] < recentRanks[$1] }), mean > 0
    else { return nil }
    let imbalance = recentRanks[rank] / mean - 1
    guard imbalance >= Self.notableImbalance else { return nil }
    return "slowest rank \(rank) on \(hosts[rank]) +\(fixed(100 * imbalance, 0)) %"
  }

  private func isDue(_ report: StepReport, _ coordinator: Coordinator) -> Bool {
    if report.step == coordinator.totalSteps || report.step == firstStep + 1 { return true }
    let since = clock.now - shown
    if style == .bar { return since > .milliseconds(200) }
    return switch every {
    case .seconds(let seconds): since > .seconds(seconds)
    case .steps(let steps): report.step.isMultiple(of: steps)
    case .epoch: coordinator.state.epoch > report.epoch
    }
  }

  package func record(evaluation score: Score, isBest: Bool, _ coordinator: Coordinator) {
    guard style != .none else { return }
    let verdict =
      coordinator.isWorseThanGuessing
      ? ", worse than guessing (\(fixed(coordinator.state.guess ?? 0, 4)))"
      : isBest ? ", the best so far" : ""
    line("step \(coordinator.state.step): validation \(words(score))\(verdict)")
  }

  package func record(samples: [Sample], _ coordinator: Coordinator) {
    guard style != .none else { return }
    for sample in samples {
      let given = sample.source.map { " of \"\($0)\"" } ?? ""
      line("step \(coordinator.state.step): sample\(given)\n" + sample.indented)
    }
  }

  package func record(checkpoint report: CheckpointReport, _ coordinator: Coordinator) {
    if let failure = report.failure {
      warn(
        """
        NOT SAVED: the checkpoint of step \(report.step) failed (\(failure)). Earlier \
        checkpoints are unchanged, and a run that goes on saves again when the next one is due.
        """)
    } else if style == .lines {
      line("saved \(report.path)")
    }
  }

  package func record(test score: Score, _ coordinator: Coordinator) {
    log.info("Test: \(words(score)).")
  }

  /// Prints a warning without disturbing the progress line.
  package func warn(_ sentence: String) {
    clear()
    log.warning("\(sentence)")
  }

  /// Clears the progress line, so that another line can be written.
  private func clear() {
    let width = min(drawn, TerminalWidth.current() - 1)
    if drawn > 0 { write("\r" + String(repeating: " ", count: max(0, width)) + "\r") }
    drawn = 0
  }

  /// Ends the progress line.
  package func end() {
    if drawn > 0 { write("\n") }
    drawn = 0
  }

  /// Replaces the current line.
  private func draw(_ figures: [String], bar: String) {
    // The terminal has printed ^C after the line, which is left as it is.
    if StopRequest.isMade && !hasLeftLine {
      hasLeftLine = true
      end()
    }
    // The window may have been resized since the last line.
    let width = TerminalWidth.current()
    let text = ProgressLine.text(figures, bar: bar, width: width)
    let rest = max(0, min(drawn, width - 1) - text.count)
    write("\r" + text + String(repeating: " ", count: rest))
    drawn = text.count
  }

  /// Writes a separate line.
  private func line(_ text: String) {
    clear()
    write(text + "\n")
  }

  private func write(_ text: String) { StandardStreams.tell(text) }
}

private func short(_ value: Double) -> String { String(format: "%.3g", value) }

private func duration(_ seconds: Double) -> String { ProgressDisplay.duration(seconds) }
