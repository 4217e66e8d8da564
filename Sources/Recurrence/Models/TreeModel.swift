internal import LinearAlgebra

/// A recursive network over trees: word vectors at the leaves, one cell with the same weights at
/// every node, and a softmax over the labels at each node with a target.
///
///     model:
///       embedding: 150
///       tree: {cell: lstm, hidden: 150}
///       dropout: 0.5
public struct TreeModel: Model {
  public let plan: Plan
  public let options: ModelOptions
  public let interface: TaskSignature
  public let head: any Head
  public let layers: [any Layer]

  /// - Parameters:
  ///   - seed: The key of dropout; `ParameterVector.initialize` samples initial weights.
  ///   - objective: The terms that training adds to the cross-entropy.
  public init(
    _ options: ModelOptions, interface: TaskSignature, seed: UInt64,
    objective: TrainingObjective = TrainingObjective()
  ) {
    if let problem = options.incompatibility(with: interface) { preconditionFailure(problem) }
    guard let tree = options.tree, case .symbols(let words) = interface.input,
      case .symbols(let labels) = interface.output
    else { preconditionFailure("a model of trees without a cell, words or labels") }
    var plan = Plan()
    var layers: [any Layer] = []
    func drop(_ rate: Double, of input: Activation, in plan: inout Plan) -> Activation {
      guard rate > 0 else { return input }
      let dropout = Dropout(
        rate, variational: false, seed: seed, name: plan.scope.layer, reading: input, in: &plan)
      layers.append(dropout)
      return dropout.output
    }

    plan.scope.layer = "embedding"
    plan.scope.rateFactor = options.embeddingRate
    plan.scope.initializer = options.embeddingInitializer ?? options.initializer
    layers.append(LeafEmbedding(vocabulary: words, width: options.embedding!, in: &plan))
    let vectors = drop(options.dropoutOfInput, of: layers[0].output, in: &plan)

    plan.scope = Plan.Scope()
    plan.scope.layer = "tree"
    plan.scope.prefix = "tree."
    plan.scope.initializer = options.initializer
    switch tree.cell {
    case .plain: layers.append(PlainTree(reading: vectors, in: &plan))
    case .lstm: layers.append(TreeLSTM(hidden: tree.hidden, reading: vectors, in: &plan))
    }
    let top = drop(options.dropout, of: layers.last!.output, in: &plan)

    plan.scope = Plan.Scope()
    plan.scope.layer = "output"
    plan.scope.rateFactor = options.outputRate
    plan.scope.initializer = options.outputInitializer ?? options.initializer
    plan.scope.vectorInitializer = options.outputBiasInitializer
    head = SoftmaxCrossEntropy(
      vocabulary: labels, reading: top, tied: nil, bias: options.outputBias, objective: objective,
      in: &plan)
    self.plan = plan
    self.layers = layers
    self.options = options
    self.interface = interface
  }

  public var outputWeights: [Parameter] { [head.weight] }
  public var tiedNames: [String: String] { [:] }
  public var structure: [String] { ["tree " + options.tree!.cell.rawValue] }
}

/// The cell of a model of trees, the same at every node.
public struct TreeOptions: Codable, Hashable, Sendable {
  public enum Cell: String, Codable, CaseIterable, Sendable {
    /// h = tanh([h_l, h_r] W + b); a leaf is its word's vector (Socher 2011, 2013).
    case plain
    /// The tree-LSTM with two children (Tai, Socher & Manning 2015).
    case lstm
  }

  public var cell: Cell
  public var hidden: Int

  public init(_ cell: Cell, hidden: Int) {
    self.cell = cell
    self.hidden = hidden
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    cell = try keys.decode(Cell.self, forKey: .cell)
    hidden = try keys.hiddenUnits(.hidden)
  }
}

extension ModelOptions {
  /// Returns the first contradiction between the options of a model of trees, and the key at fault;
  /// nil if there is none.
  func problem(of tree: TreeOptions) -> (key: CodingKeys, sentence: String)? {
    guard layers.isEmpty else {
      return (.tree, "tree and layers exclude each other; remove one of them")
    }
    for (isSet, key) in [
      (tied, CodingKeys.tied), (shortcut, .shortcut), (variational, .variational),
      (recurrent, .recurrent),
    ] where isSet {
      return (key, "\(key.rawValue) is for layers over time, and this model reads trees; remove it")
    }
    guard let embedding else {
      return (.tree, "the leaves of a tree are vectors of words; set embedding")
    }
    if tree.cell == .plain, embedding != tree.hidden {
      return (
        .tree,
        "the leaves of a plain tree are the words' vectors themselves, so embedding (\(embedding)) and "
          + "hidden (\(tree.hidden)) must be the same"
      )
    }
    return nil
  }

  /// Returns why these options do not fit data with trees, or data without trees; nil if they fit.
  func treeIncompatibility(to interface: TaskSignature) -> String? {
    if interface.isTree {
      return tree == nil
        ? "this data's examples are trees, which no layer over time reads; give model.tree "
          + "instead of model.layers, or set data.view to root or phrases" : nil
    }
    return tree == nil
      ? nil
      : "model.tree reads trees, and this data has none; set data.format to trees and data.view to "
        + "nodes, or give model.layers instead of it"
  }
}
