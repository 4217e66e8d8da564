internal import LinearAlgebra
public import Sequences

/// A loader whose streams read blocks of several corpora in proportion to their weights.
///
/// Each corpus is cut into blocks of whole documents, which are permuted in every pass (`BlockOrder`) and
/// dealt to the G = `batchSize` streams in turn: stream g reads the blocks g, g + G, g + 2G, … of each corpus.
/// When stream g has read a block, its next one is of the corpus c with the least (nᶜ + φᶜ)/sᶜ, of the n
/// symbols that it has read of the corpus, a random phase φ of up to a block, and the corpus's share s. So it
/// is never further from its shares than some blocks (weighted fair queuing; Demers, Keshav & Shenker
/// 1989), and the sequence of a stream depends on the seed and its number only: not on ranks, micro-batches
/// or the lengths of windows.
///
/// A stream goes on without end. An epoch is as many steps as all corpora have symbols for each stream,
/// whatever was read in it; nothing begins anew at its end. A state is reset at the start of each block and
/// document if documents begin in the data, and never otherwise.
///
/// Every rank follows the places of all streams, which costs a few numbers per stream and no memory per
/// symbol, and reads the symbols of its own.
public final class MixtureStreams: BatchLoader {
  public let mixture: Mixture
  /// The number of streams over all ranks.
  public let batchSize: Int
  /// The number of steps of a window.
  public let bptt: Int
  /// The streams of this rank.
  public let share: Range<Int>
  /// The number of steps of an epoch.
  public let length: Int
  private let orders: [BlockOrder]
  private let window: Buffer<Int32>
  private let resets: Bool
  /// The most steps of the next windows.
  private var mostSteps: Int
  private var place = StreamCursor()
  /// The place of each stream: the block that it reads, and the next symbol in it.
  private var places: [Place]
  /// For each stream, the blocks and the symbols that it has taken of each corpus, and its phase there.
  private var blocks: [Int]
  private var taken: [Int]
  private let phases: [Double]

  private struct Place {
    var corpus = 0
    var block = 0..<0
    var next = 0
  }

  /// - Throws: `DataError` if there are fewer than two symbols per stream, or fewer streams than loaders.
  public init(_ mixture: Mixture, _ request: LoaderRequest) throws(DataError) {
    try request.checkBatches(of: mixture.name, "stream")
    let streams = request.batchSize
    guard mixture.count / streams >= 2, mixture.corpora.allSatisfy({ $0.count >= 2 }) else {
      throw DataError(
        "\(mixture.name) has \(mixture.count) symbols, fewer than two for each of \(streams) streams "
          + "or in one of its corpora: give more text or a smaller batch_size")
    }
    self.mixture = mixture
    batchSize = streams
    bptt = request.bptt ?? LoaderRequest.textSteps
    mostSteps = bptt
    length = mixture.count / streams
    share = Streams.share(of: request.place, world: request.shares, batchSize: streams)
    resets = mixture.hasDocuments
    orders = mixture.corpora.enumerated().map { number, corpus in
      BlockOrder(corpus, streams: streams, seed: request.seed, number: number)
    }
    window = Buffer(count: min(bptt, length) + 1)
    phases = (0..<streams).flatMap { [orders] stream in orders.map { $0.phase(of: stream) } }
    places = Array(repeating: Place(), count: streams)
    blocks = Array(repeating: 0, count: streams * orders.count)
    taken = blocks
    rewind()
  }

  public var windowSizes: [WindowSize] {
    share.isEmpty ? [] : [WindowSize(steps: min(bptt, length), streams: share.count)]
  }

  public func makeBatch() -> Batch {
    Batch(rows: max(min(bptt, length) * share.count, 1), streams: max(share.count, 1))
  }

  public var mayReset: Bool { resets }
  public var carried: (share: Range<Int>, total: Int) { (share, batchSize) }
  public var startsAnew: Bool { steps == 0 }
  public var windowsPerEpoch: Int { (length - 1) / bptt + 1 }
  public var stepsPerEpoch: Int? { length }
  public var isAtEpochStart: Bool { place.position == 0 }
  public var nextSteps: Int { min(mostSteps, length - place.position) }

  /// The number of steps of every stream so far.
  private var steps: Int { (place.epoch - 1) * length + place.position }

  public func limitWindows(to steps: Int?) {
    precondition((1...bptt).contains(steps ?? bptt), "windows of \(steps ?? bptt) steps")
    mostSteps = steps ?? bptt
  }

  /// Fills in the next window of this rank's streams and advances; allocates nothing.
  public func next(into batch: Batch) {
    let steps = nextSteps
    let streams = share.count
    batch.begin(steps: steps, streams: streams, firstStream: share.lowerBound)
    // Nothing begins anew with an epoch, so steps are counted from the start of the run.
    batch.epoch = 1
    batch.position = self.steps
    batch.resets.clear(0..<steps * streams)
    for stream in 0..<batchSize {
      if share.contains(stream) {
        fill(stream - share.lowerBound, of: streams, steps: steps, in: batch)
      } else {
        advance(stream, by: steps) { _, _, _ in }
      }
    }
    place.position += steps
    if place.position == length { place = StreamCursor(epoch: place.epoch + 1) }
  }

  private func fill(_ stream: Int, of streams: Int, steps: Int, in batch: Batch) {
    let resets = batch.resets.elements()
    let number = share.lowerBound + stream
    var read = 0
    /// Reads symbols, of which the window's last is only a target.
    func take(_ corpus: Corpus, _ piece: Range<Int>, beginsBlock: Bool) {
      corpus.copy(piece, to: window, at: read)
      if self.resets {
        let inputs = piece.lowerBound..<min(piece.upperBound, piece.lowerBound + steps - read)
        func reset(at symbol: Int) {
          resets[(read + symbol - piece.lowerBound) * streams + stream] = 1
          batch.hasResets = true
        }
        if beginsBlock && !inputs.isEmpty { reset(at: inputs.lowerBound) }
        corpus.forEachDocumentStart(in: inputs, reset)
      }
      read += piece.count
    }
    // The last target of the window before is the first input of this one.
    let (corpus, last) = (places[number].corpus, places[number].next - 1)
    take(
      mixture.corpora[corpus], last..<last + 1,
      beginsBlock: last == places[number].block.lowerBound)
    advance(number, by: steps) { take($0, $1, beginsBlock: $2) }
    let symbols = window.elements()
    let inputs = batch.inputs.elements()
    let targets = batch.targets.elements()
    for step in 0..<steps {
      inputs[step * streams + stream] = symbols[step]
      targets[step * streams + stream] = symbols[step + 1]
    }
  }

  /// Takes the next symbols of a stream.
  /// - Parameter body: Receives each piece of a corpus, and whether a block begins with it.
  @inline(__always)
  private func advance(
    _ stream: Int, by steps: Int, _ body: (Corpus, Range<Int>, Bool) -> Void
  ) {
    var left = steps
    while left > 0 {
      if places[stream].next == places[stream].block.upperBound { takeBlock(stream) }
      let place = places[stream]
      let piece = place.next..<min(place.next + left, place.block.upperBound)
      body(mixture.corpora[place.corpus], piece, place.next == place.block.lowerBound)
      places[stream].next = piece.upperBound
      left -= piece.count
    }
  }

  /// Gives a stream its next block.
  private func takeBlock(_ stream: Int) {
    let before = places[stream]
    let chosen = choice(of: stream)
    let block = self.block(of: stream, chosen)
    let own = stream * orders.count + chosen
    blocks[own] += 1
    taken[own] += block.count
    places[stream] = Place(corpus: chosen, block: block, next: block.lowerBound)
    guard share.contains(stream) else { return }
    if !before.block.isEmpty { mixture.corpora[before.corpus].release(before.block) }
    // The disk reads the block after this one meanwhile.
    let coming = choice(of: stream)
    mixture.corpora[coming].prefetch(self.block(of: stream, coming))
  }

  /// Returns the corpus of a stream's next block: the one with the least (n + φ)/s.
  private func choice(of stream: Int) -> Int {
    var (chosen, least) = (0, Double.infinity)
    for corpus in orders.indices {
      let own = stream * orders.count + corpus
      let read = (Double(taken[own]) + phases[own]) / mixture.shares[corpus]
      if read < least { (chosen, least) = (corpus, read) }
    }
    return chosen
  }

  private func block(of stream: Int, _ corpus: Int) -> Range<Int> {
    orders[corpus].block(stream + blocks[stream * orders.count + corpus] * batchSize)
  }
}

// MARK: Positions

extension MixtureStreams {
  /// The position of the next window, with the place of every stream.
  public var cursor: StreamCursor {
    var cursor = place
    cursor.streams = places.enumerated().map { stream, place in
      StreamCursor.Place(
        corpus: place.corpus, symbol: place.next,
        blocks: Array(blocks[stream * orders.count..<(stream + 1) * orders.count]))
    }
    return cursor
  }

  /// Goes to a position that `cursor` returned, with the same corpora, weights, seed and number of
  /// streams: the choices of blocks are made again, and compared with the places of the cursor.
  /// - Throws: `DataError` if there is no such position.
  public func seek(_ cursor: StreamCursor) throws(DataError) {
    let (before, overflows) = (cursor.epoch - 1).multipliedReportingOverflow(by: length)
    guard cursor.epoch >= 1, !overflows, cursor.position >= 0, cursor.position < length else {
      throw refusal("have no place at step \(cursor.position) of epoch \(cursor.epoch)")
    }
    if before + cursor.position < steps { rewind() }
    let ahead = before + cursor.position - steps
    for stream in 0..<batchSize { skip(stream, by: ahead) }
    place = StreamCursor(epoch: cursor.epoch, position: cursor.position)
    guard let expected = cursor.streams, expected != self.cursor.streams else { return }
    throw refusal("are elsewhere at step \(cursor.position) of epoch \(cursor.epoch)")
  }

  /// Goes back to the start of the first epoch.
  public func rewind() {
    place = StreamCursor()
    for index in blocks.indices { (blocks[index], taken[index]) = (0, 0) }
    for stream in 0..<batchSize {
      places[stream] = Place()
      // A stream's first symbol is only an input.
      skip(stream, by: 1)
    }
  }

  private func skip(_ stream: Int, by steps: Int) { advance(stream, by: steps) { _, _, _ in } }

  private func refusal(_ what: String) -> DataError {
    DataError(
      "the streams of \(mixture.name) \(what): resume with the data, the weights, the seed and the "
        + "batch_size that the run began with")
  }
}
