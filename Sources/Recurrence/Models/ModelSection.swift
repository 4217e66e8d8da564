internal import Sequences

/// The section `model` of a configuration and of a checkpoint as it is written: one key for each
/// option, in any combination.
///
/// Decoding refuses a combination that no model has, at the key at fault. What is left are the
/// `options` of a model.
struct ModelSection: Codable {
  var embedding: Int?
  var embeddingScale: EmbeddingScale?
  var layers: [LayerOptions] = []
  var finalNorm: NormOptions?
  var tree: Tree?
  var tied = false
  var dropout = 0.0
  var inputDropout: Double?
  var embeddingDropout = 0.0
  var variational = false
  var recurrent = false
  var initializer = Initializer.pytorch
  var embeddingInitializer: Initializer?
  var outputInitializer: Initializer?
  var outputBiasInitializer: Initializer?
  var outputBias = true
  var output = OutputSection()
  var shortcut = false
  var condition = ConditionPlace.everyStep
  var conditionEmbedding: Int?
  var encoder: Encoding?
  var context = ContextPlace.initialState
  var attention = Attention.none
  var attentionPlace = AttentionPlace.output
  var end = End.symbol
  var lengthInput = LengthInput.remaining
  var longest: Int?
  var embeddingRate = 1.0
  var outputRate = 1.0
  var widthBase: Int?

  /// The words of `end`.
  enum End: String, Codable, CaseIterable { case symbol, halt, length }

  /// The words of `attention`.
  enum Attention: String, Codable, CaseIterable { case none, additive, multiplicative }

  /// The keys of `tree`.
  struct Tree: Codable {
    enum Cell: String, Codable, CaseIterable { case plain, lstm }

    var cell: Cell
    var hidden: Int
  }

  /// The keys of `encoder`.
  struct Encoding: Codable {
    var embedding: Int?
    var layers: [LayerOptions]
    var dropout: Double?
  }

  enum CodingKeys: String, CodingKey {
    case embedding, layers, tied, dropout, variational, recurrent, initializer, shortcut, condition
    case tree, encoder, context, attention, end, longest
    case inputDropout = "input_dropout"
    case embeddingDropout = "embedding_dropout"
    case attentionPlace = "attention_place"
    case conditionEmbedding = "condition_embedding"
    case lengthInput = "length_input"
    case embeddingInitializer = "embedding_initializer"
    case outputInitializer = "output_initializer"
    case outputBiasInitializer = "output_bias_initializer"
    case outputBias = "output_bias"
    case output
    case embeddingRate = "embedding_rate"
    case embeddingScale = "embedding_scale"
    case finalNorm = "final_norm"
    case outputRate = "output_rate"
    case widthBase = "mup_base"
  }

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    let preset = try PresetSection(from: decoder).options
    // A key of the section replaces that of its preset.
    let base = ModelSection(preset ?? SequenceModelOptions(embedding: nil, layers: []))
    tree = try keys.decodeIfPresent(Tree.self, forKey: .tree)
    layers = try Self.layers(keys, hasTree: tree != nil, of: preset)
    embedding =
      try keys.decodeIfPresent(Int.self, forKey: .embedding).map {
        try keys.checkedWidth($0, .embedding)
      } ?? base.embedding
    embeddingScale =
      try keys.decodeIfPresent(EmbeddingScale.self, forKey: .embeddingScale) ?? base.embeddingScale
    finalNorm = try keys.decodeIfPresent(NormOptions.self, forKey: .finalNorm) ?? base.finalNorm
    tied = try keys.decodeIfPresent(Bool.self, forKey: .tied) ?? base.tied
    dropout = try keys.dropoutRate(.dropout) ?? 0
    inputDropout = try keys.dropoutRate(.inputDropout)
    embeddingDropout = try keys.dropoutRate(.embeddingDropout) ?? 0
    variational = try keys.decodeIfPresent(Bool.self, forKey: .variational) ?? false
    recurrent = try keys.decodeIfPresent(Bool.self, forKey: .recurrent) ?? false
    initializer =
      try keys.decodeIfPresent(Initializer.self, forKey: .initializer) ?? base.initializer
    embeddingInitializer =
      try keys.decodeIfPresent(Initializer.self, forKey: .embeddingInitializer)
      ?? base.embeddingInitializer
    outputInitializer = try keys.decodeIfPresent(Initializer.self, forKey: .outputInitializer)
    outputBiasInitializer =
      try keys.decodeIfPresent(Initializer.self, forKey: .outputBiasInitializer)
    outputBias = try keys.decodeIfPresent(Bool.self, forKey: .outputBias) ?? base.outputBias
    output = try keys.decodeIfPresent(OutputSection.self, forKey: .output) ?? OutputSection()
    shortcut = try keys.decodeIfPresent(Bool.self, forKey: .shortcut) ?? false
    condition = try keys.decodeIfPresent(ConditionPlace.self, forKey: .condition) ?? .everyStep
    conditionEmbedding = try keys.decodeIfPresent(Int.self, forKey: .conditionEmbedding).map {
      try keys.checkedWidth($0, .conditionEmbedding)
    }
    encoder = try keys.decodeIfPresent(Encoding.self, forKey: .encoder)
    context = try keys.decodeIfPresent(ContextPlace.self, forKey: .context) ?? .initialState
    attention = try keys.decodeIfPresent(Attention.self, forKey: .attention) ?? .none
    attentionPlace =
      try keys.decodeIfPresent(AttentionPlace.self, forKey: .attentionPlace) ?? .output
    end = try keys.decodeIfPresent(End.self, forKey: .end) ?? .symbol
    lengthInput = try keys.decodeIfPresent(LengthInput.self, forKey: .lengthInput) ?? .remaining
    longest = try keys.decodeIfPresent(Int.self, forKey: .longest).map {
      try keys.checkedWidth($0, .longest)
    }
    embeddingRate = try keys.rateFactor(.embeddingRate)
    outputRate = try keys.rateFactor(.outputRate)
    widthBase = try keys.decodeIfPresent(Int.self, forKey: .widthBase).map {
      try keys.checkedWidth($0, .widthBase)
    }
    if let (key, problem) = problem {
      throw DecodingError.dataCorruptedError(forKey: key, in: keys, debugDescription: problem)
    }
  }

  /// Decodes the layers, or takes those of a preset.
  private static func layers(
    _ keys: KeyedDecodingContainer<CodingKeys>, hasTree: Bool, of preset: SequenceModelOptions?
  ) throws -> [LayerOptions] {
    let isRequired = !hasTree && preset == nil
    let given =
      isRequired
      ? try keys.decode([RepeatedLayer].self, forKey: .layers)
      : try keys.decodeIfPresent([RepeatedLayer].self, forKey: .layers) ?? []
    if preset != nil, hasTree || !given.isEmpty {
      throw DecodingError.dataCorruptedError(
        forKey: hasTree ? .tree : .layers, in: keys,
        debugDescription:
          "a preset makes the layers; remove model.preset, or what stands beside it")
    }
    guard !isRequired || !given.isEmpty else {
      throw DecodingError.dataCorruptedError(
        forKey: .layers, in: keys, debugDescription: "a model needs at least one layer")
    }
    return preset?.layers ?? given.expanded
  }
}

extension ModelSection.Tree {
  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    cell = try keys.decode(Cell.self, forKey: .cell)
    hidden = try keys.hiddenUnits(.hidden)
  }
}

extension ModelSection.Encoding {
  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    embedding = try keys.decodeIfPresent(Int.self, forKey: .embedding).map {
      try keys.checkedWidth($0, .embedding)
    }
    layers = try keys.decode([RepeatedLayer].self, forKey: .layers).expanded
    dropout = try keys.dropoutRate(.dropout)
    if let problem = EncoderOptions(embedding: embedding, layers: layers).problem {
      throw DecodingError.dataCorruptedError(
        forKey: .layers, in: keys, debugDescription: problem)
    }
  }
}

// MARK: Combinations that no model has

extension ModelSection {
  /// The options of the model. The section must hold no contradiction.
  var options: ModelOptions {
    let hasBias = output.kind == .adaptive ? output.headBias : outputBias
    let output = OutputOptions(
      output.options, order: output.order, softCap: output.softCap,
      bias: hasBias ? .learnt(outputBiasInitializer) : .none, initializer: outputInitializer,
      rate: outputRate)
    if let tree, let embedding {
      let cell: TreeCell =
        switch tree.cell {
        case .plain: .plain(hidden: tree.hidden)
        case .lstm: .lstm(embedding: embedding, hidden: tree.hidden)
        }
      return .tree(
        TreeModelOptions(
          cell, dropout: dropout, inputDropout: inputDropout, initializer: initializer,
          embeddingInitializer: embeddingInitializer, embeddingRate: embeddingRate, output: output))
    }
    let kind = AttentionKind(rawValue: attention.rawValue)
    let encoder = encoder.map {
      EncoderOptions(
        embedding: $0.embedding, layers: $0.layers, dropout: $0.dropout, context: context,
        attention: kind.map { AttentionOptions($0, at: attentionPlace) })
    }
    let ending: EndOfSequence =
      switch end {
      case .symbol: .symbol
      case .halt: .halt
      case .length: .length(input: lengthInput, longest: longest)
      }
    return .sequence(
      SequenceModelOptions(
        embedding: embedding, layers: layers, tied: tied, dropout: dropout,
        inputDropout: inputDropout, embeddingDropout: embeddingDropout, variational: variational,
        recurrent: recurrent,
        initializer: initializer, embeddingInitializer: embeddingInitializer,
        embeddingRate: embeddingRate, output: output, shortcut: shortcut, condition: condition,
        conditionEmbedding: conditionEmbedding, encoder: encoder, end: ending,
        widthBase: widthBase, embeddingScale: embeddingScale, finalNorm: finalNorm))
  }

  init(_ options: ModelOptions) {
    switch options {
    case .sequence(let options): self.init(options)
    case .tree(let options): self.init(options)
    }
  }

  private init(_ options: SequenceModelOptions) {
    embedding = options.embedding
    embeddingScale = options.embeddingScale
    layers = options.layers
    finalNorm = options.finalNorm
    tied = options.tied
    dropout = options.dropout
    inputDropout = options.inputDropout
    embeddingDropout = options.embeddingDropout
    variational = options.variational
    recurrent = options.recurrent
    initializer = options.initializer
    embeddingInitializer = options.embeddingInitializer
    embeddingRate = options.embeddingRate
    shortcut = options.shortcut
    condition = options.condition
    conditionEmbedding = options.conditionEmbedding
    if let encoder = options.encoder {
      self.encoder = Encoding(
        embedding: encoder.embedding, layers: encoder.layers, dropout: encoder.dropout)
      context = encoder.context
      attention = encoder.attention.flatMap { Attention(rawValue: $0.kind.rawValue) } ?? .none
      attentionPlace = encoder.attention?.place ?? .output
    }
    switch options.end {
    case .symbol: end = .symbol
    case .halt: end = .halt
    case .length(let input, let most): (end, lengthInput, longest) = (.length, input, most)
    }
    widthBase = options.widthBase
    set(options.output)
  }

  private init(_ options: TreeModelOptions) {
    embedding = options.cell.embedding
    switch options.cell {
    case .plain(let hidden): tree = Tree(cell: .plain, hidden: hidden)
    case .lstm(_, let hidden): tree = Tree(cell: .lstm, hidden: hidden)
    }
    dropout = options.dropout
    inputDropout = options.inputDropout
    initializer = options.initializer
    embeddingInitializer = options.embeddingInitializer
    embeddingRate = options.embeddingRate
    set(options.output)
  }

  private mutating func set(_ output: OutputOptions) {
    self.output = OutputSection(output)
    outputBias = output.hasBias || self.output.kind == .adaptive
    outputBiasInitializer = output.biasInitializer
    outputInitializer = output.initializer
    outputRate = output.rate
  }
}
