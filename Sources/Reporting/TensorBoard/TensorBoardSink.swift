package import Checkpointing
package import Configuration
internal import Foundation
package import Inference
internal import LinearAlgebra
internal import ProtocolBuffers
package import Recurrence
package import Training

/// Writes the results of a run to event files of TensorBoard: curves, histograms of weights, and the
/// configuration as a text.
///
/// A resumed run writes a file of its own, whose first event hides what earlier files say of the steps
/// that are taken again. Of quick steps at most ten a second are written.
package final class TensorBoardSink: MetricsSink {
  private let folder: String
  /// True if predictions are symbols, of which a fraction is correct.
  private let hasAccuracy: Bool
  private let configuration: String
  private let hyperparameters: Hyperparameters
  private let warn: (String) -> Void
  /// The open file; nil before the run starts, and after it could not be written.
  private var file: EventFile?
  /// The time of the last step that was written.
  private var written = 0.0

  /// The shortest time between two steps that are written, in seconds.
  private static let interval = 0.1
  private static let buckets = 40

  package init(
    _ folder: String, hasAccuracy: Bool, configuration: String, _ options: RunOptions,
    warn: @escaping (String) -> Void
  ) {
    self.folder = folder
    self.hasAccuracy = hasAccuracy
    self.configuration = configuration
    hyperparameters = Hyperparameters(options)
    self.warn = warn
  }

  /// Begins a file of a run that stands at `state`.
  package func open(at state: CoordinatorState) {
    do {
      var file = try EventFile(in: folder)
      try file.append(step: state.step + 1) { $0.sessionLog.status = .start }
      let text = "    " + configuration.replacing("\n", with: "\n    ")
      let settings = hyperparameters
      try file.append(step: state.step) {
        $0.summary.value = [
          .text("configuration", text),
          .hyperparameters("session_start_info", settings.start(at: EventFile.now)),
        ]
      }
      try file.flush()
      self.file = file
    } catch {
      warn("\(error); the run continues without files of TensorBoard.")
    }
  }

  package func record(step report: StepReport, _ coordinator: Coordinator) {
    let now = EventFile.now
    guard file != nil, now - written >= Self.interval else { return }
    written = now
    let time = report.time
    var values = [
      ("loss/train", report.score.loss), ("bits_per_byte/train", report.score.bitsPerByte),
      ("train/learning_rate", report.learningRate), ("train/gradient_norm", report.gradientNorm),
      ("train/targets_per_second", report.tokensPerSecond),
    ]
    if report.ranks.count > 1, time.total > 0 {
      values.append(("train/exchange_share", time.communication / time.total))
      values.append(("train/waiting_share", report.waitSeconds / time.total))
    }
    write(step: report.step, values)
  }

  package func record(evaluation score: Score, isBest: Bool, _ coordinator: Coordinator) {
    write(step: coordinator.state.step, values(of: score, "valid"))
  }

  package func record(test score: Score, _ coordinator: Coordinator) {
    write(step: coordinator.state.step, values(of: score, "test"))
  }

  private func values(of score: Score, _ part: String) -> [(String, Double?)] {
    [
      ("loss/\(part)", score.loss), ("perplexity/\(part)", score.perplexity),
      ("bits_per_byte/\(part)", score.bitsPerByte),
      ("accuracy/\(part)", hasAccuracy ? score.accuracy : nil),
    ]
  }

  package func record(weights: ParameterVector, _ coordinator: Coordinator) {
    guard file != nil else { return }
    append(step: coordinator.state.step) {
      $0.summary.value = Self.histograms(of: ParameterSample(ofWhole: weights), scale: 1, "weights")
    }
    flush()
  }

  package func record(gradient: ParameterSample, scale: Double, _ coordinator: Coordinator) {
    guard file != nil else { return }
    // The step is not over yet.
    append(step: coordinator.state.step + 1) {
      $0.summary.value = Self.histograms(of: gradient, scale: scale, "gradients")
    }
  }

  private static func histograms(
    of sample: ParameterSample, scale: Double, _ name: String
  ) -> [Tensorboard_Summary.Value] {
    zip(sample.entries, sample.numbers).map { entry, numbers in
      .histogram("\(name)/\(entry.name)", histogram(numbers, times: scale, buckets))
    }
  }

  /// Counts numbers in equal buckets between the least and the greatest of them.
  private static func histogram(
    _ numbers: [Real], times scale: Double, _ buckets: Int
  ) -> Tensorboard_HistogramProto {
    var histogram = Tensorboard_HistogramProto()
    let chosen = numbers.map { scale * Double($0) }.filter(\.isFinite)
    guard let low = chosen.min(), let high = chosen.max() else { return histogram }
    let width = high > low ? (high - low) / Double(buckets) : 1
    var counts = [Double](repeating: 0, count: high > low ? buckets : 1)
    for number in chosen { counts[min(Int((number - low) / width), counts.count - 1)] += 1 }
    histogram.min = low
    histogram.max = high
    histogram.num = Double(chosen.count)
    histogram.sum = chosen.reduce(0, +)
    histogram.sumSquares = chosen.reduce(0) { $0 + $1 * $1 }
    histogram.bucketLimit = counts.indices.map { low + width * Double($0 + 1) }
    histogram.bucket = counts
    return histogram
  }

  package func record(samples: [Sample], _ coordinator: Coordinator) {
    let texts = samples.enumerated().map { number, sample in
      let source = sample.source.map { "    " + Sample(text: $0).shown + "\n\n" } ?? ""
      let name = samples.count == 1 ? "sample" : "sample/\(number + 1)"
      return Tensorboard_Summary.Value.text(name, source + sample.indented)
    }
    append(step: coordinator.state.step) { $0.summary.value = texts }
    flush()
  }

  package func record(checkpoint report: CheckpointReport, _ coordinator: Coordinator) { flush() }

  /// Writes what waits, and how the run ended; nothing of that for a run that can be resumed.
  package func close(at state: CoordinatorState, _ outcome: Outcome) {
    let status: Hyperparameters.Status? =
      switch outcome {
      case .complete, .worseThanGuessing: .success
      case .diverged, .spiked, .unsaved: .failure
      case .interrupted: nil
      }
    if let status {
      append(step: state.step) {
        $0.summary.value = [
          .hyperparameters("session_end_info", Hyperparameters.end(status, at: EventFile.now))
        ]
      }
    }
    flush()
  }

  // MARK: Writing

  private func write(step: Int, _ values: [(tag: String, value: Double?)]) {
    append(step: step) { event in
      event.summary.value = values.compactMap { tag, value in
        value.map { .scalar(tag, Float($0)) }
      }
    }
  }

  private func append(step: Int, _ fill: (inout Tensorboard_Event) -> Void) {
    guard var file else { return }
    // The file is a value: two of them would copy its waiting bytes.
    self.file = nil
    do {
      try file.append(step: step, fill)
      self.file = file
    } catch {
      giveUp(error)
    }
  }

  private func flush() {
    do {
      try file?.flush()
    } catch {
      giveUp(error)
    }
  }

  /// A run is not ended because its curves cannot be written.
  private func giveUp(_ error: any Error) {
    file = nil
    warn("\(error); the run continues without files of TensorBoard.")
  }
}

extension Tensorboard_Summary.Value {
  fileprivate static func scalar(_ tag: String, _ number: Float) -> Self {
    var value = Self()
    value.tag = tag
    value.simpleValue = number
    return value
  }

  fileprivate static func histogram(_ tag: String, _ histogram: Tensorboard_HistogramProto) -> Self
  {
    var value = Self()
    value.tag = tag
    value.histo = histogram
    return value
  }

  /// Returns a message of the page of hyperparameters.
  fileprivate static func hyperparameters(_ name: String, _ message: Data) -> Self {
    var value = text("", "")
    value.tag = "_hparams_/" + name
    value.metadata.pluginData.pluginName = "hparams"
    value.metadata.pluginData.content = message
    return value
  }

  /// Returns a text that the page of texts shows as Markdown.
  fileprivate static func text(_ tag: String, _ text: String) -> Self {
    var value = Self()
    value.tag = tag + "/text_summary"
    value.metadata.pluginData.pluginName = "text"
    value.tensor.dtype = .dtString
    value.tensor.stringVal = [Data(text.utf8)]
    var size = Tensorboard_TensorShapeProto.Dim()
    size.size = 1
    value.tensor.tensorShape.dim = [size]
    return value
  }
}
