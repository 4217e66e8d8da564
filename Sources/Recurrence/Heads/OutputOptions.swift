/// The options of the output layer.
public struct OutputOptions: Equatable, Sendable {
  /// The bias of the output layer.
  public enum Bias: Equatable, Sendable {
    case none
    /// A learnt bias and its initializer; nil for the output layer's initializer.
    case learnt(Initializer? = nil)
  }

  /// The distribution of symbols that the output layer computes.
  public enum Kind: Equatable, Sendable {
    /// A softmax over all symbols.
    case full
    /// A softmax over frequent symbols and clusters of rare ones.
    case adaptive(AdaptiveOptions)
    /// A softmax that training computes over the target and so many sampled symbols.
    case sampled(Int)
  }

  /// The meaning of the indices of symbols.
  public enum SymbolOrder: String, Codable, CaseIterable, Sendable {
    /// None: the symbols are ranked by their frequency in the training data. The ranks are a tensor of
    /// the model.
    case frequency
    /// The most frequent symbol comes first.
    case index
  }

  public var kind: Kind
  /// The order of symbols; for kinds that depend on their frequency.
  public var order: SymbolOrder
  /// c: logits l are replaced with c tanh(l / c); nil for no cap.
  public var softCap: Double?
  public var bias: Bias
  /// The initializer of the output layer; nil for the model's initializer.
  public var initializer: Initializer?
  /// The factor on the learning rate in the output layer; 0 freezes it. A tied matrix belongs to the
  /// embedding.
  public var rate: Double

  public init(
    _ kind: Kind = .full, order: SymbolOrder = .frequency, softCap: Double? = nil,
    bias: Bias = .learnt(), initializer: Initializer? = nil, rate: Double = 1
  ) {
    self.kind = kind
    self.order = order
    self.softCap = softCap
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

  /// The computation of the output layer, besides the shapes of its parameters; empty for a full
  /// softmax.
  var structure: [String] {
    let softmax =
      switch kind {
      case .full: [String]()
      case .adaptive: ["output adaptive"]
      case .sampled: ["output sampled"]
      }
    return softmax + (softCap.map { ["soft cap \($0)"] } ?? [])
  }

  /// True if the model holds the rank of each symbol by its frequency in the training data.
  public var ranksSymbols: Bool { kind != .full && order == .frequency }
}
