/// How a part of the data is cut into windows.
public struct LoaderRequest: Hashable, Sendable {
  /// Streams or sequences of a window over all ranks.
  public var batchSize: Int
  /// The steps of a window; nil for 35 of a text's streams, and for whole sequences.
  public var bptt: Int?
  /// The most steps × sequences of a padded batch over all ranks, in place of `batchSize`; nil for
  /// any. Where there is a source, the longer of both counts.
  public var batchTokens: Int?
  /// Whether sequences of like lengths come together.
  public var isBucketed: Bool
  /// Shuffles the data anew for every epoch; nil leaves it as it is.
  public var seed: UInt64?
  public var rank: Int
  public var world: Int
  /// Whether a rank may have nothing to read, as in evaluation or where a readout is fitted: it
  /// waits.
  public var allowsEmptyShare: Bool
  /// True where a sequence longer than `batchTokens` is a batch by itself, as in evaluation.
  public var allowsLongSequences = false

  /// The steps of a window of a text's streams, unless asked otherwise.
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
  /// Refuses batches that some processes would have no part of.
  /// - Parameters:
  ///   - name: what sentences call the data.
  ///   - thing: what a batch has, such as a sequence.
  func checkBatches(of name: String, _ thing: String) throws(DataError) {
    precondition(rank >= 0 && rank < world, "rank \(rank) of \(world)")
    guard batchSize > 0 else {
      throw DataError("batch_size is \(batchSize) for \(name): give 1 or more")
    }
    guard batchTokens != nil || batchSize >= world || allowsEmptyShare else {
      throw DataError(
        "batch_size \(batchSize) for \(name) leaves some of \(world) processes without a \(thing): "
          + "raise batch_size or start at most \(batchSize)")
    }
  }
}

/// What is trained on, validated on or tested on: a running text, or a set of sequences.
public enum Split: Sendable {
  case text(Corpus)
  case examples(any ExampleSet)

  /// What sentences call it.
  public var name: String {
    switch self {
    case .text(let corpus): corpus.name
    case .examples(let set): set.name
    }
  }

  /// The number of symbols, or of sequences.
  public var count: Int {
    switch self {
    case .text(let corpus): corpus.count
    case .examples(let set): set.count
    }
  }

  /// Whether every step reads what the step before asked for, as texts do and tags do not. Examples
  /// of a generated task are all of a kind.
  public var readsItsTargets: Bool {
    switch self {
    case .text: true
    case .examples(let set):
      (0..<(set.isGenerated ? min(set.count, 1) : set.count))
        .allSatisfy { set.example($0, epoch: 1).readsItsTargets }
    }
  }

  /// Identifies it by what is in it.
  public var hash: UInt64 {
    switch self {
    case .text(let corpus): corpus.hash
    case .examples(let set): set.hash
    }
  }

  /// The windows of this part, as a rank reads them.
  /// - Throws: `DataError` where there are too few symbols for so many streams, or too few streams
  ///   for so many ranks.
  public func loader(_ request: LoaderRequest) throws(DataError) -> any BatchLoader {
    switch self {
    case .text(let corpus):
      return try Streams(
        corpus, batchSize: request.batchSize, bptt: request.bptt ?? LoaderRequest.textSteps,
        seed: request.seed, rank: request.rank, world: request.world,
        allowsEmptyShare: request.allowsEmptyShare)
    case .examples(let set):
      return try set.loader(request)
    }
  }

  /// The sequences, where they are such.
  public var examples: (any ExampleSet)? {
    if case .examples(let set) = self { set } else { nil }
  }

  /// Whether it has sequences from files that ask at their last step and nowhere else.
  public var asksAtEnds: Bool {
    guard let set = examples, !set.isGenerated else { return false }
    return (0..<set.count).allSatisfy { set.example($0, epoch: 1).asksAtItsEnd }
  }

  /// The text, where it is one.
  public var corpus: Corpus? {
    if case .text(let corpus) = self { corpus } else { nil }
  }
}
