/// The size of a window: `streams` of up to `steps` steps, and `sourceSteps` steps of the source.
public struct WindowSize: Hashable, Sendable {
  public var steps: Int
  public var streams: Int
  public var sourceSteps: Int

  public init(steps: Int, streams: Int, sourceSteps: Int? = nil) {
    self.steps = steps
    self.streams = streams
    self.sourceSteps = sourceSteps ?? steps
  }
}
