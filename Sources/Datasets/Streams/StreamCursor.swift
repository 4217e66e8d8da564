/// The position of a loader, as a checkpoint stores it.
public struct StreamCursor: Codable, Sendable, Equatable {
  /// The epoch, from 1.
  public var epoch: Int
  /// The number of steps of every stream, or of windows of sequences, read in this epoch.
  public var position: Int
  /// The place of each stream in a mixture of corpora, which follows from the position and is checked; nil
  /// for other data.
  public var streams: [Place]?

  /// The place of a stream in a mixture.
  public struct Place: Codable, Sendable, Equatable {
    /// The corpus that is read, and the next symbol in it.
    public var corpus, symbol: Int
    /// The number of blocks taken of each corpus.
    public var blocks: [Int]

    public init(corpus: Int, symbol: Int, blocks: [Int]) {
      (self.corpus, self.symbol, self.blocks) = (corpus, symbol, blocks)
    }
  }

  public init(epoch: Int = 1, position: Int = 0) {
    self.epoch = epoch
    self.position = position
  }
}
