internal import Foundation

/// The progress of work other than training: one redrawn line on a terminal, otherwise a line from time
/// to time.
package final class ProgressDisplay {
  package enum Style { case bar, lines, none }

  private let style: Style
  private let clock = ContinuousClock()
  private var shown: ContinuousClock.Instant?
  private var drawn = 0

  package init(_ style: Style) { self.style = style }

  /// Displays figures, the most important first, if some time has passed since the last ones.
  /// - Parameter total: the end of `done`; nil if it is unknown.
  package func show(_ done: Int, of total: Int?, _ figures: @autoclosure () -> [String]) {
    let pause: Duration = style == .bar ? .milliseconds(200) : .seconds(10)
    if style == .none { return }
    if let shown, clock.now - shown < pause { return }
    shown = clock.now
    guard style == .bar else {
      StandardStreams.tell(figures().joined(separator: "  ") + "\n")
      return
    }
    let width = TerminalWidth.current()
    let bar = total.map { ProgressLine.bar(min(done, $0), of: $0) } ?? "[   ...    ]"
    let text = ProgressLine.text(figures(), bar: bar, width: width)
    let rest = max(0, min(drawn, width - 1) - text.count)
    StandardStreams.tell("\r" + text + String(repeating: " ", count: rest))
    drawn = text.count
  }

  /// Ends the line.
  package func end() {
    if drawn > 0 { StandardStreams.tell("\n") }
    drawn = 0
  }

  /// Formats hours, minutes and seconds.
  package static func duration(_ seconds: Double) -> String {
    guard seconds >= 0, seconds < 1e9 else { return "?" }
    let whole = Int(seconds)
    return whole >= 3600
      ? String(format: "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60)
      : String(format: "%d:%02d", whole / 60, whole % 60)
  }
}
