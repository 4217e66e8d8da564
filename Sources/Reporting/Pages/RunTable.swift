internal import Configuration
internal import Formats
internal import Foundation

/// The runs below a folder as a table.
package struct RunTable: Sendable {
  private let runs: [RunHistory]
  private let root: String
  /// The number of runs whose metrics cannot be read.
  package let unreadable: Int

  /// The most bytes of a run's metrics that are read: some hundreds of steps and evaluations.
  private static let tail = 1 << 18

  /// Finds the runs in a folder and up to four folders below it.
  /// - Throws: `UsageError` if there is no such folder or no run in it.
  package init(_ root: String) throws {
    var root = root
    while root.count > 1 && root.last == "/" { root.removeLast() }
    self.root = root
    guard FileKind(root) == .folder else {
      throw UsageError("\(root) is not a folder: give the folder in which the runs are")
    }
    let folders = Self.folders(root, depth: 4).sorted()
    runs = folders.compactMap { try? RunHistory($0, tail: Self.tail) }
    unreadable = folders.count - runs.count
    guard !folders.isEmpty else {
      throw UsageError(
        "there is no run in \(root): give a folder in which unroll train has written")
    }
  }

  private static func folders(_ path: String, depth: Int) -> [String] {
    if FileKind(path + "/metrics.jsonl") == .file { return [path] }
    guard depth > 0 else { return [] }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return names.filter { !$0.hasPrefix(".") && FileKind(path + "/" + $0) == .folder }
      .flatMap { folders(path + "/" + $0, depth: depth - 1) }
  }

  /// The name of a run below the folder.
  private func name(_ run: RunHistory) -> String {
    run.folder == root ? run.name : String(run.folder.dropFirst(root.count + 1))
  }

  /// The table, one line for each run.
  package var words: String {
    let heads = ["run", "state", "step", "of", "loss", "best", "at", "test", "speed", "changed"]
    return table([heads] + runs.map(row), rightAligned: [2, 3, 4, 5, 6, 7, 8])
  }

  private func row(_ run: RunHistory) -> [String] {
    [
      name(run), run.state.rawValue, "\(run.step)", run.plannedSteps.map { "\($0)" } ?? "–",
      Self.digits(run.recentLoss), Self.digits(run.best?.loss),
      run.best.map { "\($0.step)" } ?? "–", Self.digits(run.testLoss),
      run.speed.map { String(format: "%.0f/s", $0) } ?? "–", run.changed.map(Self.date) ?? "–",
    ]
  }

  private static func digits(_ loss: Double?) -> String {
    loss.map { String(format: "%.4f", $0) } ?? "–"
  }

  /// Returns a time in UTC to the minute.
  static func date(_ seconds: Double) -> String {
    let text = Date(timeIntervalSince1970: seconds).ISO8601Format()
    return String(text.prefix(16)).replacing("T", with: " ")
  }

  /// One line of JSON for each run.
  package var json: String {
    get throws {
      try runs.map { run in
        String(decoding: try JSONValue.encoder().encode(Line(run)), as: UTF8.self)
      }.joined(separator: "\n")
    }
  }

  private struct Line: Encodable {
    let run, state: String
    let step: Int
    let steps: Int?
    let loss, best: Double?
    let bestStep: Int?
    let test, tokensPerSecond, time: Double?

    init(_ run: RunHistory) {
      (self.run, state, step, steps) = (run.folder, run.state.rawValue, run.step, run.plannedSteps)
      (loss, best, bestStep, test) = (
        run.recentLoss, run.best?.loss, run.best?.step, run.testLoss
      )
      (tokensPerSecond, time) = (run.speed, run.changed)
    }

    enum CodingKeys: String, CodingKey {
      case run, state, step, steps, loss, best, test, time
      case bestStep = "best_step"
      case tokensPerSecond = "tokens_per_second"
    }
  }
}
