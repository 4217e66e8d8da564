package import Checkpointing
package import Inference
package import Training

/// Writes the results of a run to its metrics file.
package final class MetricsFileSink: MetricsSink {
  private let path: String
  /// True if predictions are symbols, of which a fraction is correct.
  private let hasAccuracy: Bool
  /// The host of each rank.
  private let hosts: [String]
  private let warn: (String) -> Void
  /// The open file; nil before the run starts.
  private var file: MetricsFile?
  /// The number of lines that could not be written since the last one that was.
  private var missing = 0

  package init(
    _ path: String, hasAccuracy: Bool, hosts: [String], warn: @escaping (String) -> Void
  ) {
    self.path = path
    self.hosts = hosts
    self.hasAccuracy = hasAccuracy
    self.warn = warn
  }

  /// Opens the file of a run that stands at `state`, and removes the lines of later steps.
  /// - Throws: `FileError` if the file cannot be written.
  package func open(at state: CoordinatorState) throws {
    file = try MetricsFile(path, keepingThrough: state.step, hosts: hosts)
  }

  package func record(step report: StepReport, _ coordinator: Coordinator) {
    write { try $0.append(step: report) }
    if let gradients = report.gradients { write { try $0.append(gradients) } }
  }

  package func record(evaluation score: Score, isBest: Bool, _ coordinator: Coordinator) {
    let state = coordinator.state
    let line = EvaluationLine(
      step: state.step, epoch: coordinator.lastEpoch, tokens: state.tokens, validLoss: score.loss,
      validPerplexity: score.perplexity, validBits: score.bits, validBitsPerByte: score.bitsPerByte,
      validAccuracy: accuracy(score), validRootAccuracy: score.rootAccuracy, best: isBest)
    write { try $0.append(line) }
  }

  package func record(samples: [Sample], _ coordinator: Coordinator) {
    let state = coordinator.state
    write { try $0.append(SamplesLine(step: state.step, tokens: state.tokens, samples: samples)) }
  }

  package func record(checkpoint report: CheckpointReport, _ coordinator: Coordinator) {
    let line = CheckpointLine(
      step: coordinator.state.step, checkpointStep: report.step, saved: report.failure == nil,
      bytes: report.bytes, snapshotSeconds: report.snapshotSeconds,
      waitSeconds: report.waitSeconds, writeSeconds: report.writeSeconds,
      error: report.failure?.description)
    write { try $0.append(line) }
  }

  package func record(rollbackTo step: Int, _ coordinator: Coordinator) {
    let state = coordinator.state
    let line = RollbackLine(
      step: state.step, rolledBackTo: step, rollbacks: state.rollbacks ?? 0)
    write { try $0.append(line) }
  }

  package func record(test score: Score, _ coordinator: Coordinator) {
    let line = TestLine(
      step: coordinator.state.step, testLoss: score.loss, testPerplexity: score.perplexity,
      testBitsPerByte: score.bitsPerByte, testAccuracy: accuracy(score),
      testRootAccuracy: score.rootAccuracy)
    write { try $0.append(line) }
  }

  /// Returns the fraction of correctly predicted symbols; nil for numbers.
  private func accuracy(_ score: Score) -> Double? { hasAccuracy ? score.accuracy : nil }

  private func write(_ line: (MetricsFile) throws -> Void) {
    guard let file else { return }
    do {
      try line(file)
      if missing > 0 { warn("\(path) is written again; \(lines(missing)) missing.") }
      missing = 0
    } catch {
      // A run is not ended because its metrics cannot be written.
      if missing == 0 {
        warn("\(error); the run continues without its metrics until the file can be written.")
      }
      missing += 1
    }
  }

  /// Reports lines that are missing at the end of the run.
  package func conclude() {
    if missing > 0 { warn("\(path): \(lines(missing)) missing at its end.") }
  }

  private func lines(_ count: Int) -> String { count == 1 ? "1 line is" : "\(count) lines are" }
}

/// The line of the texts that the model has written.
private struct SamplesLine: Encodable {
  let step: Int
  let tokens: Int
  let samples: [Sample]
}

/// The line of the test at the end of a run.
private struct TestLine: Encodable {
  let step: Int
  let testLoss: Double
  let testPerplexity: Double
  let testBitsPerByte: Double?
  let testAccuracy: Double?
  /// For trees.
  let testRootAccuracy: Double?

  enum CodingKeys: String, CodingKey {
    case step
    case testLoss = "test_loss"
    case testPerplexity = "test_perplexity"
    case testBitsPerByte = "test_bits_per_byte"
    case testAccuracy = "test_accuracy"
    case testRootAccuracy = "test_root_accuracy"
  }
}
