internal import LinearAlgebra
public import Sequences

/// A loader of batches of whole trees, whose nodes are the rows of a window of one step.
///
/// Each rank has a share of every batch, as with sequences: of n trees, tree i belongs to rank ⌊i ·
/// world / n⌋. Every tree is read once per epoch, in an order that depends on the seed and the
/// epoch. Nothing is padded, so trees are sorted by size only if a budget of nodes cuts the
/// batches, which must then be the same in every epoch.
public final class TreeLoader: BatchLoader {
  public let set: ListedTrees
  private let request: LoaderRequest
  private var order: SequenceOrder
  public let windowSizes: [WindowSize]
  private var place = StreamCursor()
  /// This rank's part of a batch.
  private var trees: [BinaryTree] = []
  private var keys: [Int32] = []

  /// - Throws: `DataError` if there are no trees, if a batch has fewer trees than there are ranks,
  ///   if a tree has more nodes than `batchTokens`, or if `bptt` is given.
  public init(_ set: ListedTrees, _ request: LoaderRequest) throws(DataError) {
    guard set.count > 0 else { throw DataError("\(set.name) has no trees: give some to read") }
    guard request.bptt == nil else {
      throw DataError("bptt cuts steps, and the trees of \(set.name) have no steps: remove it")
    }
    try request.checkBatches(of: set.name, "tree")
    self.set = set
    self.request = request
    var request = request
    request.isBucketed = request.batchTokens != nil
    order = try SequenceOrder(set, request)
    let most = Self.most(set, order, request)
    windowSizes = most == 0 ? [] : [WindowSize(steps: 1, streams: most)]
  }

  /// Returns the most nodes of this rank's part of any batch.
  private static func most(
    _ set: ListedTrees, _ order: SequenceOrder, _ request: LoaderRequest
  ) -> Int {
    var share = 0
    for number in 0..<order.batchCount {
      share = max(share, Self.share(of: order.batch(number).count, request).count)
    }
    let largest = set.trees.map(\.nodes.count).sorted(by: >).prefix(share).reduce(0, +)
    return min(largest, request.batchTokens.map { max($0, set.longest.steps) } ?? largest)
  }

  private static func share(of count: Int, _ request: LoaderRequest) -> Range<Int> {
    Streams.share(of: request.place, world: request.shares, batchSize: count)
  }

  public func makeBatch() -> Batch {
    let rows = max(windowSizes.first?.streams ?? 1, 1)
    return Batch(rows: rows, forest: Forest(rows: rows))
  }

  public var mayReset: Bool { false }
  public var windowsPerEpoch: Int { order.batchCount }
  public var isAtEpochStart: Bool { place.position == 0 }
  public var startsAnew: Bool { true }
  public var carried: (share: Range<Int>, total: Int) { (0..<0, 0) }
  public var cursor: StreamCursor { place }

  public func seek(_ cursor: StreamCursor) throws(DataError) {
    guard cursor.epoch >= 1, (0..<windowsPerEpoch).contains(cursor.position) else {
      throw DataError(
        "the trees of \(set.name) have no batch \(cursor.position) in epoch \(cursor.epoch): "
          + "resume with the data and the batch_size that the run began with")
    }
    go(to: cursor)
  }

  public func rewind() { go(to: StreamCursor()) }

  private func go(to cursor: StreamCursor) {
    if cursor.epoch != place.epoch { order.arrange(epoch: cursor.epoch) }
    place = cursor
  }

  public func next(into batch: Batch) {
    let indices = order.batch(place.position)
    trees.removeAll(keepingCapacity: true)
    keys.removeAll(keepingCapacity: true)
    for i in Self.share(of: indices.count, request) {
      let index = Int(indices[indices.startIndex + i])
      trees.append(set.trees[index])
      keys.append(set.firstNodes[index])
    }
    batch.begin(trees, keys: keys, epoch: place.epoch)
    var next = place
    next.position += 1
    if next.position == windowsPerEpoch { next = StreamCursor(epoch: place.epoch + 1) }
    go(to: next)
  }
}
