internal import Datasets
internal import Recurrence

// Settings of the section `model` that have no effect.
extension RunOptions {
  private var stacks: [(layers: [LayerOptions], key: String)] {
    [(model.layers, "model.layers")]
      + (model.sequence?.encoder.map { [($0.layers, "model.encoder.layers")] } ?? [])
  }

  /// Returns true if the model's dropout applies to some output of a stack.
  private func hasOwnPlace(
    _ embedding: Int?, _ layers: [LayerOptions], isInputTaken: Bool
  ) -> Bool {
    embedding != nil && !isInputTaken || layers.contains { $0.dropout == nil }
  }

  /// True if sequences have a condition.
  private var isConditioned: Bool {
    data.task?.task.widths.condition ?? 0 > 0 || data.reader?.condition != nil
  }

  private func hasDropout(_ model: SequenceModelOptions) -> Bool {
    if model.dropoutOfInput > 0 { return true }
    if model.layers.contains(where: { $0.dropout ?? model.dropout > 0 }) { return true }
    guard let encoder = model.encoder else { return false }
    let rate = encoder.dropout ?? model.dropout
    return encoder.embedding != nil && rate > 0
      || encoder.layers.contains { $0.dropout ?? rate > 0 }
  }

  var idleModel: [IdleSetting] {
    guard let model = model.sequence else { return [] }
    var idle: [IdleSetting] = []
    func refuse(
      _ isGiven: Bool, _ key: String, because reason: String, or remedy: String? = nil
    ) {
      if isGiven { idle.append(IdleSetting("model.\(key)", because: reason, or: remedy)) }
    }
    let overridden = "every place where it would act has a dropout of its own"
    let inDecoder = hasOwnPlace(
      model.embedding, model.layers, isInputTaken: model.inputDropout != nil)
    let inEncoder =
      model.encoder.map {
        $0.dropout == nil && hasOwnPlace($0.embedding, $0.layers, isInputTaken: false)
      } ?? false
    refuse(model.dropout > 0 && !inDecoder && !inEncoder, "dropout", because: overridden)
    if let encoder = model.encoder, encoder.dropout != nil {
      refuse(
        !hasOwnPlace(encoder.embedding, encoder.layers, isInputTaken: false),
        "encoder.dropout", because: overridden)
    }
    refuse(
      model.variational && !hasDropout(model), "variational", because: "nothing is dropped",
      or: "set model.dropout")
    refuse(
      model.recurrent
        && !model.layers.contains { $0.hasState && $0.dropout ?? model.dropout > 0 },
      "recurrent", because: "no layer with a state has a dropout", or: "set model.dropout")
    let hasEmbedding = model.embedding != nil || model.encoder?.embedding != nil
    let none = "there is no embedding"
    refuse(
      model.embeddingInitializer != nil && !hasEmbedding && model.conditionEmbedding == nil,
      "embedding_initializer", because: none, or: "set model.embedding")
    refuse(
      model.embeddingRate != 1 && !hasEmbedding, "embedding_rate", because: none,
      or: "set model.embedding")
    let isBiasTaken = model.output.bias != .learnt()
    let tied = "the output layer's matrix is the embedding's"
    refuse(
      model.tied && isBiasTaken && model.output.initializer != nil, "output_initializer",
      because: tied)
    refuse(
      model.tied && !model.output.hasBias && model.output.rate != 1, "output_rate", because: tied)
    let isOutputTaken =
      training.readout != nil || model.output.initializer != nil || model.tied && isBiasTaken
    refuse(
      model.initializer != .pytorch && model.encoder == nil
        && model.end == .symbol && !isConditioned
        && (model.embedding == nil || model.embeddingInitializer != nil) && isOutputTaken
        && model.layers.allSatisfy { $0.initializer != nil || $0.learnsNothing },
      "initializer", because: "whatever is drawn has an initializer of its own")
    return idle
  }

  var idleLayers: [IdleSetting] {
    var idle: [IdleSetting] = []
    for (layers, place) in stacks {
      for (index, layer) in layers.enumerated() {
        func refuse(_ isGiven: Bool, _ key: String, because reason: String) {
          if isGiven { idle.append(IdleSetting("\(place).\(index).\(key)", because: reason)) }
        }
        let stateless = "the layer has no state"
        refuse(layer.surroundings.zoneout > 0 && !layer.hasState, "zoneout", because: stateless)
        refuse(
          layer.surroundings.initialState != .zero && !layer.hasState, "initial_state",
          because: stateless)
        refuse(layer.rate != 1 && layer.frozen, "rate", because: "the layer is frozen")
        // An input from outside the layer comes through a trained matrix.
        let isAlone =
          model.sequence?.encoder == nil && model.end == .symbol && !isConditioned
        guard isAlone, layer.learnsNothing else { continue }
        let reservoir = "nothing in the layer is learnt"
        refuse(layer.rate != 1, "rate", because: reservoir)
        refuse(layer.frozen, "frozen", because: reservoir)
        refuse(layer.initializer != nil, "initializer", because: reservoir)
      }
    }
    return idle
  }
}
