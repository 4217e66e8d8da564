/// The way in which the encoder's output enters the decoder.
public enum ContextPlace: String, Codable, CaseIterable, Sendable {
  /// The final states of the encoder are the initial states of the decoder (Sutskever 2014).
  case initialState = "initial_state"
  /// The final output of the encoder's top layer is an extra input of the decoder's first layer at
  /// every step, through a matrix of its own (Cho 2014).
  case everyStep = "every_step"
  /// Both.
  case both

  var beginsStates: Bool { self != .everyStep }
  var isReadAtEveryStep: Bool { self != .initialState }
}

/// The encoder: a stack of layers that reads the source, symbols or frames of numbers, before the
/// model predicts anything; and the ways in which its output enters the decoder.
///
///     encoder: {embedding: 200, layers: [{cell: gru, hidden: 100, bidirectional: concat}]}
///     context: every_step
///     attention: additive
public struct EncoderOptions: Equatable, Sendable {
  /// The width of the embedding. With nil, symbols are read as one-hot rows, and frames as they
  /// are.
  public var embedding: Int?
  public var layers: [LayerOptions]
  /// The dropout in the encoder; nil for the model's dropout.
  public var dropout: Double?
  /// The way in which the encoder's final states and summary enter.
  public var context: ContextPlace
  /// The attention over the source; nil for none.
  public var attention: AttentionOptions?

  public init(
    embedding: Int?, layers: [LayerOptions], dropout: Double? = nil,
    context: ContextPlace = .initialState, attention: AttentionOptions? = nil
  ) {
    self.embedding = embedding
    self.layers = layers
    self.dropout = dropout
    self.context = context
    self.attention = attention
  }

  /// The first contradiction between the encoder's layers; nil if there is none.
  var problem: String? {
    guard layers.contains(where: \.isRecurrent) else {
      return "an encoder needs at least one layer with a cell"
    }
    if layers.contains(where: \.feedsTargets) {
      return
        "an encoder predicts nothing, so no target can be fed to a layer of it; remove "
        + "teacher_forcing and feedback: target"
    }
    return SequenceModelOptions(embedding: embedding, layers: layers).incompatibility
  }
}

extension SequenceModelOptions {
  /// Returns why the encoder does not fit the source of some data, or nil if it fits.
  func incompatibility(withSourceOf interface: TaskSignature) -> String? {
    guard let encoder else {
      return interface.encoded != nil
        ? "this data has a source, and the model has no encoder to read it; set model.encoder"
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
        "layer \(index) of the decoder is bidirectional and would read its own targets; "
        + "remove bidirectional there"
    }
    if !layers.contains(where: \.isRecurrent) {
      return "a decoder needs at least one layer with a cell"
    }
    if encoder.context == .initialState, encoder.attention == nil, !end.isLength,
      encoder.layers.contains(where: \.hasState), encoder.layers.last?.hasState == false
    {
      return
        "the top layer of model.encoder has no final state, and nothing else reads its output; set "
        + "model.context to every_step or both, or remove the layer"
    }
    if encoder.context.beginsStates, !layers.contains(where: \.hasState) {
      return
        "no layer of the decoder has a state that could start from the encoder's final states; set "
        + "model.context to every_step"
    }
    if encoder.attention?.place == .input,
      let index = layers.firstIndex(where: \.isRecurrent), !layers[index].cellHasState
    {
      return
        "layer \(index) has no state that attention could read; set model.attention_place to "
        + "output, or begin the decoder with another cell"
    }
    if encoder.context.beginsStates,
      let index = layers.firstIndex(where: { $0.surroundings.initialState != .zero })
    {
      return
        "layer \(index) starts from the encoder's final states and cannot have an initial_state; "
        + "remove it, or set model.context to every_step"
    }
    return nil
  }

  /// Returns why layers with target feedback do not fit the targets of some data, or nil if they
  /// fit.
  func incompatibility(withTargetsOf interface: TaskSignature) -> String? {
    guard let taught = layers.firstIndex(where: \.feedsTargets) else { return nil }
    let what = "layer \(taught) reads the target of the step before"
    let remedy = "teacher_forcing and feedback: target"
    if case .symbols(let count) = interface.output, count > TaskSignature.mostSymbolsFed {
      return
        "\(what), which is stored as a number that is exact up to \(TaskSignature.mostSymbolsFed), "
        + "and this data has \(count) symbols; set data.vocabulary.size, or remove \(remedy)"
    }
    if interface.asksOnce {
      return
        "\(what), and this data has one target, at the end of each sequence; remove \(remedy)"
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

  /// Returns why the model does not fit the condition of some data, or nil if it fits.
  func incompatibility(withConditionOf interface: TaskSignature) -> String? {
    if conditionEmbedding != nil, interface.classes.isEmpty {
      return
        "model.condition_embedding is for classes, and this data's sequences have no classes; "
        + "remove it, or set data.condition.classes"
    }
    guard interface.isConditioned else { return nil }
    guard layers.contains(where: \.isRecurrent) else {
      return
        "this data's sequences have a condition, which only a layer with a cell can read; add such "
        + "a layer to model.layers, or remove data.condition"
    }
    guard condition == .initialState else { return nil }
    guard let first = layers.first(where: \.hasState) else {
      return
        "no layer has a state that could start from the condition of the sequence; set "
        + "model.condition to every_step"
    }
    if first.surroundings.initialState != .zero {
      return
        "the first layer with a state starts from the condition of the sequence and cannot have an "
        + "initial_state; remove it, or set model.condition to every_step"
    }
    if encoder?.context.beginsStates == true {
      return "the first layer cannot begin with both the encoder's final states and the condition; "
        + "set model.condition or model.context to every_step"
    }
    return nil
  }
}
