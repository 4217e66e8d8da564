package import Formats
internal import Foundation
internal import Glibc
internal import Training

/// The `metrics.jsonl` of a run: one JSON object per line, appended as it happens.
///
/// Steps never decrease from line to line, so the position for a resumed run is found by reading a
/// few lines, however many there are.
package final class MetricsFile {
  private let handle: FileHandle
  private let path: String
  private let encoder = JSONEncoder()
  /// The host of each rank, as JSON.
  private let hosts: [String]

  /// Opens the file of a run that has taken `step` steps, and removes the lines of later steps,
  /// which a resumed run writes again. The lines before are kept.
  /// - Parameter hosts: The host of each rank.
  package init(
    _ path: String, keepingThrough step: Int, hosts: [String] = []
  ) throws(FileError) {
    self.path = path
    self.hosts = hosts.map(Self.quoted)
    encoder.outputFormatting = [.sortedKeys]
    // JSON cannot represent these values, but a diverging run must be able to report them.
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    // Opened for reading and writing, so that a pipe without a reader is detected instead of
    // blocking.
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw Self.unwritable(path) }
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Self.unwritable(path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw FileError(
        .cannotCreate, path,
        "\(path) is not a regular file, to which lines could be added: move it away, or choose "
          + "another "
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

  /// Appends a line with the current time.
  package func append(_ values: some Encodable) throws(FileError) {
    guard var line = try? encoder.encode(TimedLine(values: values)) else {
      throw Self.unwritable(path)
    }
    line.append(UInt8(ascii: "\n"))
    try write(line)
  }

  private func write(_ line: Data) throws(FileError) {
    guard let begin = try? handle.offset() else { throw Self.unwritable(path) }
    try? handle.write(contentsOf: line)
    // If a file cannot grow any further, Foundation writes what fits and reports no error.
    if (try? handle.offset()) == begin + UInt64(line.count) { return }
    // The length of the file tells the reason, so it is read before the rest of the line is removed, which the
    // next line must not follow.
    let error = Self.unwritable(path)
    try? handle.truncate(atOffset: begin)
    throw error
  }

  /// Appends the line of a step. It is formatted here, because a JSON encoder can take longer than
  /// the step itself, while the other ranks wait.
  func append(step report: StepReport) throws(FileError) {
    let bits = report.score.bitsPerByte.map { "\"bits_per_byte\":\(Self.json($0))," } ?? ""
    var line = "{\(bits)\"communication_seconds\":\(Self.json(report.time.communication))"
    line += ",\"compute_seconds\":\(Self.json(report.time.compute))"
    line += ",\"data_seconds\":\(Self.json(report.time.data)),\"epoch\":\(report.epoch)"
    line += ",\"gradient_norm\":\(Self.json(report.gradientNorm))"
    line += ",\"learning_rate\":\(Self.json(report.learningRate))"
    line += ",\"loss\":\(Self.json(report.score.loss)),\"step\":\(report.step)"
    line += ",\"step_seconds\":\(Self.json(report.time.total))"
    if report.ranks.count > 1 { line += ranks(report) }
    line += ",\"time\":\(Self.json(Self.now)),\"tokens\":\(report.tokens)"
    line += ",\"tokens_per_second\":\(Self.json(report.tokensPerSecond))"
    if let spike = report.spike { line += ",\"spike\":\(Self.json(spike))" }
    line += report.isUpdate ? "}\n" : ",\"updated\":false}\n"
    try write(Data(line.utf8))
  }

  /// Formats what a step says about the ranks of a world.
  private func ranks(_ report: StepReport) -> String {
    let json = Self.json
    let host = report.slowestRank < hosts.count ? hosts[report.slowestRank] : "null"
    let traffic = report.traffic
    let hidden = traffic.seconds > 0 ? traffic.hidden / traffic.seconds : 0
    return ",\"bytes_sent\":\(traffic.bytes),\"hidden_share\":\(json(hidden))"
      + ",\"imbalance\":\(json(report.imbalance))"
      + ",\"rank_compute_seconds\":[\(report.ranks.map(json).joined(separator: ","))]"
      + ",\"slowest_host\":\(host),\"slowest_rank\":\(report.slowestRank),\"wait_seconds\":\(json(report.waitSeconds))"
  }

  /// Quotes the name of a host, without characters that JSON would have to escape.
  private static func quoted(_ host: String) -> String {
    "\"" + String(host.unicodeScalars.filter { $0 != "\"" && $0 != "\\" && $0.value >= 32 }) + "\""
  }

  /// Formats a number with the digits needed to restore it, as a JSON encoder does.
  private static func json(_ number: Double) -> String {
    guard number.isFinite else {
      return number.isNaN ? "\"nan\"" : number > 0 ? "\"inf\"" : "\"-inf\""
    }
    let text = number.description
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  /// Seconds since 1970 (UTC), to a millisecond.
  fileprivate static var now: Double {
    (Date().timeIntervalSince1970 * 1000).rounded() / 1000
  }

  private static func unwritable(_ path: String) -> FileError {
    // The system's own reason is lost here; the length of the file shows whether it reached the
    // limit.
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0,
      limit.rlim_cur <= rlim_t(fileSize(path) ?? 0)
    {
      return FileError(
        .cannotWrite, path,
        "\(path) has reached the largest size that the shell allows files: raise it with ulimit -f "
          + "and start again")
    }
    return FileError(
      .cannotWrite, path,
      "\(path) cannot be written: free some space or choose another --run folder")
  }
}

/// The line of a checkpoint. Its step is that of the report; `checkpoint_step` is that of the checkpoint.
struct CheckpointLine: Encodable {
  let step: Int
  let checkpointStep: Int
  let saved: Bool
  let bytes: Int
  let snapshotSeconds: Double
  let waitSeconds: Double
  let writeSeconds: Double
  /// The reason for which it could not be written.
  let error: String?

  enum CodingKeys: String, CodingKey {
    case step, saved, bytes, error
    case checkpointStep = "checkpoint_step"
    case snapshotSeconds = "checkpoint_snapshot_seconds"
    case waitSeconds = "checkpoint_wait_seconds"
    case writeSeconds = "checkpoint_write_seconds"
  }
}

/// The line of a rollback after a step.
struct RollbackLine: Encodable {
  let step: Int
  /// The step of the checkpoint whose weights the run has taken.
  let rolledBackTo: Int
  /// The number of rollbacks of the run so far.
  let rollbacks: Int

  enum CodingKeys: String, CodingKey {
    case step, rollbacks
    case rolledBackTo = "rolled_back_to"
  }
}

/// A line with the current `time`.
private struct TimedLine<Values: Encodable>: Encodable {
  let values: Values

  enum CodingKeys: CodingKey { case time }

  func encode(to encoder: any Encoder) throws {
    try values.encode(to: encoder)
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(MetricsFile.now, forKey: .time)
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
  let validBitsPerByte: Double?
  let validAccuracy: Double?
  /// For trees.
  let validRootAccuracy: Double?
  let best: Bool

  enum CodingKeys: String, CodingKey {
    case step, epoch, tokens, best
    case validLoss = "valid_loss"
    case validPerplexity = "valid_perplexity"
    case validBits = "valid_bits"
    case validBitsPerByte = "valid_bits_per_byte"
    case validAccuracy = "valid_accuracy"
    case validRootAccuracy = "valid_root_accuracy"
  }
}
