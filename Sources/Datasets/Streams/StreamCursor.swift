/// The position of a loader, as a checkpoint stores it.
public struct StreamCursor: Codable, Sendable, Equatable {
  /// The epoch, from 1.
  public var epoch: Int
  /// The number of steps of every stream, or of windows of sequences, read in this epoch.
  public var position: Int

  public init(epoch: Int = 1, position: Int = 0) {
    self.epoch = epoch
    self.position = position
  }
}
