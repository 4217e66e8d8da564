internal import Foundation
package import Inference

/// The numbers of a line of `metrics.jsonl` that pages show.
package struct MetricsRecord: Decodable, Sendable {
  package let step: Int
  package let time: Double?
  package let loss, validLoss, testLoss: Double?
  package let bitsPerByte, validBitsPerByte: Double?
  package let learningRate, gradientNorm, tokensPerSecond: Double?
  package let stepSeconds, communicationSeconds, hiddenShare: Double?
  /// False if the weights did not change in a step.
  package let updated: Bool?
  /// The texts that the model has written after a step.
  package let samples: [Sample]?

  enum CodingKeys: String, CodingKey {
    case step, time, loss, updated, samples
    case validLoss = "valid_loss"
    case testLoss = "test_loss"
    case bitsPerByte = "bits_per_byte"
    case validBitsPerByte = "valid_bits_per_byte"
    case learningRate = "learning_rate"
    case gradientNorm = "gradient_norm"
    case tokensPerSecond = "tokens_per_second"
    case stepSeconds = "step_seconds"
    case communicationSeconds = "communication_seconds"
    case hiddenShare = "hidden_share"
  }

  /// False if a loss or a gradient is not finite.
  package var isFinite: Bool {
    [loss, gradientNorm].allSatisfy { $0?.isFinite ?? true }
  }

  /// The share of a step's time that the exchange of gradients takes and nothing hides, in percent.
  package var exposedShare: Double? {
    guard let stepSeconds, let communicationSeconds, stepSeconds > 0 else { return nil }
    return 100 * communicationSeconds / stepSeconds
  }

  /// Returns the lines of a file; those that are no metrics are left out. nil if it cannot be read.
  /// - Parameter tail: The most bytes that are read, the last ones; nil for all.
  static func read(_ path: String, tail: Int?) -> [MetricsRecord]? {
    guard let handle = FileHandle(forReadingAtPath: path),
      let size = try? handle.seekToEnd()
    else { return nil }
    let start = tail.map { size > UInt64($0) ? size - UInt64($0) : 0 } ?? 0
    guard (try? handle.seek(toOffset: start)) != nil,
      let data = try? handle.readToEnd() ?? Data()
    else { return nil }
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return data.split(separator: UInt8(ascii: "\n")).compactMap {
      try? decoder.decode(MetricsRecord.self, from: $0)
    }
  }
}
