/// The place where the condition of a sequence enters a model.
public enum ConditionPlace: String, Codable, CaseIterable, Sendable {
  /// The first layer at every step, through a matrix of its own.
  case everyStep = "every_step"
  /// The first layer at the first step only (one to many).
  case firstInput = "first_input"
  /// The first layer's initial state, which is a linear map of the condition.
  case initialState = "initial_state"
}

/// A model as described in a configuration.
///
///     model:
///       embedding: 200
///       layers:
///         - {cell: lstm, hidden: 200}
///         - {cell: gru, hidden: 160}
///       dropout: 0.2
public struct ModelOptions: Codable, Equatable, Sendable {
  /// The width of the embedding. With nil, symbols are read as one-hot rows, and frames as they
  /// are.
  public var embedding: Int?
  public var layers: [LayerOptions]
  /// The cell of a network over trees, in place of layers.
  public var tree: TreeOptions?
  /// True if the output layer shares the embedding's matrix (Press & Wolf 2016, Inan 2016).
  public var tied: Bool
  /// The dropout on the embedding's output, between layers and before the output layer (Zaremba
  /// 2014).
  public var dropout: Double
  /// The dropout on the input of the first layer. With nil it is `dropout` on an embedding's output
  /// and 0 on frames and one-hot rows, where each dropped number loses a fact.
  public var inputDropout: Double?
  /// True for one dropout mask for all steps of a window of a stream (Gal 2016).
  public var variational: Bool
  /// True if the dropout of a layer also masks the states that its products read, with one mask per
  /// window.
  public var recurrent: Bool
  public var initializer: Initializer
  /// The initializers of the embedding and of the output layer; nil for `initializer`.
  public var embeddingInitializer: Initializer?
  public var outputInitializer: Initializer?
  /// The initializer of the output layer's bias; nil for the output layer's initializer.
  public var outputBiasInitializer: Initializer?
  /// True if the output layer has a bias.
  public var outputBias: Bool
  /// True if the output layer also reads the input (Elman with shortcuts).
  public var shortcut: Bool
  /// The place where the condition enters.
  public var condition: ConditionPlace
  /// The width of the embedding of each class of the condition; with nil, classes are read as
  /// one-hot rows.
  public var conditionEmbedding: Int?
  /// The encoder; needed if the data has a source.
  public var encoder: EncoderOptions?
  /// The way in which the encoder's output enters.
  public var context: ContextPlace
  /// The kind of attention over the source.
  public var attention: AttentionKind
  public var attentionPlace: AttentionPlace
  /// The way in which the model predicts the end of a sequence.
  public var end: EndOfSequence
  /// The length input of the first layer with a cell.
  public var lengthInput: LengthInput
  /// The greatest length to predict; nil for the length of the longest training sequence.
  public var longest: Int?
  /// Factors on the learning rate in the embedding and in the output layer; 0 freezes one. A tied
  /// matrix belongs to the embedding.
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

  /// The first contradiction between options, and the key at fault; nil if there is none.
  var problem: (key: CodingKeys, sentence: String)? {
    if !outputBias, outputBiasInitializer != nil {
      return (
        .outputBiasInitializer,
        "output_bias_initializer needs an output bias; set output_bias to true"
      )
    }
    if let tree { return problem(of: tree) }
    var width = embedding
    for (index, layer) in layers.enumerated() {
      if layer.residual, let width, layer.width != width {
        return (
          .layers,
          "layer \(index) is residual, so its width (\(layer.width)) must be that of its input "
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
      return (.attention, "attention needs an encoder; set model.encoder")
    }
    if attention == .none, attentionPlace != .output {
      return (.attentionPlace, "attention_place needs attention; set attention")
    }
    if encoder == nil, context != .initialState {
      return (.context, "context needs an encoder; set model.encoder")
    }
    if end != .length, lengthInput != .remaining {
      return (.lengthInput, "length_input needs a predicted length; set end to length")
    }
    if end != .length, longest != nil {
      return (.longest, "longest needs a predicted length; set end to length")
    }
    if let sentence = encoder?.problem { return (.encoder, sentence) }
    return nil
  }
}

extension ModelOptions {
  /// The first contradiction between options; nil if there is none.
  public var incompatibility: String? { problem?.sentence }

  /// The dropout on the input of the first layer.
  public var dropoutOfInput: Double { inputDropout ?? (embedding == nil ? 0 : dropout) }
}

extension LayerOptions {
  /// True if steps read earlier steps of the layer.
  package var hasState: Bool { surroundings.feedback != nil || cellHasState }

  /// True if the layer by itself has no parameters: a reservoir without feedback.
  package var learnsNothing: Bool {
    guard case .recurrent(_, let options) = kind, options is EchoState.Options else { return false }
    return surroundings.feedback == nil && !surroundings.feedsTargets
      && surroundings.initialState != .learnt
  }

  /// True if the output of the cell is a state.
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

  /// True if a step reads the target of the step before.
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
