public import Sequences

/// A model of trees: word vectors at the leaves, one cell at every node, and an output layer.
///
///     model:
///       embedding: 150
///       tree: {cell: lstm, hidden: 150}
///       dropout: 0.5
public struct TreeModelOptions: Equatable, Sendable {
  public var cell: TreeCell
  /// The dropout on the word vectors and before the output layer.
  public var dropout: Double
  /// The dropout on the word vectors; nil for `dropout`.
  public var inputDropout: Double?
  public var initializer: Initializer
  /// The initializer of the word vectors; nil for `initializer`.
  public var embeddingInitializer: Initializer?
  /// The factor on the learning rate in the word vectors; 0 freezes them.
  public var embeddingRate: Double
  public var output: OutputOptions

  public init(
    _ cell: TreeCell, dropout: Double = 0, inputDropout: Double? = nil,
    initializer: Initializer = .pytorch, embeddingInitializer: Initializer? = nil,
    embeddingRate: Double = 1, output: OutputOptions = OutputOptions()
  ) {
    self.cell = cell
    self.dropout = dropout
    self.inputDropout = inputDropout
    self.initializer = initializer
    self.embeddingInitializer = embeddingInitializer
    self.embeddingRate = embeddingRate
    self.output = output
  }

  /// The dropout on the word vectors.
  public var dropoutOfInput: Double { inputDropout ?? dropout }

  /// Returns why these options do not fit data with the given signature, or nil if they fit.
  public func incompatibility(with interface: TaskSignature) -> String? {
    interface.isTree
      ? nil
      : "model.tree reads trees, and this data has none; set data.format to trees and data.view to "
        + "nodes, or give model.layers instead of it"
  }
}

/// The cell of a model of trees, the same at every node.
public enum TreeCell: Hashable, Sendable {
  /// h = tanh([h_l, h_r] W + b); a leaf is its word's vector, of `hidden` numbers (Socher 2011, 2013).
  case plain(hidden: Int)
  /// The tree-LSTM with two children (Tai, Socher & Manning 2015).
  case lstm(embedding: Int, hidden: Int)

  /// The width of the word vectors.
  public var embedding: Int {
    switch self {
    case .plain(let hidden): hidden
    case .lstm(let embedding, _): embedding
    }
  }

  public var hidden: Int {
    switch self {
    case .plain(let hidden), .lstm(_, let hidden): hidden
    }
  }

  /// The name that a configuration writes.
  public var name: String {
    switch self {
    case .plain: "plain"
    case .lstm: "lstm"
    }
  }
}
