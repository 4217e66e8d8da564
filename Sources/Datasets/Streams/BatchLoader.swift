public import Sequences

/// A source of training windows for one rank: the streams of a running text, or batches of whole
/// sequences.
///
/// Every rank has one. Together they read every symbol of an epoch once, in an order that depends
/// on the seed and the epoch. The world size changes only which rank reads what.
public protocol BatchLoader: AnyObject {
  /// All sizes that a window of this rank may have, for which batches and tapes need memory. Empty
  /// on a rank that has nothing to read.
  var windowSizes: [WindowSize] { get }
  /// Makes a batch with memory for any window.
  func makeBatch() -> Batch
  /// True if streams may start anew inside a window, or end before it does.
  var mayReset: Bool { get }

  /// The number of windows per epoch, the same for every epoch and rank.
  var windowsPerEpoch: Int { get }
  /// The number of steps of every stream per epoch; nil for sequences.
  var stepsPerEpoch: Int? { get }
  /// True if the next window is the first of an epoch.
  var isAtEpochStart: Bool { get }
  /// True if the next window begins new streams or sequences, so that no state is carried into it.
  var startsAnew: Bool { get }
  /// The streams that are carried into the next window: this rank's share, and the number over all
  /// ranks.
  var carried: (share: Range<Int>, total: Int) { get }

  /// Fills in this rank's part of the next window and advances. The batch has no streams if this
  /// rank has no part of the window.
  func next(into batch: Batch)

  /// Makes windows shorter than those of the request from here on; nil for those. Only streams of a running
  /// text have windows of other lengths.
  func limitWindows(to steps: Int?)

  /// The position of the next window.
  var cursor: StreamCursor { get }
  /// Goes to a position that `cursor` returned, with the same data and options.
  /// - Throws: `DataError` if there is no such position.
  func seek(_ cursor: StreamCursor) throws(DataError)
  /// Goes back to the start of the first epoch.
  func rewind()
}

extension BatchLoader {
  public var stepsPerEpoch: Int? { nil }

  public func limitWindows(to steps: Int?) {
    precondition(steps == nil, "shorter windows of sequences")
  }
}
