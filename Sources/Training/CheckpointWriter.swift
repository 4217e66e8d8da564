public import Checkpointing
public import Formats

/// A place for checkpoints. The root has one; the trainer of another rank has none.
///
/// One checkpoint at a time is written. `begin` starts to write it, and `finish` or `poll` returns its report.
public protocol CheckpointWriter: AnyObject {
  /// True if enough time has passed since the last checkpoint, for a run that saves every so many seconds.
  var isDue: Bool { get }
  /// Starts to write a snapshot, after the one before was reported.
  /// - Parameters:
  ///   - snapshot: The state of training to write.
  ///   - isBest: True if its validation loss is the best of the run.
  ///   - inBackground: True to return before it is written. The snapshot must then consist of
  ///     copies.
  func begin(_ snapshot: Snapshot, isBest: Bool, inBackground: Bool) throws
  /// Returns the report of the checkpoint that was begun, if it is done; nil if there is none, or if it is
  /// still being written.
  func poll() -> CheckpointReport?
  /// Waits for the checkpoint that was begun, and returns its report; nil if there is none.
  func finish() -> CheckpointReport?
  /// Returns the checkpoint of a step or, if it is not whole, the newest whole one; nil if there is none.
  /// - Throws: `FileError` if none of those that exist can be read.
  func checkpoint(ofStep step: Int?) throws -> Checkpoint?
}

/// The report of a checkpoint that was written, or that could not be.
public struct CheckpointReport: Sendable {
  /// The step whose checkpoint it is.
  public let step: Int
  /// The path of the checkpoint.
  public let path: String
  /// The reason for which it was not saved; nil if it is whole on the disk.
  public let failure: FileError?
  /// The bytes written.
  public let bytes: Int
  /// The seconds from the first byte to the last `fsync`, in the background or not.
  public let writeSeconds: Double
  /// The seconds in which training stood still for the snapshot: gathering from all ranks, and copying.
  public internal(set) var snapshotSeconds = 0.0
  /// The seconds in which training waited for this checkpoint to be written.
  public internal(set) var waitSeconds = 0.0

  package init(
    step: Int, path: String, failure: FileError? = nil, bytes: Int, writeSeconds: Double
  ) {
    self.step = step
    self.path = path
    self.failure = failure
    self.bytes = bytes
    self.writeSeconds = writeSeconds
  }
}
