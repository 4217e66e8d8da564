internal import Foundation

/// The progress line on a terminal.
package enum ProgressLine {
  /// Returns a bar of ten characters.
  package static func bar(_ step: Int, of total: Int) -> String {
    let width = 10
    let full = min(step * width / max(total, 1), width)
    return "[" + String(repeating: "=", count: full) + String(repeating: " ", count: width - full)
      + "]"
  }

  /// The number of figures that are more important than the bar.
  private static let important = 5

  /// Returns the bar and the figures after it, up to the first that does not fit. The line is
  /// shorter than the window, so that the cursor stays in it. The bar is left out if important
  /// figures need its place.
  /// - Parameter figures: The figures, the most important first.
  package static func text(_ figures: [String], bar: String, width: Int) -> String {
    func fitted(_ parts: [String]) -> (text: String, count: Int) {
      var (text, count) = ("", 0)
      for part in parts {
        let longer = text.isEmpty ? part : text + "  " + part
        guard longer.count < width else { break }
        (text, count) = (longer, count + 1)
      }
      return (text, count)
    }
    let withBar = fitted([bar] + figures)
    if withBar.count > important { return withBar.text }
    let plain = fitted(Array(figures.prefix(important))).text
    return plain.isEmpty ? String((figures.first ?? "").prefix(max(0, width - 1))) : plain
  }
}

/// The current number of columns of the window that displays progress.
enum TerminalWidth {
  /// The columns of the terminal on standard error. Under a launcher, which replaces standard error
  /// by a pipe, those of the terminal that UNROLL_TERMINAL names. Otherwise COLUMNS, or 80.
  static func current() -> Int {
    if let width = columns(of: STDERR_FILENO) { return width }
    let environment = ProcessInfo.processInfo.environment
    if let path = environment["UNROLL_TERMINAL"], path.hasPrefix("/dev/") {
      let terminal = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
      if terminal >= 0 {
        defer { close(terminal) }
        if let width = columns(of: terminal) { return width }
      }
    }
    return environment["COLUMNS"].flatMap { Int($0) } ?? 80
  }

  private static func columns(of descriptor: Int32) -> Int? {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }
}
