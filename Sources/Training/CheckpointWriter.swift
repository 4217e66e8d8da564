public import Checkpointing

/// A place for checkpoints. The root has one; the trainer of another rank has none.
public protocol CheckpointWriter: AnyObject {
  /// True if enough time has passed since the last checkpoint, for a run that saves every so many seconds.
  var isDue: Bool { get }
  /// Saves a snapshot.
  /// - Parameter isBest: True if its validation loss is the best of the run.
  /// - Returns: The path of the checkpoint.
  /// - Throws: `FileError` if the checkpoint cannot be written.
  func save(_ snapshot: Snapshot, isBest: Bool) throws -> String
}
