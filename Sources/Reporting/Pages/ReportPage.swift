internal import Checkpointing
internal import Configuration
internal import Formats
internal import Foundation
internal import Inference

/// A page of HTML on one run or several: curves, settings, checkpoints. It needs no other file and no
/// network, has no script, and follows the reader's choice of light or dark.
package struct ReportPage {
  private let runs: [RunHistory]
  private let differences: SettingDifferences
  private let diagnoses: [GradientHistory]

  /// - Throws: `UsageError` if a folder has no metrics.
  package init(_ folders: [String]) throws {
    runs = try folders.map { try RunHistory($0) }
    differences = SettingDifferences(runs)
    diagnoses = folders.compactMap { try? GradientHistory($0) }
  }

  /// True if a process trains in one of the folders.
  package var isRunning: Bool { runs.contains { $0.state == .running } }

  private var title: String {
    runs.count == 1 ? runs[0].name : "\(runs.count) runs"
  }

  /// The page.
  package var html: String {
    var parts = [
      """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(escaped(title)) · Unroll</title>
      <style>
      \(ReportStyle.css)
      </style>
      </head>
      <body>
      <h1>\(escaped(title))</h1>
      """,
      summary,
    ]
    parts += curves
    if runs.count > 1 { parts.append(differences.html) }
    parts += diagnosis
    for run in runs { parts.append(details(of: run)) }
    let now = RunTable.date(Date().timeIntervalSince1970)
    parts.append("<footer>Written by unroll \(Version.number) on \(now) UTC.</footer>")
    return parts.joined(separator: "\n") + "\n</body>\n</html>\n"
  }

  // MARK: Figures

  private var summary: String {
    let heads = ["", "run", "state", "step", "loss", "best", "test", "targets/s", "last line, UTC"]
    let best = runs.compactMap(\.best?.loss).min()
    let rows = runs.enumerated().map { index, run in
      let validation =
        run.best.map { "\(Self.digits($0.loss)) at \(number(Double($0.step)))" } ?? "–"
      let isBest = runs.count > 1 && run.best?.loss == best && best != nil
      let cells = [
        "<span class=\"c\(index % ReportStyle.colours) key\"></span>", escaped(run.name),
        "<span class=\"\(run.state.rawValue)\">\(run.state.rawValue)</span>",
        number(Double(run.step)) + (run.plannedSteps.map { " of \(number(Double($0)))" } ?? ""),
        Self.digits(run.recentLoss), isBest ? "<b>\(validation)</b>" : validation,
        Self.digits(run.testLoss), run.speed.map { number($0.rounded()) } ?? "–",
        run.changed.map(RunTable.date) ?? "–",
      ]
      return "<tr>" + cells.map { "<td>\($0)</td>" }.joined() + "</tr>"
    }
    let warnings = runs.flatMap { run in
      run.warnings.map { "<p class=\"warning\">\(escaped(run.name)): \(escaped($0))</p>" }
    }
    return """
      <div class="wide"><table>
      <tr>\(heads.map { "<th>\($0)</th>" }.joined())</tr>
      \(rows.joined(separator: "\n"))
      </table></div>
      <p class="note">Losses are in nats a target: that of training is the mean of the last 20 steps.</p>
      \(warnings.joined(separator: "\n"))
      """
  }

  private static func digits(_ loss: Double?) -> String {
    loss.map { String(format: "%.4f", $0) } ?? "–"
  }

  // MARK: Curves

  private typealias Number = @Sendable (MetricsRecord) -> Double?

  private var curves: [String] {
    let hasBytes = runs.allSatisfy { $0.lines.contains { $0.bitsPerByte != nil } }
    let several = runs.contains { $0.lines.contains { $0.hiddenShare != nil } }
    return [
      figure(
        "Loss, nats a target",
        "The line is the mean of each part of the run, the band its range; "
          + "dots are validation.", [("training", \.loss), ("validation", \.validLoss)]),
      hasBytes
        ? figure(
          "Bits per byte", nil,
          [("training", \.bitsPerByte), ("validation", \.validBitsPerByte)]) : nil,
      figure("Learning rate", nil, [("", \.learningRate)], isLogarithmic: true),
      figure("Norm of the gradient", nil, [("", \.gradientNorm)], isLogarithmic: true),
      figure("Targets a second", nil, [("", \.tokensPerSecond)]),
      several
        ? figure(
          "Exchange of gradients that nothing hides, % of a step", nil, [("", \.exposedShare)])
        : nil,
    ].compactMap(\.self)
  }

  /// Draws some numbers of every run; nil if none has them.
  private func figure(
    _ title: String, _ note: String?, _ numbers: [(name: String, value: Number)],
    isLogarithmic: Bool = false
  ) -> String? {
    var curves: [CurvePlot.Curve] = []
    for (index, run) in runs.enumerated() {
      for (name, value) in numbers {
        let points = run.lines.compactMap { line in value(line).map { (line.step, $0) } }
        guard !points.isEmpty else { continue }
        curves.append(
          CurvePlot.Curve(
            name: [runs.count > 1 ? run.name : "", name].filter { !$0.isEmpty }
              .joined(separator: ", "),
            colour: (runs.count > 1 ? index : curves.count) % ReportStyle.colours,
            points: points, isMarked: name == "validation"))
      }
    }
    let plot = CurvePlot(
      title: title, curves: curves, isLogarithmic: isLogarithmic,
      parts: runs.count > 3 ? 150 : 400)
    guard let svg = plot.svg else { return nil }
    let legend = curves.filter { !$0.name.isEmpty }.map {
      "<span class=\"c\($0.colour) \($0.isMarked ? "dot" : "key")\"></span>\(escaped($0.name))"
    }
    return """
      <figure>
      <figcaption>\(escaped(title))\(note.map { " <small>\(escaped($0))</small>" } ?? "")</figcaption>
      \(svg)
      \(legend.isEmpty ? "" : "<p class=\"legend\">\(legend.joined(separator: " "))</p>")
      </figure>
      """
  }

  private var diagnosis: [String] {
    guard !diagnoses.isEmpty, let plot = try? GradientPlot(diagnoses) else { return [] }
    return [
      """
      <figure><figcaption>Gradients through time</figcaption>
      <div class="picture">\(plot.svg)</div></figure>
      """
    ]
  }

  // MARK: Settings and checkpoints

  /// The texts that a run has written: the last ones, and behind a summary some of those before.
  private func samples(of run: RunHistory) -> String {
    let found = run.lines.compactMap { line in line.samples.map { (step: line.step, texts: $0) } }
    guard let last = found.last else { return "" }
    func html(_ texts: [Sample]) -> String {
      texts.map { sample in
        let source = sample.source.map { "<p class=\"note\">\(escaped($0))</p>" } ?? ""
        let text = sample.shown
        let isCut = text.count > Self.longestSample
        return source
          + "<pre class=\"text\">\(escaped(String(text.prefix(Self.longestSample))))"
          + (isCut ? " …" : "") + "</pre>"
      }.joined(separator: "\n")
    }
    let earlier = found.dropLast()
    let step = max(1, (earlier.count + Self.mostSamples - 1) / Self.mostSamples)
    let chosen = stride(from: 0, to: earlier.count, by: step).map { earlier[$0] }
    let before = chosen.map {
      "<details><summary>after step \(number(Double($0.step)))</summary>\(html($0.texts))</details>"
    }
    return """
      <h3>Samples after step \(number(Double(last.step)))</h3>
      \(html(last.texts))
      \(before.joined(separator: "\n"))
      """
  }

  /// The most characters of a sample that are shown, and the most earlier steps with samples.
  private static let (longestSample, mostSamples) = (2000, 12)

  private func details(of run: RunHistory) -> String {
    let checkpoints = run.checkpoints.map { checkpoint in
      let marks = [checkpoint.isLatest ? "latest" : nil, checkpoint.isBest ? "best" : nil]
      return "<tr><td>\(checkpoint.step)</td><td>\(escaped(checkpoint.time ?? "?"))</td>"
        + "<td>\(bytes(checkpoint.size))</td>"
        + "<td>\(marks.compactMap(\.self).joined(separator: ", "))</td></tr>"
    }
    let resolved = run.configuration.flatMap { try? prettyJSON($0) }
    return """
      <section>
      <h2>\(escaped(run.name))</h2>
      <p class="note">\(escaped(run.folder))\(run.machine.map { " · " + escaped($0) } ?? "")</p>
      <h3>Configuration as given</h3>
      <pre>\(escaped(run.given ?? "It cannot be read."))</pre>
      \(resolved.map { "<details><summary>With every default</summary><pre>\(escaped($0))</pre></details>" } ?? "")
      \(samples(of: run))
      <h3>Checkpoints</h3>
      <div class="wide"><table><tr><th>step</th><th>saved</th><th>size</th><th></th></tr>
      \(checkpoints.joined(separator: "\n"))
      </table></div>
      </section>
      """
  }
}

extension RunHistory {
  /// The events of the run that a reader should know, a sentence each.
  fileprivate var warnings: [String] {
    var warnings: [String] = []
    let skipped = lines.count { $0.updated == false }
    if skipped > 0 {
      warnings.append(
        skipped == 1 ? "One step changed no weight." : "\(skipped) steps changed no weight.")
    }
    let bad = lines.filter { !$0.isFinite }
    if let first = bad.first {
      warnings.append(
        "The loss or the gradient was not finite in \(bad.count) steps, first in step \(first.step)."
      )
    }
    if let best, let last = lines.last(where: { $0.validLoss != nil }), let loss = last.validLoss,
      loss > best.loss * 1.02
    {
      warnings.append(
        "The last validation loss is \(String(format: "%.4f", loss)), and the best one was "
          + "\(String(format: "%.4f", best.loss)) at step \(best.step): the model overfits, or the "
          + "learning rate is too high.")
    }
    return warnings
  }

  /// The program, and the number of ranks of the last checkpoint; nil without one.
  fileprivate var machine: String? {
    guard case .string(let software) = checkpointState?["software"],
      let ranks = checkpointState?["world_size"]?.double
    else { return nil }
    return "\(software), \(number(ranks)) rank\(ranks == 1 ? "" : "s")"
  }
}
