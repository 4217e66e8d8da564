internal import Configuration
internal import Foundation

/// A plot of how far gradients reach back: the norm against the lag on a logarithmic scale, one
/// line per recurrent layer of each run.
public struct GradientPlot: Sendable {
  package struct Line: Sendable {
    let name: String
    let norms: [Double]

    package init(name: String, norms: [Double]) {
      self.name = name
      self.norms = norms
    }
  }

  private let lines: [Line]
  private let width = 760.0
  private let height = 440.0
  /// The margins around the axes; the legend is above them.
  private let left = 78.0
  private let right = 20.0
  private let below = 54.0
  private var above: Double { 44 + 20 * Double((lines.count + 1) / 2) }
  /// Colours that colour-blind readers can tell apart (Okabe & Ito 2008).
  private let colours = [
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000",
  ]

  /// - Throws: `UsageError` if there is nothing to plot.
  public init(_ histories: [GradientHistory], step: Int? = nil) throws {
    var lines: [Line] = []
    for history in histories {
      let report = try history.report(step: step)
      let name = history.run.split(separator: "/").last.map(String.init) ?? history.run
      for layer in report.layers {
        guard let norms = layer.lags else { continue }
        lines.append(Line(name: "\(name), \(layer.layer), step \(report.step)", norms: norms))
      }
    }
    try self.init(lines)
  }

  package init(_ lines: [Line]) throws {
    guard lines.contains(where: { $0.norms.contains { $0 > 0 && $0.isFinite } }) else {
      throw UsageError("nothing to plot: no layer of these runs has a state with a gradient")
    }
    self.lines = lines
  }

  /// The plot as an SVG document.
  public var svg: String {
    let norms = lines.flatMap(\.norms).filter { $0 > 0 && $0.isFinite }
    let lowest = log10(norms.min() ?? 1).rounded(.down)
    let highest = max(log10(norms.max() ?? 1).rounded(.up), lowest + 1)
    let longest = Double(max(lines.map(\.norms.count).max() ?? 2, 2) - 1)
    let (bottom, edge) = (height - below, width - right)
    func x(_ lag: Double) -> Double { left + lag / longest * (edge - left) }
    func y(_ power: Double) -> Double {
      bottom - (power - lowest) / (highest - lowest) * (bottom - above)
    }
    var parts = [
      """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(width)) \(Int(height))" \
      font-family="sans-serif" font-size="13">
      """,
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
      text(left, 24, "Norm of ∂L(t)/∂h(t−k) by lag k", "font-size=\"16\""),
    ]
    for power in marks(lowest, highest, atMost: 10) {
      parts.append(rule(left, y(power), edge, y(power)))
      parts.append(
        """
        <text x="\(short(left - 8))" y="\(short(y(power) + 4))" text-anchor="end">10\
        <tspan dy="-5" font-size="10">\(Int(power))</tspan></text>
        """)
    }
    for lag in marks(0, longest, atMost: 10) {
      parts.append(rule(x(lag), above, x(lag), bottom))
      parts.append(text(x(lag), bottom + 20, "\(Int(lag))", "text-anchor=\"middle\""))
    }
    parts.append(text((left + edge) / 2, height - 12, "lag k, steps", "text-anchor=\"middle\""))
    for (k, line) in lines.enumerated() {
      let colour = colours[k % colours.count]
      let dash = k < colours.count ? "" : " stroke-dasharray=\"6 3\""
      let stroke = "fill=\"none\" stroke=\"\(colour)\" stroke-width=\"2\"\(dash)"
      // Zero and NaN have no place on a logarithmic scale; the line has a gap there.
      var (path, isDrawing) = ("", false)
      for (lag, norm) in line.norms.enumerated() {
        let isSeen = norm > 0 && norm.isFinite
        if isSeen {
          path += "\(isDrawing ? "L" : "M")\(short(x(Double(lag)))) \(short(y(log10(norm))))"
        }
        isDrawing = isSeen
      }
      parts.append("<path d=\"\(path)\" \(stroke)/>")
      let (column, row) = (left + Double(k % 2) * (edge - left) / 2, 46 + 20 * Double(k / 2))
      parts.append("<path d=\"M\(short(column)) \(short(row))h26\" \(stroke)/>")
      parts.append(text(column + 34, row + 4, line.name))
    }
    return parts.joined(separator: "\n") + "\n</svg>\n"
  }

  /// Returns at most `count` round numbers in a range.
  private func marks(_ first: Double, _ last: Double, atMost count: Int) -> [Double] {
    let sizes = (0...).lazy.flatMap { power in [1, 2, 5].map { $0 * pow(10, Double(power)) } }
    let size = sizes.first { (last - first) / $0 <= Double(count) } ?? 1
    return Array(stride(from: (first / size).rounded(.up) * size, through: last, by: size))
  }

  private func rule(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double) -> String {
    """
    <path d="M\(short(x1)) \(short(y1))L\(short(x2)) \(short(y2))" stroke="#ddd"/>
    """
  }

  private func text(
    _ x: Double, _ y: Double, _ words: String, _ attributes: String = ""
  ) -> String {
    let escaped = words.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
    return "<text x=\"\(short(x))\" y=\"\(short(y))\" \(attributes)>\(escaped)</text>"
  }

  private func short(_ value: Double) -> String { String(format: "%.1f", value) }
}
