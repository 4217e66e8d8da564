internal import Checkpointing
internal import Configuration
internal import Formats
internal import Foundation
public import Training

/// The gradient diagnoses in the metrics of a run, and their description.
public struct GradientHistory: Sendable {
  /// The run's folder as it was given.
  public let run: String
  /// The reports in the order of steps; at least one.
  public let reports: [GradientReport]

  /// Reads the metrics of a run.
  /// - Throws: `UsageError` if there is no diagnosis.
  public init(_ run: String) throws {
    let path = RunFolder(run).metrics
    guard let data = try? readFile(path) else {
      throw UsageError("\(path) cannot be read: give the folder of a run")
    }
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    self.run = run
    // Other lines have no layers.
    reports = data.split(separator: UInt8(ascii: "\n")).compactMap {
      try? decoder.decode(GradientReport.self, from: Data($0))
    }
    guard !reports.isEmpty else {
      throw UsageError("\(path) has no diagnosis: train with --diagnose gradients")
    }
  }

  /// Returns the diagnosis of a step, or the last one.
  /// - Throws: `UsageError` if that step has no diagnosis.
  public func report(step: Int?) throws -> GradientReport {
    guard let step else { return reports[reports.count - 1] }
    guard let found = reports.first(where: { $0.step == step }) else {
      let steps = reports.map { "\($0.step)" }.joined(separator: ", ")
      throw UsageError("\(run) has no diagnosis of step \(step): choose one of \(steps)")
    }
    return found
  }

  /// Returns a table of one diagnosis, one line per layer.
  public func words(step: Int?) throws -> String {
    let report = try report(step: step)
    var rows = [
      ["layer", "|g|", "radius of U", "lag 0", "1/10 at", "1/1000 at", "gates shut, open"]
    ]
    for layer in report.layers {
      let gates = (layer.gates ?? [:]).sorted { $0.key < $1.key }.map {
        "\($0.key) \(percent($0.value.below)), \(percent($0.value.above))"
      }
      rows.append([
        layer.layer, digits(layer.gradientNorm), layer.spectralRadius.map(digits) ?? "–",
        layer.lags?.first.map(digits) ?? "–", reach(layer, 0.1), reach(layer, 0.001),
        gates.isEmpty ? "–" : gates.joined(separator: "; "),
      ])
    }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    let lines = rows.map { row in
      zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
        .joined(separator: "  ").replacing(/\ +$/, with: "")
    }
    return (["\(run), step \(report.step)"] + lines).joined(separator: "\n")
  }

  /// Returns the first lag whose norm is below a fraction of that of lag 0.
  private func reach(_ layer: GradientReport.Layer, _ part: Double) -> String {
    guard let lags = layer.lags, let first = lags.first else { return "–" }
    return lags.firstIndex { $0 < part * first }.map { "lag \($0)" } ?? "never"
  }

  private func digits(_ value: Double) -> String { String(format: "%.3g", value) }
  private func percent(_ part: Double) -> String { String(format: "%.0f %%", 100 * part) }
}
