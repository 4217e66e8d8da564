internal import Foundation

/// A plot of some numbers of runs over their steps, as an SVG element for a page.
///
/// A curve of many steps is drawn as the mean of up to 400 parts, with the range of each part behind
/// it, so that a page stays small however long a run is.
struct CurvePlot {
  /// One curve.
  struct Curve {
    let name: String
    /// The number of its colour in the page's style.
    let colour: Int
    let points: [(step: Int, value: Double)]
    /// True to mark each point, as of evaluations.
    var isMarked = false
  }

  let title: String
  let curves: [Curve]
  var isLogarithmic = false
  /// The most parts of a curve.
  var parts = 400

  private static let (width, height) = (760.0, 300.0)
  private static let (left, right, above, below) = (64.0, 12.0, 14.0, 34.0)

  /// Part of a curve.
  private struct Part {
    var step = 0.0
    var mean = 0.0
    var low = Double.infinity
    var high = -Double.infinity
  }

  /// The element; nil if no curve has a point that can be drawn.
  var svg: String? {
    let drawn = curves.map { curve in summarise(curve.points.filter { isSeen($0.value) }) }
    let all = drawn.flatMap(\.self)
    guard let first = all.map(\.step).min(), let last = all.map(\.step).max() else { return nil }
    let scale = Scale(
      steps: first...max(last, first + 1), low: all.map(\.low).min()!,
      high: all.map(\.high).max()!, isLogarithmic: isLogarithmic)
    var lines = [
      """
      <svg class="plot" viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))" role="img" \
      aria-label="\(escaped(title))">
      """
    ]
    lines += axes(scale)
    for (curve, parts) in zip(curves, drawn) where !parts.isEmpty {
      lines.append(draw(curve, parts, scale))
    }
    return lines.joined(separator: "\n") + "\n</svg>"
  }

  private func isSeen(_ value: Double) -> Bool {
    value.isFinite && (!isLogarithmic || value > 0)
  }

  /// Returns means and ranges of equal parts of a curve.
  private func summarise(_ points: [(step: Int, value: Double)]) -> [Part] {
    let size = max((points.count + parts - 1) / parts, 1)
    return stride(from: 0, to: points.count, by: size).map { start in
      var part = Part()
      let own = points[start..<min(start + size, points.count)]
      for point in own {
        part.step += Double(point.step) / Double(own.count)
        part.mean += (isLogarithmic ? log10(point.value) : point.value) / Double(own.count)
        part.low = min(part.low, point.value)
        part.high = max(part.high, point.value)
      }
      if isLogarithmic { part.mean = pow(10, part.mean) }
      return part
    }
  }

  /// The place of a step and a value.
  private struct Scale {
    let steps: ClosedRange<Double>
    private let bottom, top: Double
    private let isLogarithmic: Bool
    let marks: [Double]

    init(steps: ClosedRange<Double>, low: Double, high: Double, isLogarithmic: Bool) {
      self.steps = steps
      self.isLogarithmic = isLogarithmic
      if isLogarithmic {
        bottom = log10(low)
        top = max(log10(high), bottom + 0.1)
        let powers = Array(stride(from: bottom.rounded(.up), through: top, by: 1))
        marks =
          powers.count > 1
          ? powers.map { pow(10, $0) } : roundNumbers(low, pow(10, top), atMost: 5)
      } else {
        bottom = low
        top = max(high, low + max(abs(low) * 1e-3, 1e-9))
        marks = roundNumbers(bottom, top, atMost: 6)
      }
    }

    func x(_ step: Double) -> Double {
      let share = (step - steps.lowerBound) / (steps.upperBound - steps.lowerBound)
      return left + share * (width - right - left)
    }

    func y(_ value: Double) -> Double {
      let share = ((isLogarithmic ? log10(value) : value) - bottom) / (top - bottom)
      return height - below - share * (height - below - above)
    }
  }

  private func axes(_ scale: Scale) -> [String] {
    var lines: [String] = []
    for value in scale.marks {
      let y = short(scale.y(value))
      lines.append(
        "<path class=\"rule\" d=\"M\(short(Self.left)) \(y)H\(short(Self.width - Self.right))\"/>")
      lines.append(
        "<text x=\"\(short(Self.left - 6))\" y=\"\(short(scale.y(value) + 4))\" class=\"end\">\(number(value))</text>"
      )
    }
    let bottom = Self.height - Self.below
    for step in roundNumbers(scale.steps.lowerBound, scale.steps.upperBound, atMost: 7) {
      let x = short(scale.x(step))
      lines.append("<path class=\"rule\" d=\"M\(x) \(short(Self.above))V\(short(bottom))\"/>")
      lines.append(
        "<text x=\"\(x)\" y=\"\(short(bottom + 18))\" class=\"middle\">\(number(step))</text>")
    }
    return lines
  }

  private func draw(_ curve: Curve, _ parts: [Part], _ scale: Scale) -> String {
    var text = "<g class=\"c\(curve.colour)\"><title>\(escaped(curve.name))</title>"
    if parts.contains(where: { $0.high > $0.low }) {
      let upper = parts.map { "\(short(scale.x($0.step))) \(short(scale.y($0.high)))" }
      let lower = parts.reversed().map { "\(short(scale.x($0.step))) \(short(scale.y($0.low)))" }
      text += "<path class=\"range\" d=\"M\((upper + lower).joined(separator: "L"))Z\"/>"
    }
    let places = parts.map { "\(short(scale.x($0.step))) \(short(scale.y($0.mean)))" }
    text += "<path class=\"line\" d=\"M\(places.joined(separator: "L"))\"/>"
    if curve.isMarked || parts.count == 1 {
      for part in parts {
        text +=
          "<circle cx=\"\(short(scale.x(part.step)))\" cy=\"\(short(scale.y(part.mean)))\" r=\"2.5\">"
          + "<title>\(number(part.step)): \(number(part.mean))</title></circle>"
      }
    }
    return text + "</g>"
  }

  private func short(_ value: Double) -> String {
    let tenths = (value * 10).rounded() / 10
    return tenths == tenths.rounded() ? "\(Int(tenths))" : "\(tenths)"
  }
}

/// Returns at most `count` round numbers in a range.
func roundNumbers(_ first: Double, _ last: Double, atMost count: Int) -> [Double] {
  guard last > first else { return [first] }
  let power = pow(10, log10((last - first) / Double(count)).rounded(.down))
  let size = [1, 2, 5, 10, 20].map { $0 * power }.first { (last - first) / $0 <= Double(count) }
  let step = size ?? 20 * power
  return Array(stride(from: (first / step).rounded(.up) * step, through: last, by: step))
}

/// Returns a number with as many digits as a reader wants.
func number(_ value: Double) -> String {
  if value == value.rounded(), abs(value) < 1e15 {
    let text = String(format: "%.0f", value)
    guard abs(value) >= 10_000 else { return text }
    if value.truncatingRemainder(dividingBy: 1_000_000) == 0 { return text.dropLast(6) + "M" }
    return value.truncatingRemainder(dividingBy: 1000) == 0 ? text.dropLast(3) + "k" : text
  }
  return String(format: "%.4g", value)
}

/// Returns a text for a page of HTML.
func escaped(_ text: String) -> String {
  text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing("\"", with: "&quot;")
}
