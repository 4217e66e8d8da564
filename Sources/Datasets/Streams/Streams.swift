internal import LinearAlgebra
public import Recurrence

/// A text cut into parallel streams, read window by window.
///
/// Of N symbols, G = `batchSize` streams over all ranks have L = ⌊N/G⌋ each: stream g is symbols
/// [gL, (g + 1)L), whose last symbol is only a target; N − GL symbols at the end are dropped. Stream g
/// belongs to rank ⌊g · world / G⌋, so that no symbol moves when the number of ranks changes. All
/// streams advance together by `bptt` steps; the last window of an epoch may be shorter.
///
/// The files of a text with several are shuffled in every epoch, and the streams are cut from what
/// comes out.
public final class Streams: BatchLoader {
  public let corpus: Corpus
  /// The number of streams over all ranks.
  public let batchSize: Int
  /// The number of steps of a window.
  public let bptt: Int
  /// The streams of this rank.
  public let share: Range<Int>
  /// The number of symbols of a stream.
  public let length: Int
  private var order: FileOrder
  private let window: Buffer<Int32>
  private var place = StreamCursor()

  /// - Parameters:
  ///   - seed: shuffles the order of files; nil reads them in the order in which they were given.
  ///   - allowsEmptyShare: whether a rank may be without a stream, as in evaluation, where it waits.
  /// - Throws: `DataError` if there are fewer than two symbols a stream, or fewer streams than ranks.
  public init(
    _ corpus: Corpus, batchSize: Int, bptt: Int, seed: UInt64? = nil, rank: Int = 0,
    world: Int = 1, allowsEmptyShare: Bool = false
  ) throws(DataError) {
    precondition(bptt > 0, "windows of \(bptt) steps")
    precondition(rank >= 0 && rank < world, "rank \(rank) of \(world)")
    guard batchSize > 0 else {
      throw DataError("batch_size is \(batchSize) for \(corpus.name): give 1 or more")
    }
    guard batchSize >= world || allowsEmptyShare else {
      throw DataError(
        "batch_size \(batchSize) for \(corpus.name) leaves some of \(world) processes without a "
          + "stream: raise batch_size or start at most \(batchSize)")
    }
    length = corpus.count / batchSize
    guard length >= 2 else {
      throw DataError(
        "\(corpus.name) has \(corpus.count) symbols, fewer than two for each of \(batchSize) streams: "
          + (corpus.count < 2
            ? "give more text" : "give more text or a batch_size of at most \(corpus.count / 2)"))
    }
    self.corpus = corpus
    self.batchSize = batchSize
    self.bptt = bptt
    share = Self.share(of: rank, world: world, batchSize: batchSize)
    order = FileOrder(corpus.files, seed: seed)
    window = Buffer(count: min(bptt, length - 1) + 1)
  }

  /// The streams g with ⌊g · world / batchSize⌋ = rank.
  static func share(of rank: Int, world: Int, batchSize: Int) -> Range<Int> {
    func first(_ rank: Int) -> Int { (rank * batchSize + world - 1) / world }
    return first(rank)..<first(rank + 1)
  }

  /// The symbols at the end that no stream has.
  public var droppedCount: Int { corpus.count - batchSize * length }

  /// A window and the shorter last one of an epoch have room in one of this size.
  public var windowSizes: [WindowSize] {
    share.isEmpty
      ? [] : [WindowSize(steps: min(bptt, length - 1), streams: share.count)]
  }

  public func makeBatch() -> Batch {
    Batch(rows: max(min(bptt, length - 1) * share.count, 1), streams: max(share.count, 1))
  }

  public var mayReset: Bool { corpus.documentCount > 0 }

  public var carried: (share: Range<Int>, total: Int) { (share, batchSize) }

  public var startsAnew: Bool { isAtEpochStart }

  public var windowsPerEpoch: Int { (length - 2) / bptt + 1 }

  /// The number of targets of an epoch over all ranks.
  public var targetsPerEpoch: Int { batchSize * (length - 1) }

  /// The number of steps of the next window.
  public var nextSteps: Int { min(bptt, length - 1 - place.position) }

  /// The number of targets of the next window over all ranks.
  public var nextTargets: Int { batchSize * nextSteps }

  /// Whether the next window is an epoch's first, before which carried states are to be cleared.
  public var isAtEpochStart: Bool { place.position == 0 }

  /// The place of the next window.
  public var cursor: StreamCursor { place }

  /// Goes to a place that `cursor` told, on the same text with the same number of streams.
  /// - Throws: `DataError` if the streams have no such place.
  public func seek(_ cursor: StreamCursor) throws(DataError) {
    guard cursor.epoch >= 1, cursor.position >= 0, cursor.position < length - 1 else {
      throw DataError(
        "the streams of \(corpus.name) have no place at step \(cursor.position) of epoch "
          + "\(cursor.epoch): go on with the text and the batch_size that the run began with")
    }
    if cursor.epoch != place.epoch { order.arrange(epoch: cursor.epoch) }
    place = cursor
  }

  /// Goes back to the start of the first epoch.
  public func rewind() {
    if place.epoch != 1 { order.arrange(epoch: 1) }
    place = StreamCursor()
  }

  /// Fills in the next window of this rank's streams and moves on; allocates nothing.
  ///
  /// `resets` is 1 at a step whose input is the first symbol of a document.
  public func next(into batch: Batch) {
    let steps = nextSteps
    let streams = share.count
    batch.begin(steps: steps, streams: streams, firstStream: share.lowerBound)
    batch.epoch = place.epoch
    batch.position = place.position
    batch.resets.clear(0..<steps * streams)
    for stream in 0..<streams {
      fill(stream, of: streams, steps: steps, from: (share.lowerBound + stream) * length, in: batch)
    }
    place.position += steps
    if place.position == length - 1 {
      place = StreamCursor(epoch: place.epoch + 1)
      order.arrange(epoch: place.epoch)
    }
  }

  private func fill(_ stream: Int, of streams: Int, steps: Int, from first: Int, in batch: Batch) {
    let start = first + place.position
    let resets = batch.resets.elements()
    var read = 0
    order.forEachPiece(start, start + steps + 1) { piece in
      corpus.copy(piece, to: window, at: read)
      // The last symbol read is only a target.
      let inputs = piece.lowerBound..<min(piece.upperBound, piece.lowerBound + steps - read)
      corpus.forEachDocumentStart(in: inputs) { symbol in
        resets[(read + symbol - piece.lowerBound) * streams + stream] = 1
        batch.hasResets = true
      }
      read += piece.count
    }
    let symbols = window.elements()
    let inputs = batch.inputs.elements()
    let targets = batch.targets.elements()
    for step in 0..<steps {
      inputs[step * streams + stream] = symbols[step]
      targets[step * streams + stream] = symbols[step + 1]
    }
  }
}

extension Corpus {
  @inline(__always)
  fileprivate func forEachDocumentStart(in part: Range<Int>, _ body: (Int) -> Void) {
    let end = range.lowerBound + part.upperBound
    var document = file.document(from: range.lowerBound + part.lowerBound)
    while document < file.header.documentCount, file.documentStart(document) < end {
      body(file.documentStart(document) - range.lowerBound)
      document += 1
    }
  }
}
