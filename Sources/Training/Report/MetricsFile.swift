internal import Foundation

/// `metrics.jsonl` of a run: one JSON object a line, appended as it happens.
struct MetricsFile {
  private let handle: FileHandle
  private let path: String

  /// Opens the file of a run that has taken `step` steps, and removes what a later step wrote: a resumed
  /// run writes these lines again.
  init(_ path: String, keepingThrough step: Int) throws(CheckpointError) {
    self.path = path
    do {
      if let old = FileManager.default.contents(atPath: path) {
        let kept = Self.lines(of: old, through: step)
        if kept.count < old.count { try kept.write(to: URL(filePath: path), options: .atomic) }
      } else {
        try Data().write(to: URL(filePath: path))
      }
      handle = try FileHandle(forWritingTo: URL(filePath: path))
      try handle.seekToEnd()
    } catch {
      throw Self.unwritable(path)
    }
  }

  /// The whole lines of steps up to `step`, without those of a test: it comes again at the end.
  private static func lines(of data: Data, through step: Int) -> Data {
    struct Line: Decodable {
      let step: Int
      let test_loss: Double?
    }
    var kept = Data()
    for line in data.split(separator: UInt8(ascii: "\n")) {
      guard let read = try? JSONDecoder().decode(Line.self, from: Data(line)), read.step <= step,
        read.test_loss == nil
      else { continue }
      kept.append(contentsOf: line)
      kept.append(UInt8(ascii: "\n"))
    }
    return kept
  }

  /// Appends a line.
  func append(_ values: some Encodable) throws(CheckpointError) {
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys]
      // JSON has no such numbers, and a diverging run has to be able to say so.
      encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
      try handle.write(contentsOf: try encoder.encode(values) + Data([UInt8(ascii: "\n")]))
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
