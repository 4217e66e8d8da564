public import Sequences

/// A part of the data (training, validation or test): a running text, a mixture of texts, or a set of
/// sequences.
public enum Split: Sendable {
  case text(Corpus)
  case mixture(Mixture)
  case examples(any ExampleSet)

  /// The name in messages.
  public var name: String {
    switch self {
    case .text(let corpus): corpus.name
    case .mixture(let mixture): mixture.name
    case .examples(let set): set.name
    }
  }

  /// The number of symbols, or of sequences.
  public var count: Int {
    switch self {
    case .text(let corpus): corpus.count
    case .mixture(let mixture): mixture.count
    case .examples(let set): set.count
    }
  }

  /// True if the input of every step is the target of the step before, as in texts but not in
  /// tagged data. A generated task is judged by one example.
  public var readsItsTargets: Bool {
    switch self {
    case .text, .mixture: true
    case .examples(let set):
      (0..<(set.isGenerated ? min(set.count, 1) : set.count))
        .allSatisfy { set.example($0, epoch: 1).readsItsTargets }
    }
  }

  /// A hash of the contents.
  public var hash: UInt64 {
    switch self {
    case .text(let corpus): corpus.hash
    case .mixture(let mixture): mixture.hash
    case .examples(let set): set.hash
    }
  }

  /// Returns a loader of the windows of this part for one rank.
  /// - Throws: `DataError` if there are too few symbols for the streams, or too few streams for the
  ///   ranks.
  public func loader(_ request: LoaderRequest) throws(DataError) -> any BatchLoader {
    switch self {
    case .text(let corpus):
      return try Streams(corpus, request)
    case .mixture(let mixture):
      return try MixtureStreams(mixture, request)
    case .examples(let set):
      return try set.loader(request)
    }
  }

  /// Returns the loaders of the micro-batches of one rank.
  /// - Throws: `DataError` as `loader` does.
  public func loaders(
    _ request: LoaderRequest, microBatches count: Int
  ) throws(DataError) -> [any BatchLoader] {
    var loaders: [any BatchLoader] = []
    for number in 0..<count {
      var request = request
      (request.microBatch, request.microBatches) = (number, count)
      loaders.append(try loader(request))
    }
    return loaders
  }

  /// The set of sequences; nil for a text.
  public var examples: (any ExampleSet)? {
    if case .examples(let set) = self { set } else { nil }
  }

  /// The running texts: one, or those of a mixture; none for sequences.
  public var corpora: [Corpus] {
    switch self {
    case .text(let corpus): [corpus]
    case .mixture(let mixture): mixture.corpora
    case .examples: []
    }
  }

  /// True for sequences from files that have a target at their last step only.
  public var asksAtEnds: Bool {
    guard let set = examples, !set.isGenerated else { return false }
    return (0..<set.count).allSatisfy { set.example($0, epoch: 1).asksAtItsEnd }
  }

  /// The text; nil for a mixture and for sequences.
  public var corpus: Corpus? {
    if case .text(let corpus) = self { corpus } else { nil }
  }
}

extension [any BatchLoader] {
  /// The sizes of the windows of all loaders, the widest first.
  public var windowSizes: [WindowSize] {
    flatMap(\.windowSizes).sorted { ($0.streams, $0.steps) > ($1.streams, $1.steps) }
  }
}
