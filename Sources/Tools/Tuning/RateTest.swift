internal import Formats
internal import Foundation
package import Reporting

/// The outcome of a range test of the learning rate (Smith 2017): the loss of each step over its rate, smoothed,
/// the rate at which it falls fastest, and the one at which it is lowest.
package struct RateTest: Sendable {
  /// A step: its rate, its loss, and the mean of the losses around it.
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
    var (steps, means): ([(rate: Double, loss: Double)], [Double]) = ([], [])
    var mean = RunningMean()
    var low = Double.infinity
    for record in records {
      guard let loss = record.loss, let rate = record.learningRate else { continue }
      guard loss.isFinite else { break }
      steps.append((rate, loss))
      means.append(mean.add(loss))
      low = min(low, means.last!)
      let fall = means[0] - low
      if steps.count > Self.least, means.last! > low + max(Self.tolerance * fall, 0.01 * abs(low)) {
        break
      }
    }
    // From the end too, so that the curve is not late.
    mean = RunningMean()
    let back = Array(steps.reversed().map { mean.add($0.loss) }.reversed())
    let points = steps.indices.map {
      Point(rate: steps[$0].rate, loss: steps[$0].loss, smoothed: (means[$0] + back[$0]) / 2)
    }
    guard points.count >= Self.least,
      let end = points.indices.min(by: { points[$0].smoothed < points[$1].smoothed }),
      let fastest = Self.fastest(points[...end])
    else { return nil }
    self.points = points
    (steepest, lowest) = (points[fastest].rate, points[end].rate)
  }

  /// A mean in which each number before counts a little less.
  private struct RunningMean {
    private var (sum, weight) = (0.0, 0.0)

    mutating func add(_ loss: Double) -> Double {
      sum = RateTest.memory * sum + (1 - RateTest.memory) * loss
      weight = RateTest.memory * weight + (1 - RateTest.memory)
      return sum / weight
    }
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
      Begin with a tenth of the second, training.schedule.learning_rate=\(Self.digits(lowest / 10)), or search:
      --over training.schedule.learning_rate=\(Self.digits(steepest))..\(Self.digits(max(lowest / 2, 2 * steepest))):log
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
