/// The state of early stopping, which ends a run whose validation loss no longer improves.
///
/// It is saved in the checkpoint. The run stops after `patience` evaluations in a row that were not
/// below the best, as in Keras and Lightning. A loss that is not finite never improves (Prechelt
/// 1998).
public struct EarlyStopping: Codable, Sendable, Equatable {
  /// The options: `early_stop: {patience: 5}`.
  public struct Options: Codable, Sendable, Equatable {
    public var patience: Int

    public init(patience: Int) { self.patience = patience }

    public init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      patience = try container.require(.patience, "a whole number of at least 1") { $0 >= 1 }
    }
  }

  /// The lowest loss so far.
  public private(set) var best: Double?
  /// The number of evaluations since then.
  public private(set) var badEvaluations = 0

  private enum CodingKeys: String, CodingKey {
    case best
    case badEvaluations = "bad_evaluations"
  }

  public init() {}

  /// Records the loss of an evaluation; returns true if it is the best so far.
  @discardableResult
  public mutating func observe(_ loss: Double) -> Bool {
    guard loss.isFinite, loss < best ?? .infinity else {
      badEvaluations += 1
      return false
    }
    best = loss
    badEvaluations = 0
    return true
  }

  /// Returns true if the run must stop.
  public func shouldStop(_ options: Options) -> Bool { badEvaluations >= options.patience }
}
