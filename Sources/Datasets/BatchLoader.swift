public import Recurrence

/// Where a trainer's windows come from: the streams of a running text, or batches of whole sequences.
///
/// Every rank has one. Together they read every symbol of an epoch once, in an order that is a function
/// of the seed and the epoch; how many ranks there are changes only who reads what.
public protocol BatchLoader: AnyObject {
  /// Every size that a window of this rank may have; what batches and tapes must have room for. Empty on
  /// a rank that has nothing to read.
  var windowSizes: [WindowSize] { get }
  /// A batch with room for any window.
  func makeBatch() -> Batch
  /// Whether streams may start anew inside a window, or end before it does.
  var mayReset: Bool { get }

  /// The number of windows of an epoch, the same for every epoch and rank.
  var windowsPerEpoch: Int { get }
  /// Whether the next window is an epoch's first.
  var isAtEpochStart: Bool { get }
  /// Whether the next window begins streams or sequences of its own: nothing is carried into it.
  var startsAnew: Bool { get }
  /// The streams that are carried into the next window: of this rank, and over all ranks.
  var carried: (share: Range<Int>, total: Int) { get }

  /// Fills in this rank's part of the next window and moves on. The batch has no streams where this rank
  /// has no part of it.
  func next(into batch: Batch)

  /// The place of the next window.
  var cursor: StreamCursor { get }
  /// Goes to a place that `cursor` told, on the same data with the same options.
  /// - Throws: `DataError` if there is no such place.
  func seek(_ cursor: StreamCursor) throws(DataError)
  /// Goes back to the start of the first epoch.
  func rewind()
}
