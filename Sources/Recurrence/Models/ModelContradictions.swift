extension ModelSection {
  /// The first contradiction between keys, and the key at fault; nil if there is none.
  var problem: (key: CodingKeys, sentence: String)? {
    if !outputBias, outputBiasInitializer != nil {
      return (
        .outputBiasInitializer,
        "output_bias_initializer needs an output bias; set output_bias to true"
      )
    }
    if output.kind == .adaptive, !outputBias {
      return (
        .outputBias, "an adaptive softmax has a bias only with output.head_bias; remove output_bias"
      )
    }
    if output.kind == .adaptive, !output.headBias, outputBiasInitializer != nil {
      return (
        .outputBiasInitializer,
        "output_bias_initializer needs an output bias; set output.head_bias to true"
      )
    }
    if let tree { return problem(of: tree) }
    if output.kind == .adaptive, widthBase != nil {
      return (
        .widthBase,
        "mup_base is for one output matrix that reads the whole width, and an adaptive softmax has "
          + "narrower ones; set output.kind to full or sampled, or remove mup_base"
      )
    }
    if output.kind == .adaptive, tied {
      return (
        .tied,
        "tied needs one output matrix as wide as the embedding, and an adaptive softmax has several "
          + "narrower ones; set tied to false or output.kind to full or sampled"
      )
    }
    let widths = SequenceModelOptions(embedding: embedding, layers: layers, tied: tied)
    if let problem = widths.problemOfWidths { return problem }
    if embedding == nil, embeddingScale != nil {
      return (.embeddingScale, "embedding_scale needs an embedding; set embedding")
    }
    if embedding == nil, embeddingNorm != nil {
      return (.embeddingNorm, "embedding_norm needs an embedding; set embedding")
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
    return problemOfWidthBase
  }

  /// The first setting that `mup_base` has no rule for, and the key at fault; nil if there is none.
  private var problemOfWidthBase: (key: CodingKeys, sentence: String)? {
    if widthBase == nil { return nil }
    if tied {
      return (
        .widthBase,
        "mup_base scales the output layer and not the embedding, so they cannot be one matrix; "
          + "set tied to false"
      )
    }
    if encoder != nil || condition != .everyStep || conditionEmbedding != nil || end != .symbol
      || shortcut
      || layers.contains(where: { $0.surroundings.feedback != nil || $0.surroundings.feedsTargets })
    {
      return (
        .widthBase,
        "mup_base is for layers that read the input and each other; remove encoder, condition, end, "
          + "shortcut and feedback, or mup_base"
      )
    }
    return nil
  }

  /// Returns the first contradiction between the keys of a model of trees, and the key at fault; nil
  /// if there is none.
  private func problem(of tree: Tree) -> (key: CodingKeys, sentence: String)? {
    guard layers.isEmpty else {
      return (.tree, "tree and layers exclude each other; remove one of them")
    }
    let reason = "is for layers over time, and this model reads trees; remove it"
    for (isSet, key) in [
      (tied, CodingKeys.tied), (shortcut, .shortcut), (variational, .variational),
      (recurrent, .recurrent), (embeddingDropout > 0, .embeddingDropout),
    ] where isSet { return (key, "\(key.rawValue) \(reason)") }
    guard let embedding else {
      return (.tree, "the leaves of a tree are vectors of words; set embedding")
    }
    if tree.cell == .plain, embedding != tree.hidden {
      return (
        .tree,
        "the leaves of a plain tree are the words' vectors themselves, so embedding (\(embedding)) and "
          + "hidden (\(tree.hidden)) must be the same"
      )
    }
    for (isSet, key) in [
      (encoder != nil, CodingKeys.encoder), (context != .initialState, .context),
      (attention != .none, .attention), (attentionPlace != .output, .attentionPlace),
      (lengthInput != .remaining, .lengthInput), (longest != nil, .longest),
      (condition != .everyStep, .condition), (conditionEmbedding != nil, .conditionEmbedding),
      (output != OutputSection(), .output), (end != .symbol, .end), (widthBase != nil, .widthBase),
      (embeddingScale != nil, .embeddingScale), (embeddingNorm != nil, .embeddingNorm),
      (finalNorm != nil, .finalNorm),
    ] where isSet { return (key, "model.\(key.rawValue) would do nothing, because it \(reason)") }
    return nil
  }
}

// MARK: Options
