public import Configuration
internal import Formats
internal import Foundation

/// An earlier report that a new one is compared with.
public struct ScalingBaseline: Sendable {
  public let path: String
  public let report: ScalingReport

  /// Reads a baseline.
  /// - Returns: nil if there is no such file.
  /// - Throws: `FileError` if the file cannot be read or is no baseline.
  public init?(_ path: String) throws {
    do {
      let content = try readFile(path)
      report = try JSONValue.decoder.decode(ScalingReport.self, from: Data(content))
    } catch let error as FileError {
      if error.kind == .missing { return nil }
      throw error
    } catch {
      throw FileError(
        .damaged, path,
        "\(path) is no baseline of unroll bench --scaling: give another --baseline, or delete it to have "
          + "it written")
    }
    self.path = path
  }

  public init(_ report: ScalingReport, at path: String) {
    (self.report, self.path) = (report, path)
  }

  /// Writes a report as the baseline of later ones.
  public static func write(_ report: ScalingReport, to path: String) throws {
    try replaceFile(path, with: prettyJSON(report) + "\n")
  }

  /// Checks that figures of a subject can be compared with these.
  /// - Throws: `UsageError` if processor, model or ranks are others.
  public func check(_ subject: ScalingSubject, sizes: [Int]) throws(UsageError) {
    let reason = subject.difference(from: report.subject)
    if let reason {
      throw UsageError(
        "the baseline \(path) \(reason): measure what it has measured, or give another --baseline")
    }
    if let size = sizes.first(where: { size in !report.rows.contains { $0.ranks == size } }) {
      throw UsageError(
        "the baseline \(path) has no figures of \(size) ranks: give its --scaling "
          + "\(report.rows.map { String($0.ranks) }.joined(separator: ",")), or another --baseline")
    }
  }

  /// Compares a report with this one, row by row.
  /// - Parameters:
  ///   - now: The newer report; rows with other numbers of ranks are left out.
  ///   - tolerance: The share by which a figure may fall.
  public func compare(_ now: ScalingReport, tolerance: Double) -> ScalingComparison {
    ScalingComparison(
      baseline: path, tolerance: tolerance,
      rows: now.rows.compactMap { row in
        report.rows.first { $0.ranks == row.ranks }.map {
          ScalingComparison.Row(row, before: $0, tolerance: tolerance)
        }
      })
  }
}

/// The change of each row since a baseline.
public struct ScalingComparison: Encodable, Equatable, Sendable {
  public struct Row: Encodable, Equatable, Sendable {
    public let ranks: Int
    /// The relative change of the targets per second, and of the ratio to one rank.
    public let speedChange, ratioChange: Double
    /// True if the best round, too, is slower than the baseline's median by more than the tolerance. The
    /// machine may have been busy in some of the rounds.
    public let isSlower: Bool
    /// The same of the ratio to one rank in the same round, which the speed of the machine does not change.
    public let isLessEfficient: Bool
    let speed, speedBefore, ratio, ratioBefore: Double

    init(_ now: ScalingReport.Row, before: ScalingReport.Row, tolerance: Double) {
      ranks = now.ranks
      (speed, speedBefore) = (now.tokensPerSecond, before.tokensPerSecond)
      (ratio, ratioBefore) = (now.ratio, before.ratio)
      speedChange = speed / speedBefore - 1
      ratioChange = ratio / ratioBefore - 1
      isSlower = (now.rounds.max() ?? speed) < (1 - tolerance) * speedBefore
      isLessEfficient = (now.ratios.max() ?? ratio) < (1 - tolerance) * ratioBefore
    }

    enum CodingKeys: String, CodingKey {
      case ranks
      case speedChange = "tokens_per_second_change"
      case ratioChange = "ratio_change"
      case isSlower = "slower"
      case isLessEfficient = "less_efficient"
    }
  }

  public let baseline: String
  public let tolerance: Double
  public let rows: [Row]

  /// The sentence that says what has become slower; nil if nothing has.
  public var complaint: String? {
    let slower = rows.filter { $0.isSlower || $0.isLessEfficient }
    guard let worst = slower.min(by: { Self.change($0) < Self.change($1) }) else { return nil }
    let what =
      worst.isSlower ? "tokens/s" : "the ratio to one rank"
    return "\(what) on \(worst.ranks) \(worst.ranks == 1 ? "rank" : "ranks") fell by "
      + "\(fixed(-100 * Self.change(worst), 1)) % since the baseline \(baseline), more than the tolerance of "
      + "\(fixed(100 * tolerance, 1)) % in every round: find the cause, or delete the baseline to have it "
      + "written anew"
  }

  private static func change(_ row: Row) -> Double {
    row.isSlower ? row.speedChange : row.ratioChange
  }

  /// The comparison as a table.
  public var words: String {
    let cells = rows.map { row in
      [
        "\(row.ranks)", grouped(Int(row.speedBefore)), grouped(Int(row.speed)),
        signed(row.speedChange), fixed(row.ratioBefore, 2), fixed(row.ratio, 2),
        signed(row.ratioChange), verdict(row),
      ]
    }
    let titles = ["ranks", "before", "tokens/s", "change", "before", "over one", "change", ""]
    return "since \(baseline)\n" + table([titles] + cells, rightAligned: Set(0..<7))
  }

  private func verdict(_ row: Row) -> String {
    if row.isSlower { return "slower" }
    if row.isLessEfficient { return "less efficient" }
    let isWithinNoise = min(row.speedChange, row.ratioChange) < -tolerance
    return isWithinNoise ? "within the noise of the rounds" : ""
  }
}

private func signed(_ change: Double) -> String {
  (change < 0 ? "−" : "+") + fixed(abs(100 * change), 1) + " %"
}

/// The output of `unroll bench --scaling --json`: the report, and the comparison if there is one.
public struct ScalingOutput: Encodable, Sendable {
  let report: ScalingReport
  let comparison: ScalingComparison?

  public init(_ report: ScalingReport, _ comparison: ScalingComparison?) {
    (self.report, self.comparison) = (report, comparison)
  }

  private enum CodingKeys: CodingKey { case comparison }

  public func encode(to encoder: any Encoder) throws {
    try report.encode(to: encoder)
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encodeIfPresent(comparison, forKey: .comparison)
  }

  /// One line of JSON.
  public var json: String {
    get throws { String(decoding: try JSONValue.encoder().encode(self), as: UTF8.self) }
  }
}
