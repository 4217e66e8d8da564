internal import LinearAlgebra
public import Sequences

/// A loader that cuts a text into parallel streams and reads them window by window.
///
/// N symbols are cut into G = `batchSize` streams over all ranks, of L = ⌊N/G⌋ symbols each: stream
/// g is symbols [gL, (g + 1)L), whose last symbol is only a target. The last N − GL symbols are
/// dropped. Stream g belongs to rank ⌊g · world / G⌋, so the streams do not depend on the world
/// size. All streams advance together by `bptt` steps; the last window of an epoch may be shorter.
///
/// If a text has several files, they are shuffled in every epoch before the streams are cut.
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
  /// The most steps of the next windows.
  private var mostSteps: Int

  /// - Parameters:
  ///   - corpus: The text that is cut into streams.
  ///   - batchSize: The number of streams over all ranks.
  ///   - bptt: The number of steps of a window.
  ///   - seed: The seed that shuffles the files; nil for the given order.
  ///   - rank: The rank that reads, from 0.
  ///   - world: The number of ranks that share the streams.
  ///   - allowsEmptyShare: True if a rank may have no stream and waits, as in evaluation.
  /// - Throws: `DataError` if there are fewer than two symbols per stream, or fewer streams than
  ///   ranks.
  public convenience init(
    _ corpus: Corpus, batchSize: Int, bptt: Int, seed: UInt64? = nil, rank: Int = 0,
    world: Int = 1, allowsEmptyShare: Bool = false
  ) throws(DataError) {
    try self.init(
      corpus,
      LoaderRequest(
        batchSize: batchSize, bptt: bptt, seed: seed, rank: rank, world: world,
        allowsEmptyShare: allowsEmptyShare))
  }

  /// - Throws: `DataError` if there are fewer than two symbols per stream, or fewer streams than
  ///   loaders.
  public init(_ corpus: Corpus, _ request: LoaderRequest) throws(DataError) {
    bptt = request.bptt ?? LoaderRequest.textSteps
    batchSize = request.batchSize
    mostSteps = bptt
    precondition(bptt > 0, "windows of \(bptt) steps")
    try request.checkBatches(of: corpus.name, "stream")
    length = corpus.count / batchSize
    guard length >= 2 else {
      throw DataError(
        "\(corpus.name) has \(corpus.count) symbols, fewer than two for each of \(batchSize) streams: "
          + (corpus.count < 2
            ? "give more text" : "give more text or a batch_size of at most \(corpus.count / 2)"))
    }
    self.corpus = corpus
    share = Self.share(of: request.place, world: request.shares, batchSize: batchSize)
    order = FileOrder(corpus.files, seed: request.seed)
    window = Buffer(count: min(bptt, length - 1) + 1)
  }

  /// Returns the streams g with ⌊g · world / batchSize⌋ = rank.
  static func share(of rank: Int, world: Int, batchSize: Int) -> Range<Int> {
    func first(_ rank: Int) -> Int { (rank * batchSize + world - 1) / world }
    return first(rank)..<first(rank + 1)
  }

  /// The number of symbols at the end that belong to no stream.
  public var droppedCount: Int { corpus.count - batchSize * length }

  /// The size of a window, into which the shorter last window of an epoch fits too.
  public var windowSizes: [WindowSize] {
    share.isEmpty
      ? [] : [WindowSize(steps: min(bptt, length - 1), streams: share.count)]
  }

  public func makeBatch() -> Batch {
    Batch(rows: max(min(bptt, length - 1) * share.count, 1), streams: max(share.count, 1))
  }

  public var mayReset: Bool { corpus.hasDocuments }

  public var carried: (share: Range<Int>, total: Int) { (share, batchSize) }

  public var startsAnew: Bool { isAtEpochStart }

  public var windowsPerEpoch: Int { (length - 2) / bptt + 1 }

  public var stepsPerEpoch: Int? { length - 1 }

  /// The number of targets per epoch, over all ranks.
  public var targetsPerEpoch: Int { batchSize * (length - 1) }

  /// The number of steps of the next window.
  public var nextSteps: Int { min(mostSteps, length - 1 - place.position) }

  public func limitWindows(to steps: Int?) {
    precondition((1...bptt).contains(steps ?? bptt), "windows of \(steps ?? bptt) steps")
    mostSteps = steps ?? bptt
  }

  /// The number of targets of the next window, over all ranks.
  public var nextTargets: Int { batchSize * nextSteps }

  /// True if the next window is the first of an epoch, before which carried states are cleared.
  public var isAtEpochStart: Bool { place.position == 0 }

  /// The position of the next window.
  public var cursor: StreamCursor { place }

  /// Goes to a position that `cursor` returned, with the same text and number of streams.
  /// - Throws: `DataError` if there is no such position.
  public func seek(_ cursor: StreamCursor) throws(DataError) {
    guard cursor.epoch >= 1, cursor.position >= 0, cursor.position < length - 1 else {
      throw DataError(
        "the streams of \(corpus.name) have no place at step \(cursor.position) of epoch "
          + "\(cursor.epoch): resume with the text and the batch_size that the run began with")
    }
    if cursor.epoch != place.epoch { order.arrange(epoch: cursor.epoch) }
    place = cursor
  }

  /// Goes back to the start of the first epoch.
  public func rewind() {
    if place.epoch != 1 { order.arrange(epoch: 1) }
    place = StreamCursor()
  }

  /// Fills in the next window of this rank's streams and advances; allocates nothing.
  ///
  /// `resets` is 1 at a step whose input is the first symbol of a document.
  public func next(into batch: Batch) {
    let steps = nextSteps
    let streams = share.count
    batch.begin(steps: steps, streams: streams, firstStream: share.lowerBound)
    batch.epoch = place.epoch
    batch.position = place.position
    batch.window = place.position
    batch.resets.clear(0..<steps * streams)
    for stream in 0..<streams {
      fill(stream, of: streams, steps: steps, from: (share.lowerBound + stream) * length, in: batch)
    }
    adviseMemory(of: place.position..<place.position + steps)
    place.position += steps
    if place.position == length - 1 {
      place = StreamCursor(epoch: place.epoch + 1)
      order.arrange(epoch: place.epoch)
    }
  }

  /// The symbols of a stream whose memory is announced to the system together, and the fewest symbols of a
  /// corpus for which it is.
  private static let (chunk, large) = (1 << 16, 1 << 24)

  /// Lets the disk read the next chunk of each stream when one is begun, and gives back the memory of the
  /// one before, so that a corpus may be larger than the memory.
  private func adviseMemory(of read: Range<Int>) {
    let coming = (read.upperBound / Self.chunk + 1) * Self.chunk
    guard corpus.count >= Self.large, read.lowerBound / Self.chunk + 2 == coming / Self.chunk
    else { return }
    for stream in share {
      let chunks = [
        coming - 2 * Self.chunk, coming - Self.chunk, coming, coming + Self.chunk,
      ].map { stream * length + min(max($0, 0), length) }
      order.forEachPiece(chunks[0], chunks[1]) { corpus.release($0) }
      order.forEachPiece(chunks[2], chunks[3]) { corpus.prefetch($0) }
    }
  }

  private func fill(_ stream: Int, of streams: Int, steps: Int, from first: Int, in batch: Batch) {
    let start = first + place.position
    let resets = batch.resets.elements()
    var read = 0
    order.forEachPiece(start, start + steps + 1) { piece in
      corpus.copy(piece, to: window, at: read)
      // The last symbol is only a target.
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
