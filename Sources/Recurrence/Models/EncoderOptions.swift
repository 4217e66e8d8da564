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
    if let index = layers.firstIndex(where: \.isOfDecoders) {
      return
        "layer \(index) of the encoder is a block, a conv or a token_shift, which only model.layers can "
        + "have; use cells in model.encoder.layers"
    }
    return SequenceModelOptions(embedding: embedding, layers: layers).incompatibility
  }
}
