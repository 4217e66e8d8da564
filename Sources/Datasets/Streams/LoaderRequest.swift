/// The options for cutting a part of the data into windows.
public struct LoaderRequest: Hashable, Sendable {
  /// The number of streams or sequences in a window, over all ranks.
  public var batchSize: Int
  /// The number of steps of a window; nil for 35 steps of a text, or whole sequences.
  public var bptt: Int?
  /// The most steps × sequences of a padded batch, over all ranks, in place of `batchSize`; nil for
  /// no limit. With a source, the longer of the two counts.
  public var batchTokens: Int?
  /// True if batches consist of sequences of similar lengths.
  public var isBucketed: Bool
  /// The seed by which the data is shuffled in every epoch; nil for no shuffling.
  public var seed: UInt64?
  public var rank: Int
  public var world: Int
  /// The number of micro-batches of each rank; each has a loader of its own.
  public var microBatches = 1
  /// The micro-batch of this loader, from 0.
  public var microBatch = 0
  /// True if a rank may have nothing to read and waits, as in evaluation or when a readout is
  /// fitted.
  public var allowsEmptyShare: Bool
  /// True if a sequence longer than `batchTokens` becomes a batch by itself, as in evaluation.
  public var allowsLongSequences = false

  /// The default number of steps of a window of a text.
  public static let textSteps = 35

  public init(
    batchSize: Int, bptt: Int? = nil, batchTokens: Int? = nil, isBucketed: Bool = true,
    seed: UInt64? = nil, rank: Int = 0, world: Int = 1, allowsEmptyShare: Bool = false
  ) {
    self.batchSize = batchSize
    self.bptt = bptt
    self.batchTokens = batchTokens
    self.isBucketed = isBucketed
    self.seed = seed
    self.rank = rank
    self.world = world
    self.allowsEmptyShare = allowsEmptyShare
  }
}

extension LoaderRequest {
  /// The place of this loader's share: the shares of all ranks in a micro-batch lie side by side, so that
  /// a micro-batch has the same streams for any world size.
  var place: Int { microBatch * world + rank }
  /// The number of loaders that share each batch.
  var shares: Int { world * microBatches }

  /// Refuses batches that leave a rank without a part.
  /// - Parameters:
  ///   - name: The name of the data in messages.
  ///   - thing: The kind of element of a batch, such as a sequence.
  func checkBatches(of name: String, _ thing: String) throws(DataError) {
    precondition(rank >= 0 && rank < world, "rank \(rank) of \(world)")
    precondition(
      microBatch >= 0 && microBatch < microBatches, "micro-batch \(microBatch) of \(microBatches)")
    guard batchSize > 0 else {
      throw DataError("batch_size is \(batchSize) for \(name): give 1 or more")
    }
    guard batchTokens == nil && batchSize < shares && !allowsEmptyShare else { return }
    throw DataError(
      microBatches == 1
        ? "batch_size \(batchSize) for \(name) leaves some of \(world) processes without a "
          + "\(thing): raise batch_size or start at most \(batchSize)"
        : "batch_size \(batchSize) for \(name) leaves some of the \(microBatches) micro-batches of "
          + "\(world) \(world == 1 ? "process" : "processes") without a \(thing): raise batch_size "
          + "to \(shares), or cut it into fewer micro-batches")
  }
}
