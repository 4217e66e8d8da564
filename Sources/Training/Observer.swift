public import Checkpointing
public import Inference

/// Observes a run from outside. The root's observer displays, writes and saves; those of other
/// ranks do nothing.
public protocol Observer: AnyObject {
  /// Called after each step.
  func observe(_ report: StepReport, _ coordinator: Coordinator)
  /// Called after each evaluation of the validation data.
  func observe(_ score: Score, isBest: Bool, _ coordinator: Coordinator)
  /// Returns true if enough time has passed for a checkpoint.
  func wantsCheckpoint(_ coordinator: Coordinator) -> Bool
  /// Saves the snapshot, which is nil on every rank except the root.
  func save(_ snapshot: Snapshot?, isBest: Bool) throws
}

/// An observer that does nothing.
public final class SilentObserver: Observer {
  public init() {}
  public func observe(_ report: StepReport, _ coordinator: Coordinator) {}
  public func observe(_ score: Score, isBest: Bool, _ coordinator: Coordinator) {}
  public func wantsCheckpoint(_ coordinator: Coordinator) -> Bool { false }
  public func save(_ snapshot: Snapshot?, isBest: Bool) throws {}
}
