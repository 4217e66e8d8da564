/// A condition z of each stream that enters a layer.
public struct StreamCondition: Sendable {
  /// z, on the axis of streams.
  public let vector: Activation
  /// True if it enters at the first step of a sequence only.
  public let isAtStart: Bool
  /// The suffix of the name of its matrix.
  let name: String

  public init(_ vector: Activation, named name: String = "condition", isAtStart: Bool = false) {
    self.vector = vector
    self.name = name
    self.isAtStart = isAtStart
  }
}
