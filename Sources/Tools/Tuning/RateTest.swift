internal import Formats
internal import Foundation
package import Reporting

/// The outcome of a range test of the learning rate (Smith 2017): the loss of each step over its rate, smoothed,
/// the rate at which it falls fastest, and the one at which it is lowest.
package struct RateTest: Sendable {
  /// A step: its rate, its loss, and the mean of the losses until there.
  package struct Point: Sendable {
    package let rate, loss, smoothed: Double
  }

  package let points: [Point]
  /// The rate at which the smoothed loss falls fastest in proportion to the rate's growth.
  package let steepest: Double
  /// The rate at which the smoothed loss is lowest.
  package let lowest: Double

  /// The weight of the losses before in the mean that smooths them.
  private static let memory = 0.95
  /// The rise above the lowest smoothed loss, as a share of the whole fall, from which on training diverges.
  private static let tolerance = 0.5
  /// The least steps that say something.
  private static let least = 20

  /// - Parameter records: The lines of the test's run.
  /// - Returns: nil if the loss never falls, or there are too few steps.
  package init?(_ records: [MetricsRecord]) {
    var points: [Point] = []
    var (sum, weight, low) = (0.0, 0.0, Double.infinity)
    for record in records {
      guard let loss = record.loss, let rate = record.learningRate else { continue }
      guard loss.isFinite else { break }
      sum = Self.memory * sum + (1 - Self.memory) * loss
      weight = Self.memory * weight + (1 - Self.memory)
      let smoothed = sum / weight
      points.append(Point(rate: rate, loss: loss, smoothed: smoothed))
      low = min(low, smoothed)
      let fall = points[0].smoothed - low
      if points.count > Self.least, smoothed > low + max(Self.tolerance * fall, 0.01 * abs(low)) {
        break
      }
    }
    guard points.count >= Self.least,
      let end = points.indices.min(by: { points[$0].smoothed < points[$1].smoothed }),
      let fastest = Self.fastest(points[...end])
    else { return nil }
    self.points = points
    (steepest, lowest) = (points[fastest].rate, points[end].rate)
  }

  /// Returns the place with the steepest line through the points around it; nil if none falls.
  private static func fastest(_ points: ArraySlice<Point>) -> Int? {
    let reach = max(points.count / 20, 3)
    guard points.count > 2 * reach else { return nil }
    let slopes = (reach..<points.count - reach).map { center -> (place: Int, slope: Double) in
      let part = points[(center - reach)...(center + reach)]
      let middle = part.reduce(0.0) { $0 + log($1.rate) } / Double(part.count)
      var (product, square) = (0.0, 0.0)
      for point in part {
        product += (log(point.rate) - middle) * point.smoothed
        square += (log(point.rate) - middle) * (log(point.rate) - middle)
      }
      return (center, product / square)
    }
    return slopes.min { $0.slope < $1.slope }.flatMap { $0.slope < 0 ? $0.place : nil }
  }

  /// The result in words.
  package var words: String {
    let heads = ["rate", "loss", "smoothed"]
    let every = max(points.count / 16, 1)
    let rows = stride(from: 0, to: points.count, by: every).map { index in
      let point = points[index]
      return [Self.digits(point.rate), fixed(point.loss, 4), fixed(point.smoothed, 4)]
    }
    return table([heads] + rows, rightAligned: [0, 1, 2]) + """


      The loss falls fastest at a rate of \(Self.digits(steepest)) and is lowest at \(Self.digits(lowest)).
      Begin with training.schedule.learning_rate=\(Self.digits(steepest)), and try up to half of the second.
      """
  }

  /// The result as one JSON object.
  package var json: String {
    get throws {
      try prettyJSON(
        Record(
          steepest: steepest, lowest: lowest,
          points: points.map { [$0.rate, $0.loss, $0.smoothed] }))
    }
  }

  private struct Record: Encodable {
    let steepest, lowest: Double
    /// The rate, the loss and the smoothed loss of each step.
    let points: [[Double]]
  }

  /// The smoothed loss over the rate.
  package var svg: String {
    ScatterPlot.svg([
      ScatterPlot(
        title: "smoothed loss over the learning rate",
        points: points.map { ($0.rate, $0.smoothed) }, isLogarithmic: true, isCurve: true,
        marks: [
          (steepest, "steepest \(Self.digits(steepest))"),
          (lowest, "lowest \(Self.digits(lowest))"),
        ])
    ])
  }

  static func digits(_ rate: Double) -> String { String(format: "%.2g", rate) }
}
