/// Ends a run whose validation loss no longer improves.
///
/// This is the state, which belongs to the checkpoint. The run stops after `patience` evaluations in a
/// row that were not below the best, as in Keras and Lightning; a loss that is not finite is never
/// below it (Prechelt 1998).
public struct EarlyStopping: Codable, Sendable, Equatable {
  /// What can be chosen: `early_stop: {patience: 5}`.
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
  /// Evaluations since then.
  public private(set) var badEvaluations = 0

  private enum CodingKeys: String, CodingKey {
    case best
    case badEvaluations = "bad_evaluations"
  }

  public init() {}

  /// Takes in the loss of an evaluation; returns whether it is the best so far.
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

  /// Whether the run is to end.
  public func shouldStop(_ options: Options) -> Bool { badEvaluations >= options.patience }
}
