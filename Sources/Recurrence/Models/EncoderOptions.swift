/// How what an encoder has read enters the decoder.
public enum ContextPlace: String, Codable, CaseIterable, Sendable {
  /// The encoder's last states are the decoder's first (Sutskever 2014).
  case initialState = "initial_state"
  /// The state that the encoder's top layer shows at its end, through a matrix of its own at every
  /// step of the decoder's first layer (Cho 2014).
  case everyStep = "every_step"
  /// Both.
  case both

  var beginsStates: Bool { self != .everyStep }
  var isReadAtEveryStep: Bool { self != .initialState }
}

/// The layers that read before a model predicts anything: a stack over a sequence of symbols
/// or of frames of numbers.
///
///     encoder: {embedding: 200, layers: [{cell: gru, hidden: 100, bidirectional: concat}]}
public struct EncoderOptions: Codable, Equatable, Sendable {
  /// The width of the embedding; nil where symbols are read as rows with a single 1, and frames as
  /// they are.
  public var embedding: Int?
  public var layers: [LayerOptions]
  /// In place of the model's dropout.
  public var dropout: Double?

  public init(embedding: Int?, layers: [LayerOptions], dropout: Double? = nil) {
    self.embedding = embedding
    self.layers = layers
    self.dropout = dropout
  }

  enum CodingKeys: String, CodingKey { case embedding, layers, dropout }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    embedding = try keys.decodeIfPresent(Int.self, forKey: .embedding).map {
      try keys.checkedWidth($0, .embedding)
    }
    layers = try keys.decode([LayerOptions].self, forKey: .layers)
    dropout = try keys.dropoutRate(.dropout)
    if let problem {
      throw DecodingError.dataCorruptedError(
        forKey: .layers, in: keys, debugDescription: problem)
    }
  }

  var problem: String? {
    guard layers.contains(where: \.isRecurrent) else {
      return "an encoder needs at least one layer with a cell"
    }
    if layers.contains(where: \.feedsTargets) {
      return
        "an encoder predicts nothing, so no target can be fed to a layer of it; remove "
        + "teacher_forcing and feedback: target"
    }
    return ModelOptions(embedding: embedding, layers: layers).problem?.sentence
  }
}

extension LayerOptions {
  var isRecurrent: Bool { if case .recurrent = kind { true } else { false } }
}

extension ModelOptions {
  /// The encoder as a model of its own.
  package func encoderOptions(_ encoder: EncoderOptions) -> ModelOptions {
    ModelOptions(
      embedding: encoder.embedding, layers: encoder.layers, dropout: encoder.dropout ?? dropout,
      variational: variational, initializer: initializer,
      embeddingInitializer: embeddingInitializer, embeddingRate: embeddingRate)
  }

  /// Why no model of these options can be made for the source of some data, if there is a reason.
  func incompatibility(withSourceOf interface: TaskSignature) -> String? {
    guard let encoder else {
      return interface.encoded != nil
        ? "this data has a source that must be read first; describe who reads it in model.encoder"
        : nil
    }
    guard let input = interface.encoded else {
      return "this data has no source for model.encoder to read; remove it"
    }
    if case .frames = input, encoder.embedding != nil {
      return
        "model.encoder.embedding is for symbols, and this data's source has frames of numbers; "
        + "remove it, or begin model.encoder.layers with {linear: width}"
    }
    let options = encoderOptions(encoder)
    if let problem = options.incompatibility(
      with: TaskSignature(input: input, output: interface.output))
    {
      return "model.encoder: " + problem
    }
    if let index = layers.firstIndex(where: { $0.bidirectional != nil }) {
      return
        "layer \(index) of the decoder is bidirectional and would read what it has to predict; "
        + "remove bidirectional there"
    }
    if !layers.contains(where: \.isRecurrent) {
      return "a decoder needs at least one layer with a cell"
    }
    if context == .initialState, attention == .none, end != .length,
      encoder.layers.contains(where: \.hasState), encoder.layers.last?.hasState == false
    {
      return
        "the top layer of model.encoder has no state to hand over, and nothing else reads it; set "
        + "model.context to every_step or both, or remove the layer"
    }
    if context.beginsStates, !layers.contains(where: \.hasState) {
      return
        "no layer of the decoder has a state that could begin with what the encoder has read; set "
        + "model.context to every_step"
    }
    if attention != .none, attentionPlace == .input,
      let index = layers.firstIndex(where: \.isRecurrent), !layers[index].cellHasState
    {
      return
        "layer \(index) has no state to look back at the source from; set model.attention_place to "
        + "output, or begin the decoder with another cell"
    }
    if context.beginsStates,
      let index = layers.firstIndex(where: { $0.surroundings.initialState != .zero })
    {
      return
        "layer \(index) begins with the encoder's states, so it has no initial_state of its own; "
        + "remove it, or set model.context to every_step"
    }
    return nil
  }

  /// Why no layer can be fed the targets of some data, if there is a reason.
  func incompatibility(withTargetsOf interface: TaskSignature) -> String? {
    guard let taught = layers.firstIndex(where: \.feedsTargets) else { return nil }
    let what = "layer \(taught) is fed the target of the step before"
    let remedy = "teacher_forcing and feedback: target"
    if case .symbols(let count) = interface.output, count > TaskSignature.mostSymbolsFed {
      return
        "\(what), which is kept as a number that is exact up to \(TaskSignature.mostSymbolsFed), "
        + "and this data has \(count) symbols; set data.vocabulary.size, or remove \(remedy)"
    }
    if interface.asksOnce {
      return
        "\(what), and this data asks for one answer, at the end of each sequence; remove \(remedy)"
    }
    if let index = layers.indices.first(where: {
      $0 >= taught && layers[$0].bidirectional != nil
    }) {
      return
        "\(what), and layer \(index) is bidirectional and would read targets before they are "
        + "predicted; remove bidirectional from it, or \(remedy)"
    }
    return nil
  }

  /// Why what is known of a whole sequence cannot begin the first layer, if there is a reason.
  func incompatibility(withConditionOf interface: TaskSignature) -> String? {
    if conditionEmbedding != nil, interface.classes.isEmpty {
      return
        "model.condition_embedding is of classes, and this data knows none of whole sequences; "
        + "remove it, or set data.condition.classes"
    }
    guard interface.isConditioned else { return nil }
    guard layers.contains(where: \.isRecurrent) else {
      return
        "this data has something known of a whole sequence, which enters a layer with a cell, and "
        + "model.layers has none"
    }
    guard condition == .initialState else { return nil }
    guard let first = layers.first(where: \.hasState) else {
      return
        "no layer has a state that could begin with what is known of the sequence; set "
        + "model.condition to every_step"
    }
    if first.surroundings.initialState != .zero {
      return
        "the first layer with a state begins with what is known of the sequence, so it has no "
        + "initial_state of its own; remove it, or set model.condition to every_step"
    }
    if encoder != nil, context.beginsStates {
      return "the first layer cannot begin with both the encoder's states and what is known of the "
        + "sequence; set model.condition or model.context to every_step"
    }
    return nil
  }
}
