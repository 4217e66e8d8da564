/// Several corpora of which each stream reads blocks in turn, in proportion to their weights.
public struct Mixture: Sendable {
  /// The corpora; all have one vocabulary.
  public let corpora: [Corpus]
  /// The share of each corpus in the symbols that are read; the sum is 1.
  public let shares: [Double]
  /// The number of symbols of all corpora.
  public let count: Int
  /// The name in messages.
  public let name: String

  /// - Parameter weights: Positive numbers in the proportion of the shares.
  init(_ corpora: [Corpus], weights: [Double]) {
    precondition(
      !corpora.isEmpty && corpora.count == weights.count && weights.allSatisfy { $0 > 0 },
      "\(corpora.count) corpora with the weights \(weights)")
    self.corpora = corpora
    let sum = weights.reduce(0, +)
    shares = weights.map { $0 / sum }
    count = corpora.reduce(0) { $0 + $1.count }
    name =
      corpora.count == 1
      ? corpora[0].name : "the mixture of \(listed(corpora.map(\.name), "and"))"
  }

  /// True if documents may begin in a corpus.
  public var hasDocuments: Bool { corpora.contains { $0.hasDocuments } }

  /// A fingerprint of the corpora and the shares.
  public var hash: UInt64 {
    var fingerprint = Fingerprint()
    fingerprint.add("mixture")
    for (corpus, share) in zip(corpora, shares) {
      fingerprint.add(corpus.hash)
      fingerprint.add(share.bitPattern)
    }
    return fingerprint.value
  }
}
