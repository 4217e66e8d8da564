/// Where a vector that is known of a whole sequence enters a model.
public enum ConditionPlace: String, Codable, CaseIterable, Sendable {
  /// Through a matrix of its own at every step of the first layer.
  case everyStep = "every_step"
  /// The same at the first step of the sequence alone: one to many.
  case firstInput = "first_input"
  /// A linear map of it is the first layer's initial state.
  case initialState = "initial_state"
}

/// A model as a configuration describes it.
///
///     model:
///       embedding: 200
///       layers:
///         - {cell: lstm, hidden: 200}
///         - {cell: gru, hidden: 160}
///       dropout: 0.2
public struct ModelOptions: Codable, Equatable, Sendable {
  /// The width of the embedding; nil where symbols are read as rows with a single 1, and frames as
  /// they are.
  public var embedding: Int?
  public var layers: [LayerOptions]
  /// In place of layers, the cell of a network over trees.
  public var tree: TreeOptions?
  /// The output layer uses the embedding's matrix (Press & Wolf 2016, Inan 2016).
  public var tied: Bool
  /// On the embedding's output, between layers and before the output layer (Zaremba 2014).
  public var dropout: Double
  /// One mask for all steps of a window of a stream (Gal 2016).
  public var variational: Bool
  /// Dropout of a layer also masks the states that its products read, with one mask for a window.
  public var recurrent: Bool
  public var initializer: Initializer
  /// Replace `initializer` in the embedding and in the output layer.
  public var embeddingInitializer: Initializer?
  public var outputInitializer: Initializer?
  /// Whether the output layer has a bias.
  public var outputBias: Bool
  /// The output layer reads the input too (Elman with shortcuts).
  public var shortcut: Bool
  /// How a vector that is known of a whole sequence enters.
  public var condition: ConditionPlace
  /// Factors on the learning rate in the embedding and in the output layer; 0 freezes one. A tied matrix
  /// is the embedding's.
  public var embeddingRate: Double
  public var outputRate: Double

  public init(
    embedding: Int?, layers: [LayerOptions], tree: TreeOptions? = nil, tied: Bool = false,
    dropout: Double = 0, variational: Bool = false, recurrent: Bool = false,
    initializer: Initializer = .pytorch,
    embeddingInitializer: Initializer? = nil, outputInitializer: Initializer? = nil,
    outputBias: Bool = true, shortcut: Bool = false, condition: ConditionPlace = .everyStep,
    embeddingRate: Double = 1, outputRate: Double = 1
  ) {
    self.embedding = embedding
    self.layers = layers
    self.tree = tree
    self.tied = tied
    self.dropout = dropout
    self.variational = variational
    self.recurrent = recurrent
    self.initializer = initializer
    self.embeddingInitializer = embeddingInitializer
    self.outputInitializer = outputInitializer
    self.outputBias = outputBias
    self.shortcut = shortcut
    self.condition = condition
    self.embeddingRate = embeddingRate
    self.outputRate = outputRate
  }

  enum CodingKeys: String, CodingKey {
    case embedding, layers, tied, dropout, variational, recurrent, initializer, shortcut, condition
    case tree
    case embeddingInitializer = "embedding_initializer"
    case outputInitializer = "output_initializer"
    case outputBias = "output_bias"
    case embeddingRate = "embedding_rate"
    case outputRate = "output_rate"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    tree = try keys.decodeIfPresent(TreeOptions.self, forKey: .tree)
    layers =
      tree == nil
      ? try keys.decode([LayerOptions].self, forKey: .layers)
      : try keys.decodeIfPresent([LayerOptions].self, forKey: .layers) ?? []
    guard !layers.isEmpty || tree != nil else {
      throw DecodingError.dataCorruptedError(
        forKey: .layers, in: keys, debugDescription: "a model needs at least one layer")
    }
    embedding = try keys.decodeIfPresent(Int.self, forKey: .embedding).map {
      try keys.checkedWidth($0, .embedding)
    }
    tied = try keys.decodeIfPresent(Bool.self, forKey: .tied) ?? false
    dropout = try keys.dropoutRate(.dropout) ?? 0
    variational = try keys.decodeIfPresent(Bool.self, forKey: .variational) ?? false
    recurrent = try keys.decodeIfPresent(Bool.self, forKey: .recurrent) ?? false
    initializer = try keys.decodeIfPresent(Initializer.self, forKey: .initializer) ?? .pytorch
    embeddingInitializer =
      try keys.decodeIfPresent(Initializer.self, forKey: .embeddingInitializer)
    outputInitializer = try keys.decodeIfPresent(Initializer.self, forKey: .outputInitializer)
    outputBias = try keys.decodeIfPresent(Bool.self, forKey: .outputBias) ?? true
    shortcut = try keys.decodeIfPresent(Bool.self, forKey: .shortcut) ?? false
    condition = try keys.decodeIfPresent(ConditionPlace.self, forKey: .condition) ?? .everyStep
    embeddingRate = try keys.rateFactor(.embeddingRate)
    outputRate = try keys.rateFactor(.outputRate)
    if let (key, problem) = problem {
      throw DecodingError.dataCorruptedError(forKey: key, in: keys, debugDescription: problem)
    }
  }

  /// What does not fit together, if anything, and the key to blame.
  var problem: (key: CodingKeys, sentence: String)? {
    if let tree { return problem(of: tree) }
    var width = embedding
    for (index, layer) in layers.enumerated() {
      if layer.residual, let width, layer.width != width {
        return (
          .layers,
          "layer \(index) is residual, so its width (\(layer.width)) must be that of what it reads "
            + "(\(width))"
        )
      }
      width = layer.width
    }
    if tied, let embedding, width != embedding {
      return (
        .tied,
        "tied needs an embedding (\(embedding)) as wide as the last layer (\(layers.last!.width)); add "
          + "a last layer {linear: \(embedding)} or change embedding"
      )
    }
    if tied && embedding == nil {
      return (.tied, "tied uses the embedding's matrix, and there is none; set embedding")
    }
    return nil
  }
}

extension ModelOptions {
  /// What does not fit together, if anything.
  public var objection: String? { problem?.sentence }
}

extension LayerOptions {
  /// The width of the layer's output.
  public var width: Int {
    switch kind {
    case .linear(let width): width
    case .recurrent(_, let options):
      (surroundings.feedback?.width ?? options.output) * (bidirectional == .concat ? 2 : 1)
    }
  }
}
