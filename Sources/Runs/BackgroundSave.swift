internal import Checkpointing
internal import Collectives
internal import Formats
internal import Foundation
internal import Glibc
internal import Synchronization
internal import Training

/// A checkpoint that is written on this thread or on one of its own, and its report.
final class BackgroundSave: Sendable {
  /// The outcome of writing.
  struct Outcome: Sendable {
    let report: CheckpointReport
    /// Messages about old checkpoints that could not be deleted.
    let warnings: [String]
  }

  private let store: CheckpointStore
  private let state: CheckpointState
  private let progress = WriteProgress()
  private let outcome = Mutex<Outcome?>(nil)
  private let isDone = DispatchSemaphore(value: 0)

  init(_ state: CheckpointState, in store: CheckpointStore) {
    (self.state, self.store) = (state, store)
  }

  /// Starts a thread that writes the files of a snapshot of copies.
  func start(_ snapshot: Snapshot, _ symbols: SavedSymbols, isBest: Bool) {
    Thread.detachNewThread {
      RequestSignals.leaveToOthers()
      self.write(snapshot, symbols, isBest: isBest)
    }
  }

  /// Writes the files of a snapshot, and keeps the report.
  func write(_ snapshot: Snapshot, _ symbols: SavedSymbols, isBest: Bool) {
    let clock = ContinuousClock()
    let begin = clock.now
    var (path, warnings) = (store.path(ofStep: state.step), [String]())
    var failure: FileError?
    do throws(FileError) {
      let files = snapshot.files + symbols.checkpointFiles
      let saved = try store.save(
        state, files: files, isBest: isBest, needed: snapshot.coordinator.rollbackStep,
        progress: progress)
      (path, warnings) = (saved.path, saved.warnings)
    } catch {
      failure = error
    }
    let report = CheckpointReport(
      step: state.step, path: path, failure: failure, bytes: progress.bytes,
      writeSeconds: (clock.now - begin) / .seconds(1))
    outcome.withLock { $0 = Outcome(report: report, warnings: warnings) }
    isDone.signal()
  }

  /// The outcome; nil while it is being written.
  var result: Outcome? { outcome.withLock { $0 } }

  /// Waits for the outcome. Every byte written counts for the watchdog as progress of this rank.
  func wait() -> Outcome {
    var bytes = -1
    while true {
      if let result { return result }
      if isDone.wait(timeout: .now() + .milliseconds(200)) == .success { continue }
      let now = progress.bytes
      if now != bytes { RankActivity.current.advance() }
      bytes = now
    }
  }
}
