internal import Formats
internal import Foundation
internal import Recurrence

extension BenchReport {
  /// The report as text, one line per measurement.
  public var words: String {
    var lines = [
      ("model", "\(model), \(grouped(vocabulary)) symbols, \(grouped(parameters)) parameters"),
      ("window", window),
      ("speed", speed),
      (
        "arithmetic",
        "\(fixed(gflops, 1)) GFLOP/s of the plain network, \(fixed(100 * fractionOfPeak, 0)) % of "
          + "\(fixed(peakGflops, 1)) (best product\(ranks > 1 ? ", \(ranks) ranks" : ""), \(kernels))"
      ),
    ]
    if task == .generate {
      lines.append(
        (
          "weights",
          "\(fixed(weightGigabytesPerSecond, 1)) GB/s of \(fixed(Double(weightBytes) * 1e-6, 1)) MB "
            + "a symbol; memory is read at \(fixed(readGigabytesPerSecond, 1)) GB/s"
        ))
    }
    if ranks > 1, task == .train {
      lines.append(
        (
          "messages",
          "\(fixed(bytesPerStep * 1e-6, 2)) MB sent per step and rank, \(fixed(100 * hiddenShare, 0)) % "
            + "of their time hidden behind computing"
        ))
    }
    lines += phaseLines
    lines.append(
      ("memory", "\(mebibytes(peakMemory)) at most, besides \(mebibytes(startMemory)) at the start")
    )
    lines.append(("start", "\(fixed(setupSeconds, 2)) s from exec to the model"))
    if task != .generate {
      lines.append(
        ("loss", "\(fixed(firstLoss, 4)) nats in the first step, \(fixed(lastLoss, 4)) in the last")
      )
    }
    return lines.map { $0.0.padding(toLength: 13, withPad: " ", startingAt: 0) + $0.1 }
      .joined(separator: "\n")
  }

  private var window: String {
    let several = ranks > 1 ? " on each of \(ranks) ranks" : ""
    if task == .generate { return "one symbol of one stream\(several), \(precision)" }
    return "\(batchSize) streams × \(bptt) steps\(several), \(precision)"
  }

  private var speed: String {
    let unit = task == .generate ? "symbols/s" : "tokens/s"
    let digits = stepMilliseconds.median < 10 ? 3 : 1
    return "\(grouped(Int(tokensPerSecond))) \(unit) "
      + "(quartiles \(grouped(Int(tokensPerSecondLow)))–\(grouped(Int(tokensPerSecondHigh)))), "
      + "\(fixed(stepMilliseconds.median, digits)) ms a step, \(steps) steps"
  }

  /// One line per phase that took any time, the longest first.
  private var phaseLines: [(String, String)] {
    let total = max(phases.values.reduce(0, +), 1e-9)
    let shown = phases.filter { $0.value > 0.0005 * total }
      .sorted { $0.value > $1.value || ($0.value == $1.value && $0.key < $1.key) }
    return shown.enumerated().map { place, phase in
      let name = phase.key.replacing("_", with: " ").padding(
        toLength: 20, withPad: " ", startingAt: 0)
      return (
        place == 0 ? "time" : "",
        name + String(format: "%5.1f %% %10.3f ms", 100 * phase.value / total, phase.value)
      )
    }
  }

  private func mebibytes(_ bytes: Int) -> String { fixed(Double(bytes) / 0x1p20, 1) + " MiB" }
}

/// Returns a whole number with its digits in groups of three.
func grouped(_ number: Int) -> String {
  let digits = Array(String(number.magnitude))
  var text = number < 0 ? "-" : ""
  for (place, digit) in digits.enumerated() {
    if place > 0, (digits.count - place).isMultiple(of: 3) { text.append(",") }
    text.append(digit)
  }
  return text
}
