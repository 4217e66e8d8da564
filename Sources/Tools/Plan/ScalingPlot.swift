internal import Formats
internal import Foundation

/// A plot of the efficiency of every mode over the number of ranks, as SVG.
public struct ScalingPlot {
  private let plan: StepPlan
  private let counts: [Int]
  private let modes: [String]

  private static let size = (width: 860.0, height: 460.0)
  private static let frame = (left: 64.0, top: 56.0, right: 580.0, bottom: 400.0)
  /// Colours that differ in brightness, too.
  private static let colors = [
    "#1b6ca8", "#7fb2d9", "#c1440e", "#2e7d32", "#8e24aa", "#9e9d24", "#00838f", "#ef9a1a",
    "#5d4037",
  ]

  /// - Parameter plan: A plan with points over the world size.
  public init(_ plan: StepPlan) {
    self.plan = plan
    counts = Set(plan.scaling.map(\.ranks)).sorted()
    modes = plan.rows.map(\.mode).filter { mode in plan.scaling.contains { $0.mode == mode } }
  }

  /// The plot as SVG.
  public var svg: String {
    let (width, height) = (Int(Self.size.width), Int(Self.size.height))
    var lines = SVG.head(width: width, height: height)
    lines += [
      SVG.text(plan.model, x: Self.frame.left, y: 22, size: 14),
      SVG.text(
        "\(plan.cluster); \(plan.streams) streams × \(plan.bptt) steps a rank",
        x: Self.frame.left, y: 42, size: 12),
    ]
    lines += axes
    for (index, mode) in modes.enumerated() { lines += curve(mode, index) }
    return (lines + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  private func x(_ ranks: Int) -> Double {
    let (first, last) = (log2(Double(counts.first ?? 1)), log2(Double(counts.last ?? 2)))
    let share = (log2(Double(ranks)) - first) / max(last - first, 1)
    return Self.frame.left + share * (Self.frame.right - Self.frame.left)
  }

  private func y(_ efficiency: Double) -> Double {
    Self.frame.bottom - min(efficiency, 1.05) / 1.05 * (Self.frame.bottom - Self.frame.top)
  }

  private var axes: [String] {
    var lines: [String] = []
    for percent in stride(from: 0, through: 100, by: 20) {
      let height = y(Double(percent) / 100)
      lines.append(
        SVG.line(Self.frame.left, height, Self.frame.right, height, color: "#dddddd", width: 1))
      lines.append(SVG.text("\(percent) %", x: Self.frame.left - 8, y: height + 4, anchor: "end"))
    }
    for count in counts {
      lines.append(
        SVG.text("\(count)", x: x(count), y: Self.frame.bottom + 20, anchor: "middle"))
      lines.append(
        SVG.line(
          x(count), Self.frame.bottom, x(count), Self.frame.bottom + 5, color: "#333333", width: 1)
      )
    }
    lines.append(
      SVG.line(
        Self.frame.left, Self.frame.bottom, Self.frame.right, Self.frame.bottom, color: "#333333",
        width: 1))
    let middle = (Self.frame.left + Self.frame.right) / 2
    lines.append(SVG.text("ranks", x: middle, y: Self.frame.bottom + 42, anchor: "middle"))
    lines.append(
      SVG.text("efficiency", x: Self.frame.left - 8, y: Self.frame.top - 2, anchor: "end"))
    return lines
  }

  private func curve(_ mode: String, _ index: Int) -> [String] {
    let color = Self.colors[index % Self.colors.count]
    let points = plan.scaling.filter { $0.mode == mode }.sorted { $0.ranks < $1.ranks }
    let path = points.map { "\(fixed(x($0.ranks), 1)),\(fixed(y($0.efficiency), 1))" }
    let legend = Self.frame.top + 14 + 24 * Double(index)
    let left = Self.frame.right + 24
    return [
      SVG.polyline(path.joined(separator: " "), color: color),
      SVG.line(left, legend - 4, left + 24, legend - 4, color: color, width: 3),
      SVG.text(mode, x: left + 32, y: legend),
    ]
  }
}
