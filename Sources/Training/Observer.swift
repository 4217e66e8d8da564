/// Watches a run from outside the numbers: the root's shows, writes and saves; the others' do nothing.
public protocol Observer: AnyObject {
  /// A step is done.
  func observe(_ report: StepReport, _ coordinator: Coordinator)
  /// The validation text was scored.
  func observe(_ score: Score, isBest: Bool, _ coordinator: Coordinator)
  /// Whether enough time has passed for a checkpoint.
  func wantsCheckpoint(_ coordinator: Coordinator) -> Bool
  /// Saves what the ranks have gathered; nil on every rank but the root.
  func save(_ snapshot: Snapshot?, isBest: Bool) throws
}

/// Sees nothing and keeps nothing.
public final class SilentObserver: Observer {
  public init() {}
  public func observe(_ report: StepReport, _ coordinator: Coordinator) {}
  public func observe(_ score: Score, isBest: Bool, _ coordinator: Coordinator) {}
  public func wantsCheckpoint(_ coordinator: Coordinator) -> Bool { false }
  public func save(_ snapshot: Snapshot?, isBest: Bool) throws {}
}
