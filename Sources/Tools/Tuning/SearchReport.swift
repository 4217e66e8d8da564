internal import Formats
internal import Foundation

/// The result of a search as a table, as JSON, and as a plot.
package struct SearchReport {
  private let tuner: Tuner
  private let ranking: [Trial]
  private var settings: [TunedSetting] { tuner.search.settings }

  package init(_ tuner: Tuner) {
    self.tuner = tuner
    ranking = tuner.ranking
  }

  /// The best trial; nil if none has a loss.
  package var best: Trial? { ranking.first { $0.rank.isFinite } }

  /// A line for each trial, the best first.
  package var words: String {
    let rows = ranking.map { trial in
      ["\(trial.number)"] + trial.assignments.map { Self.value($0) }
        + [
          trial.best.map { Trial.rounded($0.loss) } ?? "–", trial.best.map { "\($0.step)" } ?? "–",
          "\(trial.step)", trial.state.rawValue,
        ]
    }
    let heads = ["trial"] + settings.map(\.key) + ["loss", "at", "step", "state"]
    return table([heads] + rows, rightAligned: Set(0..<heads.count - 1))
  }

  private static func value(_ assignment: String) -> String {
    String(assignment[assignment.index(after: assignment.firstIndex(of: "=")!)...])
  }

  /// One JSON object.
  package var json: String {
    get throws {
      try prettyJSON(
        Record(
          best: best?.number,
          trials: ranking.map {
            Record.Trial(
              trial: $0.number, settings: $0.assignments, loss: $0.best?.loss,
              bestStep: $0.best?.step, step: $0.step, state: $0.state.rawValue, run: $0.folder,
              reason: $0.reason)
          }))
    }
  }

  private struct Record: Encodable {
    struct Trial: Encodable {
      let trial: Int
      let settings: [String]
      let loss: Double?
      let bestStep: Int?
      let step: Int
      let state, run: String
      let reason: String?

      enum CodingKeys: String, CodingKey {
        case trial, settings, loss, step, state, run, reason
        case bestStep = "best_step"
      }
    }

    let best: Int?
    let trials: [Trial]
  }

  /// A panel for each setting: the lowest loss of every trial over its value, the best trial filled.
  package var svg: String {
    let panels = settings.enumerated().map { d, setting -> ScatterPlot in
      let choices: [String]? =
        if case .choices(let names) = setting.values { names } else { nil }
      let points = ranking.filter { $0.rank.isFinite }.compactMap {
        trial -> (x: Double, y: Double)? in
        let value = Self.value(trial.assignments[d])
        let x = choices.map { Double($0.firstIndex(of: value) ?? 0) } ?? Double(value)
        return x.map { ($0, trial.rank) }
      }
      return ScatterPlot(
        title: setting.key, points: points, isLogarithmic: setting.isLogarithmic, names: choices)
    }
    return ScatterPlot.svg(panels)
  }
}
