internal import Formats
internal import Foundation

/// Points, or a curve, over one quantity, as a panel of an SVG file.
struct ScatterPlot {
  let title: String
  let points: [(x: Double, y: Double)]
  var isLogarithmic = false
  /// The names of the places 0, 1, 2, … where the quantity is a choice.
  var names: [String]?
  /// True to draw a line through the points instead of marks.
  var isCurve = false
  /// Places to mark by a vertical line, with words.
  var marks: [(x: Double, words: String)] = []

  private static let (width, height) = (640.0, 320.0)
  private static let frame = (left: 70.0, top: 44.0, right: 610.0, bottom: 270.0)

  /// Returns an SVG file with panels one below the other.
  static func svg(_ panels: [ScatterPlot]) -> String {
    let total = Int(height) * panels.count
    var lines = SVG.head(width: Int(width), height: total)
    for (index, panel) in panels.enumerated() {
      lines.append("<g transform=\"translate(0 \(Int(height) * index))\">")
      lines += panel.elements
      lines.append("</g>")
    }
    return (lines + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  private func place(_ x: Double) -> Double { isLogarithmic ? log10(x) : x }

  private var elements: [String] {
    let frame = Self.frame
    var lines = [SVG.text(title, x: frame.left, y: 24, size: 14)]
    let xs = points.map { place($0.x) }
    let ys = points.map(\.y)
    guard let low = xs.min(), let high = xs.max(), let bottom = ys.min(), let top = ys.max() else {
      return lines + [SVG.text("no trial has a loss", x: frame.left, y: 80)]
    }
    let (from, to) = names.map { (-0.5, Double($0.count) - 0.5) } ?? Self.widened(low, high)
    let (least, most) = Self.widened(bottom, top)
    func x(_ value: Double) -> Double {
      frame.left + (value - from) / (to - from) * (frame.right - frame.left)
    }
    func y(_ value: Double) -> Double {
      frame.bottom - (value - least) / (most - least) * (frame.bottom - frame.top)
    }
    for share in stride(from: 0.0, through: 1, by: 0.25) {
      let value = least + share * (most - least)
      lines.append(SVG.line(frame.left, y(value), frame.right, y(value), color: "#dddddd"))
      lines.append(
        SVG.text(String(format: "%.3f", value), x: frame.left - 8, y: y(value) + 4, anchor: "end"))
    }
    for (value, words) in ticks(from, to) {
      lines.append(SVG.line(x(value), frame.bottom, x(value), frame.bottom + 5, color: "#333333"))
      lines.append(SVG.text(words, x: x(value), y: frame.bottom + 20, anchor: "middle"))
    }
    lines.append(SVG.line(frame.left, frame.bottom, frame.right, frame.bottom, color: "#333333"))
    for mark in marks {
      let at = x(place(mark.x))
      lines.append(SVG.line(at, frame.top, at, frame.bottom, color: "#c1440e"))
      lines.append(SVG.text(mark.words, x: at + 4, y: frame.top + 10, size: 12))
    }
    if isCurve {
      let path = points.map { "\(fixed(x(place($0.x)), 1)),\(fixed(y($0.y), 1))" }
      lines.append(SVG.polyline(path.joined(separator: " "), color: "#1b6ca8"))
    } else {
      for (index, point) in points.enumerated().reversed() {
        // The first is the best.
        lines.append(
          SVG.circle(
            x(place(point.x)), y(point.y), radius: index == 0 ? 6 : 4, color: "#1b6ca8",
            isFilled: index == 0))
      }
    }
    return lines
  }

  /// Returns a range with a margin; one of length 0 gets a length.
  private static func widened(_ low: Double, _ high: Double) -> (Double, Double) {
    let margin = high > low ? (high - low) * 0.05 : max(abs(low) * 0.05, 0.05)
    return (low - margin, high + margin)
  }

  private func ticks(_ from: Double, _ to: Double) -> [(Double, String)] {
    if let names { return names.enumerated().map { (Double($0), $1) } }
    return stride(from: 0.0, through: 1, by: 0.25).map { share in
      let value = from + share * (to - from)
      return (value, String(format: "%.2g", isLogarithmic ? pow(10, value) : value))
    }
  }
}
