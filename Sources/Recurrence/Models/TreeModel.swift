internal import LinearAlgebra
public import Sequences

/// A recursive network over trees: word vectors at the leaves, one cell with the same weights at
/// every node, and a softmax over the labels at each node with a target.
public struct TreeModel: Model {
  public let plan: Plan
  public let options: TreeModelOptions
  public let interface: TaskSignature
  public let head: any Head
  public let layers: [any Layer]

  /// - Parameters:
  ///   - options: The cell and the other options of the network.
  ///   - interface: The signature of the data, of words and labels.
  ///   - seed: The key of dropout; `ParameterVector.initialize` samples initial weights.
  ///   - objective: The terms that training adds to the cross-entropy.
  public init(
    _ options: TreeModelOptions, interface: TaskSignature, seed: UInt64,
    objective: TrainingObjective = TrainingObjective()
  ) {
    if let problem = options.incompatibility(with: interface) { preconditionFailure(problem) }
    guard case .symbols(let words) = interface.input, case .symbols(let labels) = interface.output
    else { preconditionFailure("a model of trees without words or labels") }
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
    layers.append(LeafEmbedding(vocabulary: words, width: options.cell.embedding, in: &plan))
    let vectors = drop(options.dropoutOfInput, of: layers[0].output, in: &plan)

    plan.scope = Plan.Scope()
    plan.scope.layer = "tree"
    plan.scope.prefix = "tree."
    plan.scope.initializer = options.initializer
    switch options.cell {
    case .plain: layers.append(PlainTree(reading: vectors, in: &plan))
    case .lstm(_, let hidden):
      layers.append(TreeLSTM(hidden: hidden, reading: vectors, in: &plan))
    }
    let top = drop(options.dropout, of: layers.last!.output, in: &plan)

    plan.scope = Plan.Scope()
    plan.scope.layer = "output"
    plan.scope.rateFactor = options.output.rate
    plan.scope.initializer = options.output.initializer ?? options.initializer
    plan.scope.vectorInitializer = options.output.biasInitializer
    head = SoftmaxCrossEntropy(
      vocabulary: labels, reading: top, tied: nil, bias: options.output.hasBias,
      objective: objective,
      in: &plan)
    self.plan = plan
    self.layers = layers
    self.options = options
    self.interface = interface
  }

  public var outputWeights: [Parameter] { [head.weight] }
  public var tiedNames: [String: String] { [:] }
  public var structure: [String] { ["tree " + options.cell.name] }
}
