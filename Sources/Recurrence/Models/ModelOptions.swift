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
  /// On what the first layer reads, in place of `dropout`; nil for `dropout` on an embedding's
  /// output, and none on frames and on rows with a single 1, of which each number that is dropped
  /// is a fact lost.
  public var inputDropout: Double?
  /// One mask for all steps of a window of a stream (Gal 2016).
  public var variational: Bool
  /// Dropout of a layer also masks the states that its products read, with one mask for a window.
  public var recurrent: Bool
  public var initializer: Initializer
  /// Replace `initializer` in the embedding and in the output layer.
  public var embeddingInitializer: Initializer?
  public var outputInitializer: Initializer?
  /// Replaces both in the output layer's bias.
  public var outputBiasInitializer: Initializer?
  /// Whether the output layer has a bias.
  public var outputBias: Bool
  /// The output layer reads the input too (Elman with shortcuts).
  public var shortcut: Bool
  /// How a vector that is known of a whole sequence enters.
  public var condition: ConditionPlace
  /// The width of the vector of each class that is known of a whole sequence; nil where a class is a
  /// row of zeros with a single 1.
  public var conditionEmbedding: Int?
  /// What reads the source of each sequence, where the data has one.
  public var encoder: EncoderOptions?
  /// How what the encoder has read enters.
  public var context: ContextPlace
  /// How the top layer looks back at every step of the source.
  public var attention: AttentionKind
  public var attentionPlace: AttentionPlace
  /// How the model says where a sequence ends.
  public var end: EndOfSequence
  /// What the first layer with a cell is told of a predicted length.
  public var lengthInput: LengthInput
  /// The most outputs whose number is predicted; nil for as many as the longest sequence to train
  /// on has.
  public var longest: Int?
  /// Factors on the learning rate in the embedding and in the output layer; 0 freezes one. A tied
  /// matrix is the embedding's.
  public var embeddingRate: Double
  public var outputRate: Double

  public init(
    embedding: Int?, layers: [LayerOptions], tree: TreeOptions? = nil, tied: Bool = false,
    dropout: Double = 0, inputDropout: Double? = nil, variational: Bool = false,
    recurrent: Bool = false,
    initializer: Initializer = .pytorch,
    embeddingInitializer: Initializer? = nil, outputInitializer: Initializer? = nil,
    outputBiasInitializer: Initializer? = nil,
    outputBias: Bool = true, shortcut: Bool = false, condition: ConditionPlace = .everyStep,
    conditionEmbedding: Int? = nil, encoder: EncoderOptions? = nil,
    context: ContextPlace = .initialState,
    attention: AttentionKind = .none, attentionPlace: AttentionPlace = .output,
    end: EndOfSequence = .symbol, lengthInput: LengthInput = .remaining,
    longest: Int? = nil, embeddingRate: Double = 1, outputRate: Double = 1
  ) {
    self.embedding = embedding
    self.layers = layers
    self.tree = tree
    self.tied = tied
    self.dropout = dropout
    self.inputDropout = inputDropout
    self.variational = variational
    self.recurrent = recurrent
    self.initializer = initializer
    self.embeddingInitializer = embeddingInitializer
    self.outputInitializer = outputInitializer
    self.outputBiasInitializer = outputBiasInitializer
    self.outputBias = outputBias
    self.shortcut = shortcut
    self.condition = condition
    self.conditionEmbedding = conditionEmbedding
    self.encoder = encoder
    self.context = context
    self.attention = attention
    self.attentionPlace = attentionPlace
    self.end = end
    self.lengthInput = lengthInput
    self.longest = longest
    self.embeddingRate = embeddingRate
    self.outputRate = outputRate
  }

  enum CodingKeys: String, CodingKey {
    case embedding, layers, tied, dropout, variational, recurrent, initializer, shortcut, condition
    case tree, encoder, context, attention, end, longest
    case inputDropout = "input_dropout"
    case attentionPlace = "attention_place"
    case conditionEmbedding = "condition_embedding"
    case lengthInput = "length_input"
    case embeddingInitializer = "embedding_initializer"
    case outputInitializer = "output_initializer"
    case outputBiasInitializer = "output_bias_initializer"
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
    inputDropout = try keys.dropoutRate(.inputDropout)
    variational = try keys.decodeIfPresent(Bool.self, forKey: .variational) ?? false
    recurrent = try keys.decodeIfPresent(Bool.self, forKey: .recurrent) ?? false
    initializer = try keys.decodeIfPresent(Initializer.self, forKey: .initializer) ?? .pytorch
    embeddingInitializer =
      try keys.decodeIfPresent(Initializer.self, forKey: .embeddingInitializer)
    outputInitializer = try keys.decodeIfPresent(Initializer.self, forKey: .outputInitializer)
    outputBiasInitializer =
      try keys.decodeIfPresent(Initializer.self, forKey: .outputBiasInitializer)
    outputBias = try keys.decodeIfPresent(Bool.self, forKey: .outputBias) ?? true
    shortcut = try keys.decodeIfPresent(Bool.self, forKey: .shortcut) ?? false
    condition = try keys.decodeIfPresent(ConditionPlace.self, forKey: .condition) ?? .everyStep
    conditionEmbedding = try keys.decodeIfPresent(Int.self, forKey: .conditionEmbedding).map {
      try keys.checkedWidth($0, .conditionEmbedding)
    }
    encoder = try keys.decodeIfPresent(EncoderOptions.self, forKey: .encoder)
    context = try keys.decodeIfPresent(ContextPlace.self, forKey: .context) ?? .initialState
    attention = try keys.decodeIfPresent(AttentionKind.self, forKey: .attention) ?? .none
    attentionPlace =
      try keys.decodeIfPresent(AttentionPlace.self, forKey: .attentionPlace) ?? .output
    end = try keys.decodeIfPresent(EndOfSequence.self, forKey: .end) ?? .symbol
    lengthInput = try keys.decodeIfPresent(LengthInput.self, forKey: .lengthInput) ?? .remaining
    longest = try keys.decodeIfPresent(Int.self, forKey: .longest).map {
      try keys.checkedWidth($0, .longest)
    }
    embeddingRate = try keys.rateFactor(.embeddingRate)
    outputRate = try keys.rateFactor(.outputRate)
    if let (key, problem) = problem {
      throw DecodingError.dataCorruptedError(forKey: key, in: keys, debugDescription: problem)
    }
  }

  /// What does not fit together, if anything, and the key to blame.
  var problem: (key: CodingKeys, sentence: String)? {
    if !outputBias, outputBiasInitializer != nil {
      return (
        .outputBiasInitializer,
        "output_bias_initializer is of a bias, and there is none; set output_bias to true"
      )
    }
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
    if encoder == nil, attention != .none {
      return (.attention, "attention looks at what an encoder has read; set model.encoder")
    }
    if attention == .none, attentionPlace != .output {
      return (.attentionPlace, "attention_place is of attention, and there is none; set attention")
    }
    if encoder == nil, context != .initialState {
      return (.context, "context is what an encoder has read; set model.encoder")
    }
    if end != .length, lengthInput != .remaining {
      return (
        .lengthInput, "length_input is of a predicted length, and there is none; set end to length"
      )
    }
    if end != .length, longest != nil {
      return (.longest, "longest is of a predicted length, and there is none; set end to length")
    }
    if let sentence = encoder?.problem { return (.encoder, sentence) }
    return nil
  }
}

extension ModelOptions {
  /// What does not fit together, if anything.
  public var incompatibility: String? { problem?.sentence }

  /// The rate of dropout on what the first layer reads.
  public var dropoutOfInput: Double { inputDropout ?? (embedding == nil ? 0 : dropout) }
}

extension LayerOptions {
  /// Whether steps read earlier ones of the layer.
  package var hasState: Bool { surroundings.feedback != nil || cellHasState }

  /// Whether the layer by itself has no parameter: a reservoir that nothing is fed back to.
  package var learnsNothing: Bool {
    guard case .recurrent(_, let options) = kind, options is EchoState.Options else { return false }
    return surroundings.feedback == nil && !surroundings.feedsTargets
      && surroundings.initialState != .learnt
  }

  /// Whether what its cell shows is a state.
  var cellHasState: Bool {
    if case .recurrent(_, let options) = kind { options.hasState } else { false }
  }

  /// The delays, in steps, with which the layer reads its input.
  var inputDelays: [Int] {
    guard case .recurrent(let name, let options) = kind, let type = cells[name] else { return [0] }
    func delays<Cell: RecurrentCell>(_ cell: Cell.Type) -> [Int] {
      (options as? Cell.Options).map(Cell.inputDelays) ?? [0]
    }
    return delays(type)
  }

  /// Whether a step is fed the target of the step before.
  var feedsTargets: Bool {
    guard case .recurrent(_, let options) = kind else { return false }
    return options.feedsTargets || surroundings.feedsTargets
  }

  /// The width of the layer's output.
  public var width: Int {
    switch kind {
    case .linear(let width): width
    case .recurrent(_, let options):
      (surroundings.feedback?.width ?? options.output) * (bidirectional == .concat ? 2 : 1)
    }
  }
}
