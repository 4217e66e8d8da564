/// A place in the reading of all streams or sequences: what a checkpoint keeps of them.
public struct StreamCursor: Codable, Sendable, Equatable {
  /// Epochs from 1.
  public var epoch: Int
  /// How many steps of every stream, or windows of sequences, were read in this epoch.
  public var position: Int

  public init(epoch: Int = 1, position: Int = 0) {
    self.epoch = epoch
    self.position = position
  }
}
