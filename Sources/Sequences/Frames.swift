public import LinearAlgebra

/// A sequence of frames of numbers.
public struct Frames: Equatable, Sendable {
  /// The numbers per frame; 0 if there are no frames.
  public var width: Int
  /// All frames, one after another.
  public var numbers: [Real]

  public init(width: Int = 0, numbers: [Real] = []) {
    precondition(width > 0 ? numbers.count.isMultiple(of: width) : numbers.isEmpty, "half a frame")
    self.width = width
    self.numbers = numbers
  }

  public var steps: Int { width > 0 ? numbers.count / width : 0 }
}
