/// The options of the output layer.
public struct OutputOptions: Equatable, Sendable {
  /// The bias of the output layer.
  public enum Bias: Equatable, Sendable {
    case none
    /// A learnt bias and its initializer; nil for the output layer's initializer.
    case learnt(Initializer? = nil)
  }

  public var bias: Bias
  /// The initializer of the output layer; nil for the model's initializer.
  public var initializer: Initializer?
  /// The factor on the learning rate in the output layer; 0 freezes it. A tied matrix belongs to the
  /// embedding.
  public var rate: Double

  public init(bias: Bias = .learnt(), initializer: Initializer? = nil, rate: Double = 1) {
    self.bias = bias
    self.initializer = initializer
    self.rate = rate
  }

  /// True if the output layer has a bias.
  public var hasBias: Bool { bias != .none }

  /// The initializer of the bias; nil for that of the output layer, and for no bias.
  public var biasInitializer: Initializer? {
    if case .learnt(let initializer) = bias { initializer } else { nil }
  }
}
