internal import Datasets
internal import Optimization
internal import Recurrence
internal import Sequences

let modelRules: [CompatibilityRule] = [
  .idleInModel(
    "dropout", "`model.dropout` needs a place without a dropout of its own.",
    because: "every place where it would act has a dropout of its own"
  ) { model, _ in
    let inDecoder = hasPlaceForDropout(
      model.embedding, model.layers, isInputTaken: model.inputDropout != nil)
    let inEncoder =
      model.encoder.map {
        $0.dropout == nil && hasPlaceForDropout($0.embedding, $0.layers, isInputTaken: false)
      } ?? false
    return model.dropout > 0 && !inDecoder && !inEncoder
  },
  .idleInModel(
    "encoder.dropout", "`model.encoder.dropout` needs a place without a dropout of its own.",
    because: "every place where it would act has a dropout of its own"
  ) { model, _ in
    guard let encoder = model.encoder, encoder.dropout != nil else { return false }
    return !hasPlaceForDropout(encoder.embedding, encoder.layers, isInputTaken: false)
  },
  .idleInModel(
    "variational", "`model.variational` needs a dropout.", because: "there is no dropout",
    or: "set model.dropout"
  ) { model, _ in model.variational && !hasDropout(model) },
  .idleInModel(
    "recurrent", "`model.recurrent` needs a dropout on a layer with a state.",
    because: "no layer with a state has a dropout", or: "set model.dropout"
  ) { model, _ in
    model.recurrent && !model.layers.contains { $0.hasState && $0.dropout ?? model.dropout > 0 }
  },
  .idleInModel(
    "embedding_dropout", "`model.embedding_dropout` needs an embedding of symbols.",
    because: "there is no embedding", or: "set model.embedding"
  ) { model, _ in model.embeddingDropout > 0 && !hasEmbedding(model) },
  .idleInModel(
    "embedding_initializer", "`model.embedding_initializer` needs an embedding.",
    because: "there is no embedding", or: "set model.embedding"
  ) { model, _ in
    model.embeddingInitializer != nil && !hasEmbedding(model) && model.conditionEmbedding == nil
  },
  .idleInModel(
    "embedding_rate", "`model.embedding_rate` needs an embedding.",
    because: "there is no embedding", or: "set model.embedding"
  ) { model, _ in model.embeddingRate != 1 && !hasEmbedding(model) },
  .idleInModel(
    "output_initializer",
    "`model.output_initializer` needs a matrix or a bias to initialise: a tied output layer has only a "
      + "bias.",
    because: "the output layer's matrix is the embedding's"
  ) { model, _ in
    model.tied && model.output.bias != .learnt() && model.output.initializer != nil
  },
  .idleInModel(
    "mup_base",
    "`model.mup_base` is for rules with the scale of Adam: not for `sgd`, whose rates follow other laws, "
      + "nor for `muon`, whose updates of matrices fit any width by themselves.",
    because: "its factors on learning rates are those of Adam, and the optimizer is sgd or muon",
    or: "choose adam, adamw, ademamix, lion, schedule_free, rmsprop or adagrad"
  ) { model, options in
    model.widthBase != nil && ["sgd", "muon"].contains(options.training.optimizer.rule)
  },
  .idleInModel(
    "output_rate",
    "`model.output_rate` needs a matrix or a bias to learn: a tied output layer has only a bias.",
    because: "the output layer's matrix is the embedding's"
  ) { model, _ in model.tied && !model.output.hasBias && model.output.rate != 1 },
  .idleInModel(
    "initializer",
    "`model.initializer` needs parameters without an initializer of their own.",
    because: "every parameter has an initializer of its own"
  ) { model, options in
    let isBiasTaken = model.output.bias != .learnt()
    let isOutputTaken =
      options.training.readout != nil || model.output.initializer != nil
      || model.tied && isBiasTaken
    return model.initializer != .pytorch && model.encoder == nil && model.end == .symbol
      && !options.isConditioned
      && (model.embedding == nil || model.embeddingInitializer != nil) && isOutputTaken
      && model.layers.allSatisfy { $0.initializer != nil || $0.learnsNothing }
  },
]

/// Returns true if a stack has an output whose dropout is that of the model.
private func hasPlaceForDropout(
  _ embedding: Int?, _ layers: [LayerOptions], isInputTaken: Bool
) -> Bool {
  embedding != nil && !isInputTaken || layers.contains { $0.dropout == nil }
}

private func hasDropout(_ model: SequenceModelOptions) -> Bool {
  if model.dropoutOfInput > 0 { return true }
  if model.layers.contains(where: { $0.dropout ?? model.dropout > 0 }) { return true }
  guard let encoder = model.encoder else { return false }
  let rate = encoder.dropout ?? model.dropout
  return encoder.embedding != nil && rate > 0 || encoder.layers.contains { $0.dropout ?? rate > 0 }
}

private func hasEmbedding(_ model: SequenceModelOptions) -> Bool {
  model.embedding != nil || model.encoder?.embedding != nil
}

let layerRules: [CompatibilityRule] = [
  .idleInLayer(
    "zoneout", "`zoneout` of a layer needs a state.", because: "the layer has no state"
  ) { layer, _ in layer.surroundings.zoneout > 0 && !layer.hasState },
  .idleInLayer(
    "weight_dropout",
    "`weight_dropout` of a layer needs a cell with recurrent weights that are learnt.",
    because: "the layer has no recurrent weights that are learnt"
  ) { layer, _ in layer.weightDropout > 0 && !layer.hasRecurrentWeights },
  .idleInLayer(
    "initial_state", "`initial_state` of a layer needs a state.", because: "the layer has no state"
  ) { layer, _ in layer.surroundings.initialState != .zero && !layer.hasState },
  .idleInLayer(
    "rate", "`rate` of a layer needs a layer that is not frozen.", because: "the layer is frozen"
  ) { layer, _ in layer.rate != 1 && layer.frozen },
  .idleInLayer(
    "rate", "`rate` of a layer needs something that is learnt, and a reservoir alone has nothing.",
    because: "nothing in the layer is learnt"
  ) { layer, options in layer.rate != 1 && options.isReservoirAlone(layer) },
  .idleInLayer(
    "frozen",
    "`frozen` of a layer needs something that is learnt, and a reservoir alone has nothing.",
    because: "nothing in the layer is learnt"
  ) { layer, options in layer.frozen && options.isReservoirAlone(layer) },
  .idleInLayer(
    "initializer",
    "`initializer` of a layer needs something that is learnt, and a reservoir alone has nothing.",
    because: "nothing in the layer is learnt"
  ) { layer, options in layer.initializer != nil && options.isReservoirAlone(layer) },
]
