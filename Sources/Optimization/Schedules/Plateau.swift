/// The state of the plateau rule, which lowers the learning rate when the validation loss stops
/// improving.
///
/// It is saved in the checkpoint. After more than `patience` evaluations in a row without an
/// improvement, the rate is multiplied by `factor`. A loss improves on the best loss b if it is
/// below b − threshold · |b|; a loss that is not finite never improves (PyTorch's
/// `ReduceLROnPlateau`).
public struct Plateau: Codable, Sendable, Equatable {
  /// The options: `plateau: {factor: 0.25, patience: 0}`.
  public struct Options: Codable, Sendable, Equatable {
    public var factor = 0.1
    /// The number of evaluations without improvement that are allowed; at 0 the first one lowers
    /// the rate.
    public var patience = 10
    public var threshold = 1e-4
    /// The learning rate below which the plateau does not lower the schedule's peak.
    public var minimum = 0.0

    public init() {}

    public init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      factor = try container.decode(.factor, or: factor, "a number above 0 and below 1") {
        0 < $0 && $0 < 1
      }
      patience = try container.decodeCount(.patience, or: patience)
      threshold = try container.decodeShare(.threshold, or: threshold)
      minimum = try container.decodeNonNegative(.minimum, or: minimum)
    }
  }

  /// The lowest loss that counted as an improvement.
  public private(set) var best: Double?
  /// The number of evaluations since then, or since the rate was last lowered.
  public private(set) var badEvaluations = 0
  /// The factor on the schedule's rate.
  public private(set) var factor = 1.0

  private enum CodingKeys: String, CodingKey {
    case best, factor
    case badEvaluations = "bad_evaluations"
  }

  public init() {}

  /// Records the loss of an evaluation.
  /// - Parameters:
  ///   - loss: The validation loss of the evaluation.
  ///   - options: The options of the plateau rule.
  ///   - learningRate: The schedule's peak, which is compared with `minimum`.
  public mutating func observe(_ loss: Double, _ options: Options, learningRate: Double) {
    if improves(loss, threshold: options.threshold) {
      best = loss
      badEvaluations = 0
      return
    }
    badEvaluations += 1
    if badEvaluations > options.patience {
      let floor = min(options.minimum / learningRate, factor)
      factor = max(factor * options.factor, floor)
      badEvaluations = 0
    }
  }

  private func improves(_ loss: Double, threshold: Double) -> Bool {
    guard loss.isFinite, let best else { return loss.isFinite }
    return loss < best * (best > 0 ? 1 - threshold : 1 + threshold)
  }
}
