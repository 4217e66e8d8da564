import Configuration
import Formats
import Foundation
import Reporting
import TestSupport
import Testing
import Training

@Suite struct `The picture of gradients` {
  @Test func `has a line for each layer of each run, with gaps where there is no logarithm`() throws
  {
    let plot = try GradientPlot([
      .init(name: "a<b & c", norms: [1, 0.1, 0.01]),
      .init(name: "d", norms: [1, 0, 0.001, 0.0001]),
    ])
    let document = try XMLReader(plot.svg)
    let curves = document.paths.filter { $0.colour != "#ddd" && !$0.data.contains("h26") }
    #expect(curves.count == 2)
    // Each power of ten is as far from the next as any other.
    let heights = numbers(curves[0].data).enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
    try #require(heights.count == 3)
    #expect(abs((heights[1] - heights[0]) - (heights[2] - heights[1])) < 0.2)
    #expect(heights[0] < heights[1])
    #expect(curves[1].data.filter { $0 == "M" }.count == 2)
    #expect(document.texts.contains("a<b & c") && document.texts.contains("d"))
  }

  @Test func `is refused where there is nothing to draw`() {
    #expect(throws: UsageError.self) { try GradientPlot([.init(name: "a", norms: [0, 0])]) }
    #expect(throws: UsageError.self) { try GradientPlot([GradientPlot.Line]()) }
  }

  @Test func `and the table come from the metrics of runs`() throws {
    let temporary = TemporaryFolder()
    let folder = temporary.path
    func write(_ text: String) throws {
      try Data(text.utf8).write(to: URL(filePath: folder + "/metrics.jsonl"))
    }
    #expect(throws: UsageError.self) { try GradientHistory(folder) }
    try write("{\"step\": 1, \"loss\": 2}\n")
    #expect(throws: UsageError.self) { try GradientHistory(folder) }
    try write(
      [
        #"{"step": 1, "loss": 2}"#,
        #"{"step": 1, "diagnosis": "gradients", "layers": [{"layer": "a", "gradient_norm": 1}]}"#,
        #"{"step": 4, "diagnosis": "gradients", "layers": [{"layer": "layer 0", "#
          + #""gradient_norm": "inf", "lags": [1, 0.5, 0.05, 0.0001], "spectral_radius": 0.75, "#
          + #""gates": {"f": {"below": 0.25, "above": 0.5}}}]}"#,
      ].joined(separator: "\n"))
    let history = try GradientHistory(folder)
    #expect(history.reports.map(\.step) == [1, 4])
    let words = try history.words(step: nil)
    for part in ["step 4", "0.75", "lag 2", "lag 3", "f 25 %, 50 %", "inf"] {
      #expect(words.contains(part), "\(part) in \(words)")
    }
    #expect(throws: UsageError.self) { try history.report(step: 2) }
    #expect(try GradientPlot([history]).svg.contains("layer 0, step 4"))
  }

  private func numbers(_ path: String) -> [Double] {
    path.split { !($0.isNumber || $0 == "." || $0 == "-") }.compactMap { Double($0) }
  }
}

/// Paths and texts of an SVG document, enough of a reader to find tags that do not close.
private struct XMLReader {
  var paths: [(data: String, colour: String)] = []
  var texts: [String] = []

  init(_ document: String) throws {
    var open: [String] = []
    for part in document.split(separator: "<") {
      let end = try #require(part.firstIndex(of: ">"))
      let tag = part[..<end]
      let name = String(tag.prefix { !$0.isWhitespace && $0 != "/" })
      if tag.hasPrefix("/") {
        #expect(open.popLast() == String(tag.dropFirst()))
      } else if !tag.hasSuffix("/") {
        open.append(name)
      }
      if name == "path" {
        paths.append((attribute("d", tag), attribute("stroke", tag)))
      }
      if name == "text" {
        texts.append(
          String(part[part.index(after: end)...]).replacing("&lt;", with: "<").replacing(
            "&amp;", with: "&"))
      }
    }
    #expect(open.isEmpty)
  }

  private func attribute(_ name: String, _ tag: Substring) -> String {
    guard let range = tag.range(of: " \(name)=\"") else { return "" }
    return String(tag[range.upperBound...].prefix { $0 != "\"" })
  }
}
