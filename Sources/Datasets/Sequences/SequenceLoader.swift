internal import LinearAlgebra
public import Sequences

/// A loader of batches of whole sequences, each batch padded to its longest sequence.
///
/// Each rank has a share of every batch: of n sequences, sequence i belongs to rank ⌊i · world /
/// n⌋, so a rank may have none of a small batch. Generated sequences are made by their own rank and
/// padded to the longest of its share, because no other rank knows their lengths. Every sequence is
/// read once per epoch. Windows of `bptt` steps cut a batch, with states carried from one to the
/// next.
///
/// A batch's `keys` are the indices of its sequences in the set. A cursor's position counts the
/// windows of an epoch; `batch.position` is the step of the sequences at which the window starts.
public final class SequenceLoader: BatchLoader {
  public let set: any ExampleSet
  private let request: LoaderRequest
  private var order: SequenceOrder
  /// True if the lengths of other ranks' sequences are unknown, because they are generated.
  private let knowsItsOwn: Bool
  public let windowSizes: [WindowSize]
  public let windowsPerEpoch: Int

  private var place = StreamCursor()
  /// The batch of the next window, and the window's index in it.
  private var (batch, window) = (0, 0)
  /// This rank's part of that batch, once it is read.
  private var examples: [Example] = []
  private var length: SequenceOrder.Length?

  /// - Throws: `DataError` if there are no sequences, if a batch has fewer sequences than there are
  ///   ranks, or if a sequence has more steps than `batchTokens`.
  public init(_ set: any ExampleSet, _ request: LoaderRequest) throws(DataError) {
    precondition(request.bptt ?? 1 > 0, "windows of \(request.bptt ?? 0) steps")
    guard set.count > 0, set.longest.steps > 0 else {
      throw DataError("\(set.name) has no sequences: give some to read")
    }
    guard set.count <= Int(Int32.max) else {
      throw DataError("\(set.name) has \(set.count) sequences: give at most \(Int32.max)")
    }
    try request.checkBatches(of: set.name, "sequence")
    self.set = set
    knowsItsOwn = set.isGenerated && !set.shape.isEven
    self.request = request
    let order = try SequenceOrder(set, request)
    self.order = order
    windowSizes = order.windowSizes {
      Streams.share(of: request.place, world: request.shares, batchSize: $0).count
    }
    windowsPerEpoch = (0..<order.batchCount).reduce(0) { $0 + order.windows(ofBatch: $1) }
  }

  public func makeBatch() -> Batch {
    func most(_ number: (WindowSize) -> Int) -> Int { max(windowSizes.map(number).max() ?? 1, 1) }
    let streams = most { $0.streams }
    return Batch(
      rows: most { $0.steps * $0.streams }, streams: streams, widths: set.shape.widths,
      source: set.shape.hasSource
        ? Batch(
          rows: most { $0.sourceSteps * $0.streams }, streams: streams,
          widths: Batch.Widths(features: set.shape.sourceWidth)) : nil)
  }

  public var mayReset: Bool { !set.shape.isEven }

  public var isAtEpochStart: Bool { place.position == 0 }

  public var startsAnew: Bool { window == 0 }

  /// Empty if the next window begins a batch, or if all sequences of the batch are known to have
  /// ended.
  public var carried: (share: Range<Int>, total: Int) {
    guard let bptt = request.bptt, window > 0,
      knowsItsOwn || window * bptt < order.length(ofBatch: batch).steps
    else { return (0..<0, 0) }
    return (share, order.batch(batch).count)
  }

  /// The indices of this rank's sequences in the next window's batch.
  private var share: Range<Int> {
    Streams.share(
      of: request.place, world: request.shares, batchSize: order.batch(batch).count)
  }

  public var cursor: StreamCursor { place }

  public func seek(_ cursor: StreamCursor) throws(DataError) {
    guard cursor.epoch >= 1, (0..<windowsPerEpoch).contains(cursor.position) else {
      throw DataError(
        "the sequences of \(set.name) have no window \(cursor.position) in epoch \(cursor.epoch): "
          + "resume with the data, the batch_size and the bptt that the run began with")
    }
    if cursor.epoch != place.epoch { order.arrange(epoch: cursor.epoch) }
    place = cursor
    (batch, window) = (0, cursor.position)
    forget()
    while window >= order.windows(ofBatch: batch) {
      window -= order.windows(ofBatch: batch)
      batch += 1
    }
  }

  public func rewind() {
    if place.epoch != 1 { order.arrange(epoch: 1) }
    place = StreamCursor()
    (batch, window) = (0, 0)
    forget()
  }

  private func forget() {
    examples.removeAll(keepingCapacity: true)
    length = nil
  }

  public func next(into target: Batch) {
    let length = read()
    let bptt = request.bptt ?? length.steps
    let first = window * bptt
    // A window after all sequences have ended has no streams; it only keeps the number of windows
    // equal.
    let steps = max(min(bptt, length.steps - first), 0)
    target.begin(steps: max(steps, 1), streams: steps == 0 ? 0 : examples.count)
    target.epoch = place.epoch
    target.position = first
    target.window = place.position
    target.origin = first
    clear(target)
    for s in 0..<target.streams { fill(s, of: target, from: first) }
    target.pad()
    if let source = target.source {
      source.begin(steps: max(length.source, 1), streams: target.streams)
      source.epoch = place.epoch
      source.position = 0
      source.window = place.position
      clear(source)
      for s in 0..<target.streams { fill(s, ofSource: source, key: target.keys.elements()[s]) }
      source.pad()
    }
    advance()
  }

  /// Reads this rank's part of the batch if needed; returns the steps to which it is padded.
  private func read() -> SequenceOrder.Length {
    if let length { return length }
    let indices = order.batch(batch)
    for i in share {
      examples.append(set.example(Int(indices[indices.startIndex + i]), epoch: place.epoch))
    }
    let found =
      knowsItsOwn
      ? (examples.map(\.steps).max() ?? 0, examples.map(\.sourceSteps).max() ?? 0)
      : order.length(ofBatch: batch)
    length = found
    return found
  }

  private func advance() {
    place.position += 1
    window += 1
    guard window == order.windows(ofBatch: batch) else { return }
    (batch, window) = (batch + 1, 0)
    forget()
    guard batch == order.batchCount else { return }
    batch = 0
    place = StreamCursor(epoch: place.epoch + 1)
    order.arrange(epoch: place.epoch)
  }

  // MARK: Filling in

  private func clear(_ batch: Batch) {
    let rows = batch.rows
    batch.inputs.clear(0..<rows)
    batch.targets.clear(0..<rows)
    batch.resets.clear(0..<rows)
    batch.features.clear(0..<rows * batch.widths.features)
    batch.values.clear(0..<rows * batch.widths.values)
  }

  /// Copies one sequence's steps from `first` on; steps after its end stay zero.
  private func fill(_ s: Int, of target: Batch, from first: Int) {
    let example = examples[s]
    let streams = target.streams
    let steps = max(min(target.steps, example.steps - first), 0)
    let indices = order.batch(batch)
    target.keys.elements()[s] = indices[indices.startIndex + share.lowerBound + s]
    target.lengths.elements()[s] = Int32(steps)
    target.totals.elements()[s] = Int32(example.outputs)
    let (inputs, targets) = (target.inputs.elements(), target.targets.elements())
    let (features, values) = (target.features.elements(), target.values.elements())
    for t in 0..<steps {
      let row = t * streams + s
      targets[row] = example.targets[first + t]
      if !example.inputs.isEmpty { inputs[row] = example.inputs[first + t] }
      copy(example.frames, first + t, features, row, target.widths.features)
      copy(example.values, first + t, values, row, target.widths.values)
    }
    copy(example.condition, 0, target.condition.elements(), s, target.widths.condition)
    let classes = target.classes.elements()
    for (j, known) in example.classes.enumerated() {
      classes[s * target.widths.classes + j] = known
    }
  }

  private func fill(_ s: Int, ofSource source: Batch, key: Int32) {
    let example = examples[s]
    source.keys.elements()[s] = key
    source.lengths.elements()[s] = Int32(example.sourceSteps)
    let inputs = source.inputs.elements()
    for (t, symbol) in example.source.enumerated() { inputs[t * source.streams + s] = symbol }
    if example.sourceFrames.width > 0 { source.fill(example.sourceFrames, of: s) }
  }
}

/// Copies row `from` of a list of rows, if there is one, to row `to` of a buffer.
private func copy(
  _ numbers: [Real], _ from: Int, _ buffer: UnsafeMutableBufferPointer<Real>, _ to: Int,
  _ width: Int
) {
  guard !numbers.isEmpty else { return }
  for j in 0..<width { buffer[to * width + j] = numbers[from * width + j] }
}
