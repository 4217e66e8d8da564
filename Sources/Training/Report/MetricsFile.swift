internal import Foundation
internal import Glibc

/// `metrics.jsonl` of a run: one JSON object a line, appended as it happens.
///
/// Steps never fall from one line to the next, so the place where a resumed run goes on is found by
/// looking at a few lines, however many there are.
package final class MetricsFile {
  private let handle: FileHandle
  private let path: String
  private let encoder = JSONEncoder()

  /// Opens the file of a run that has taken `step` steps, and removes what a later step wrote: a resumed
  /// run writes these lines again. The lines before are left where they lie.
  package init(_ path: String, keepingThrough step: Int) throws(CheckpointError) {
    self.path = path
    encoder.outputFormatting = [.sortedKeys]
    // JSON has no such numbers, and a diverging run has to be able to say so.
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    // Reading and writing, so that a pipe without a reader is found and not waited for.
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw Self.unwritable(path) }
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Self.unwritable(path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw CheckpointError(
        .cannotCreate, path,
        "\(path) is no regular file, to which lines could be added: move it away, or choose another "
          + "--run folder")
    }
    do {
      let end = try MetricsLines(handle, size: UInt64(status.st_size)).end(through: step)
      if end < status.st_size { try handle.truncate(atOffset: end) }
      try handle.seek(toOffset: end)
    } catch {
      throw Self.unwritable(path)
    }
  }

  /// Appends a line, with the time at which it is written.
  package func append(_ values: some Encodable) throws(CheckpointError) {
    do {
      var line = try encoder.encode(TimedLine(values: values, time: Date()))
      line.append(UInt8(ascii: "\n"))
      try handle.write(contentsOf: line)
    } catch {
      throw Self.unwritable(path)
    }
  }

  private static func unwritable(_ path: String) -> CheckpointError {
    CheckpointError(
      .cannotWrite, path,
      "\(path) cannot be written: free some space or choose another --run folder")
  }
}

/// A line, and `time`: seconds since 1970 (UTC), to a millisecond.
private struct TimedLine<Values: Encodable>: Encodable {
  let values: Values
  let time: Date

  enum CodingKeys: CodingKey { case time }

  func encode(to encoder: any Encoder) throws {
    try values.encode(to: encoder)
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode((time.timeIntervalSince1970 * 1000).rounded() / 1000, forKey: .time)
  }
}

/// The line of a step.
struct StepLine: Encodable {
  let report: StepReport

  enum CodingKeys: String, CodingKey {
    case step, epoch, tokens, loss
    case learningRate = "learning_rate"
    case gradientNorm = "gradient_norm"
    case tokensPerSecond = "tokens_per_second"
    case stepSeconds = "step_seconds"
    case computeSeconds = "compute_seconds"
    case communicationSeconds = "communication_seconds"
    case updated
  }

  func encode(to encoder: any Encoder) throws {
    var line = encoder.container(keyedBy: CodingKeys.self)
    try line.encode(report.step, forKey: .step)
    try line.encode(report.epoch, forKey: .epoch)
    try line.encode(report.tokens, forKey: .tokens)
    try line.encode(report.score.loss, forKey: .loss)
    try line.encode(report.learningRate, forKey: .learningRate)
    try line.encode(report.gradientNorm, forKey: .gradientNorm)
    try line.encode(report.tokensPerSecond, forKey: .tokensPerSecond)
    try line.encode(report.time.total, forKey: .stepSeconds)
    try line.encode(report.time.compute, forKey: .computeSeconds)
    try line.encode(report.time.communication, forKey: .communicationSeconds)
    if !report.isUpdate { try line.encode(false, forKey: .updated) }
  }
}

/// The line of an evaluation.
struct EvaluationLine: Encodable {
  let step: Int
  let epoch: Int
  let tokens: Int
  let validLoss: Double
  let validPerplexity: Double
  let validBits: Double
  let validAccuracy: Double?
  /// Of trees.
  let validRootAccuracy: Double?
  let best: Bool

  enum CodingKeys: String, CodingKey {
    case step, epoch, tokens, best
    case validLoss = "valid_loss"
    case validPerplexity = "valid_perplexity"
    case validBits = "valid_bits"
    case validAccuracy = "valid_accuracy"
    case validRootAccuracy = "valid_root_accuracy"
  }
}
