internal import Datasets
internal import Optimization
internal import Recurrence
internal import Sequences

/// All rules across settings and sections.
public let compatibilityRules: [CompatibilityRule] =
  readoutRules + dataRules + modelRules + layerRules + trainingRules + communicationRules
  + evaluationRules + fitRules + windowRules

// MARK: Readouts

private let readoutRules: [CompatibilityRule] = [
  .decoding(
    ["model.tied", "training.readout"], at: "model",
    "A readout has an output layer of its own, so the model is not tied.",
    refusal: "a readout has weights of its own; set model.tied to false"
  ) { $0.training.readout == nil || $0.model.sequence?.tied != true },
  .decoding(
    ["model.tree", "training.readout"], at: "model",
    "A readout is fitted over steps, so the model has layers and no tree.",
    refusal: "a readout is fitted over steps, and a tree has none; remove training.readout"
  ) { $0.training.readout == nil || $0.model.tree == nil },
  .decoding(
    ["model.end", "training.readout"], at: "model",
    "A readout fits the output layer alone, so the end of a sequence is a symbol.",
    refusal: "a readout fits only the output layer and cannot predict ends; set model.end to symbol"
  ) { $0.training.readout == nil || $0.model.end == .symbol },
]

/// The settings for gradients, in a run without gradients.
private let gradientSettings: [(key: String, isGiven: @Sendable (RunOptions) -> Bool)] = [
  ("training.optimizer", { $0.training.optimizer != TrainingOptions().optimizer }),
  ("training.schedule", { $0.training.schedule != TrainingOptions().schedule }),
  ("training.accumulate", { $0.training.accumulate > 1 }),
  ("training.ramp", { $0.training.ramp != nil }),
  ("training.clip", { $0.training.clip != nil }),
  ("training.loss_reduction", { $0.training.lossReduction != TrainingOptions().lossReduction }),
  ("training.label_smoothing", { $0.training.objective.labelSmoothing > 0 }),
  ("training.z_loss", { $0.training.objective.zLoss > 0 }),
  ("training.scheduled_sampling", { $0.training.scheduledSampling != nil }),
  ("training.on_nonfinite", { $0.training.onNonfinite != TrainingOptions().onNonfinite }),
  ("training.early_stop", { $0.training.earlyStop != nil }),
  ("evaluation.every", { $0.evaluation.every != EvaluationOptions().every }),
  ("checkpoint.every", { $0.checkpoint.every != CheckpointOptions().every }),
  ("checkpoint.keep", { $0.checkpoint.keep != CheckpointOptions().keep }),
  ("model.dropout", { $0.model.sequence?.dropout ?? 0 > 0 }),
  ("model.input_dropout", { $0.model.sequence?.inputDropout ?? 0 > 0 }),
  ("model.output_initializer", { $0.model.sequence?.output.initializer != nil }),
  ("model.output_bias_initializer", { $0.model.sequence?.output.biasInitializer != nil }),
  ("model.embedding_rate", { $0.model.sequence?.embeddingRate ?? 1 != 1 }),
  ("model.output_rate", { $0.model.sequence?.output.rate ?? 1 != 1 }),
]

private let gradientSettingsOfLayers: [(key: String, isGiven: @Sendable (LayerOptions) -> Bool)] = [
  ("rate", { $0.rate != 1 }), ("frozen", { $0.frozen }), ("dropout", { $0.dropout ?? 0 > 0 }),
]

private let readoutBesideGradients = CompatibilityRule.idle(
  ["training.readout"] + gradientSettings.map(\.key)
    + gradientSettingsOfLayers.map { "model.layers.*." + $0.key },
  "A readout is fitted in one pass, so settings for learning by gradients have no effect beside it."
) { options in
  guard options.training.readout != nil else { return [] }
  var given = gradientSettings.filter { $0.isGiven(options) }.map(\.key)
  for (index, layer) in options.model.layers.enumerated() {
    given += gradientSettingsOfLayers.filter { $0.isGiven(layer) }.map {
      "model.layers.\(index).\($0.key)"
    }
  }
  return given.map {
    RuleViolation(
      idle: $0, because: "a readout is fitted in one pass, without gradients",
      or: "remove training.readout")
  }
}

// MARK: Communication

private let communicationRules: [CompatibilityRule] = [
  .decoding(
    [
      "communication.reproducible", "communication.wire", "communication.compression",
      "communication.outer", "communication.overlap",
    ], at: "communication",
    "`communication.reproducible` adds whole gradients of single precision after the backward pass: no "
      + "`wire: bfloat16`, `compression`, `outer` or `overlap: true`.",
    refusal:
      "communication.reproducible adds whole gradients of single precision after the backward "
      + "pass: remove wire, compression, outer and overlap, or reproducible"
  ) { options in
    let others = options.communication
    return others.reproducible == nil
      || others.wire == .float32 && others.compression == nil && others.outer == nil
        && others.overlap != .on
  },
  .idle(
    "training.accumulate",
    "`communication.reproducible` cuts batches into micro-batches of its own, so there is no "
      + "`training.accumulate` beside it.",
    because: "communication.reproducible gives the number of micro-batches",
    or: "set communication.reproducible to the number of parts"
  ) { $0.training.accumulate > 1 && $0.communication.reproducible != nil },
  .idle(
    "communication.compression",
    "`communication.compression` is of gradients, and ranks that train alone between outer steps send "
      + "none.",
    because: "ranks send no gradients between outer steps", or: "remove communication.outer"
  ) { $0.communication.compression != nil && $0.communication.outer != nil },
  .idle(
    "communication.wire",
    "`communication.wire` is the format of numbers that are sent as they are, not of compressed ones.",
    because: "compressed gradients have a format of their own",
    or: "remove communication.compression"
  ) { $0.communication.compression != nil && $0.communication.wire != .float32 },
  .idle(
    "communication.overlap",
    "`communication.overlap: true` sends whole gradients during the backward pass: neither compressed "
      + "ones nor those between outer steps.",
    because: "only sums of whole gradients can overlap with the backward pass",
    or: "remove communication.compression and communication.outer"
  ) { options in
    let communication = options.communication
    return communication.overlap == .on
      && (communication.compression != nil || communication.outer != nil)
  },
  .idle(
    ["communication.node", "communication.shard_optimizer"],
    "`communication.node: shared` and `communication.shard_optimizer` are for sums of whole gradients in "
      + "the order of ranks: neither of compressed ones, nor in a tree, nor for ranks that train alone "
      + "between outer steps."
  ) { options in
    let communication = options.communication
    guard !communication.sumsWholeGradientsInOrder else { return [] }
    return [
      ("communication.node", communication.node == .shared),
      ("communication.shard_optimizer", communication.shardOptimizer),
    ].filter(\.1).map {
      RuleViolation(
        idle: $0.0, because: "ranks do not sum whole gradients in the order of ranks at every step",
        or: "remove communication.compression, communication.outer and communication.reproducible")
    }
  },
  .idle(
    "communication.shard_optimizer",
    "`communication.shard_optimizer` is for an optimizer with moments.",
    because: "there are no moments that ranks could share out",
    or: "choose an optimizer with moments"
  ) { $0.communication.shardOptimizer && !$0.training.optimizer.hasMoments },
  .idle(
    "communication",
    "`communication` is about gradients, and a readout is fitted without any.",
    because: "a readout is fitted in one pass, without gradients", or: "remove training.readout"
  ) { $0.training.readout != nil && $0.communication != CommunicationOptions() },
]

// MARK: Data

private let dataRules: [CompatibilityRule] = [
  .idle(
    "data.cache", "`data.cache` is for running texts: no other data is encoded and kept.",
    because: "only running texts are encoded and kept"
  ) { $0.data.cache != nil && !$0.isText },
  .idle(
    "data.test_length", "`data.test_length` of a task needs examples to test on.",
    because: "there is nothing to test on", or: "set data.test_size"
  ) { options in
    guard let task = options.data.task, task.testSize == 0 else { return false }
    return (task.task as? Tomita).map { $0.testLength != Tomita().testLength }
      ?? (task.task as? Parity).map { $0.testLength != Parity().testLength } ?? false
  },
  .idle(
    [
      "data.source.valid", "data.source.test", "data.condition.valid", "data.condition.test",
      "data.valid", "data.test",
    ],
    "Files of sources or conditions stand beside files in `data.valid` and `data.test`, not beside a "
      + "part of `data.train`."
  ) { options in
    let (data, reader) = (options.data, options.data.reader)
    let files: [(key: String, files: Paths?, part: HeldOut?)] = [
      ("source.valid", reader?.source?.valid, data.valid),
      ("source.test", reader?.source?.test, data.test),
      ("condition.valid", reader?.condition?.valid, data.valid),
      ("condition.test", reader?.condition?.test, data.test),
    ]
    return files.compactMap { key, files, part in
      if files == nil { return nil }
      if case .text = part { return nil }
      let name = key.hasSuffix("valid") ? "data.valid" : "data.test"
      return RuleViolation(
        idle: "data.\(key)",
        because: "it belongs to the files in \(name), and there are none", or: "name them")
    }
  },
]

// MARK: The model

private let modelRules: [CompatibilityRule] = [
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

// MARK: Layers

private let layerRules: [CompatibilityRule] = [
  .idleInLayer(
    "zoneout", "`zoneout` of a layer needs a state.", because: "the layer has no state"
  ) { layer, _ in layer.surroundings.zoneout > 0 && !layer.hasState },
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

// MARK: Training

private let trainingRules: [CompatibilityRule] = [
  .idle(
    "training.batch_tokens", "`training.batch_tokens` is for sequences, not for a running text.",
    because: "a running text is cut into streams", or: "set training.batch_size"
  ) { $0.training.batchTokens != nil && $0.isText },
  .idle(
    "training.bucket", "`training.bucket` is for sequences, not for a running text.",
    because: "a running text is cut into streams"
  ) { !$0.training.isBucketed && $0.isText },
  .idle(
    "training.bucket", "`training.bucket` is for files of sequences, not for a generated task.",
    because: "generated examples come in their own order"
  ) { !$0.training.isBucketed && $0.data.task != nil },
  .idle(
    "training.bucket", "`training.bucket` is for sequences, not for trees.",
    because: "trees come in their own order"
  ) { !$0.training.isBucketed && $0.isTree },
  .idle(
    "training.bptt", "`training.bptt` is for data with steps, not for trees.",
    because: "trees have no steps"
  ) { $0.training.givenBptt != nil && $0.isTree },
  .idle(
    "training.recompute", "`training.recompute` is for data with steps, not for trees.",
    because: "trees have no steps"
  ) { $0.training.recompute != .none && $0.isTree },
  .idle(
    "training.carry_state",
    "`training.carry_state: false` is for windows that are parts of a text or of a sequence.",
    because: "each window is a whole sequence and begins without a state"
  ) { !$0.training.carryState && !$0.isText && $0.training.givenBptt == nil },
  .idle(
    "training.label_smoothing", "`training.label_smoothing` needs symbols to predict.",
    because: "no symbols are predicted"
  ) { $0.training.objective.labelSmoothing > 0 && !$0.predictsSymbols },
  .idle(
    "training.z_loss", "`training.z_loss` needs symbols to predict.",
    because: "no symbols are predicted"
  ) { $0.training.objective.zLoss > 0 && !$0.predictsSymbols },
  .idle(
    "training.scheduled_sampling",
    "`training.scheduled_sampling` is for data with steps, not for trees.",
    because: "trees have no steps"
  ) { $0.training.scheduledSampling != nil && $0.isTree },
  .idle(
    "training.on_nonfinite.limit", "`training.on_nonfinite.limit` needs the policy `skip`.",
    because: "no step is skipped", or: "set training.on_nonfinite.policy to skip"
  ) {
    $0.training.onNonfinite.policy == .stop
      && $0.training.onNonfinite.limit != NonfiniteOptions().limit
  },
  .idle(
    ["training.early_stop", "data.valid", "data.valid_size"],
    "`training.early_stop` needs validation data."
  ) { options in
    guard options.training.earlyStop != nil else { return [] }
    return options.unvalidated("training.early_stop")
  },
  .idle(
    "training.clip", "`training.clip` needs a limit.", because: "it has no limit",
    or: "set its norm"
  ) { $0.training.clip == ClipOptions() },
  .idle(
    "training.optimizer.decay", "`training.optimizer.decay` needs a weight decay.",
    because: "there is no weight decay", or: "set training.optimizer.weight_decay"
  ) {
    let options = $0.training.optimizer.options
    return options.decay != .all && options.weightDecay == 0
  },
  .idle(
    "training.optimizer.dampening", "`training.optimizer.dampening` needs a momentum.",
    because: "there is no momentum", or: "set training.optimizer.momentum"
  ) {
    guard let options = $0.training.optimizer.options as? SGD.Options else { return false }
    return options.dampening > 0 && options.momentum == 0
  },
  .idle(
    ["training.schedule.plateau", "data.valid", "data.valid_size"],
    "`training.schedule.plateau` needs validation data."
  ) { options in
    guard options.training.schedule.plateau != nil else { return [] }
    return options.unvalidated("training.schedule.plateau")
  },
  readoutBesideGradients,
]

// MARK: Evaluation and console

private let evaluationRules: [CompatibilityRule] = [
  .idle(
    ["evaluation.every", "data.valid", "data.valid_size"],
    "`evaluation.every` needs validation data."
  ) { options in
    let usual = EvaluationOptions(like: options.training)
    guard options.evaluation.every != usual.every else { return [] }
    return options.unvalidated("evaluation.every")
  },
  .idle(
    [
      "evaluation.batch_size", "evaluation.batch_tokens", "evaluation.bptt", "data.valid",
      "data.test",
    ],
    "The windows of an evaluation need data to validate or to test on."
  ) { options in
    if options.isValidated || options.isTested { return [] }
    let (own, usual) = (options.evaluation, EvaluationOptions(like: options.training))
    let given: [(isGiven: Bool, key: String)] = [
      (own.batchSize != usual.batchSize, "batch_size"),
      (own.batchTokens != nil && own.batchTokens != usual.batchTokens, "batch_tokens"),
      (own.givenBptt != usual.givenBptt, "bptt"),
    ]
    return given.filter(\.isGiven).map {
      RuleViolation(
        idle: "evaluation.\($0.key)",
        because: "there is nothing to validate on or to test on", or: options.remedyOfValidation)
    }
  },
  .idle(
    "evaluation.batch_tokens",
    "`evaluation.batch_tokens` is for sequences, not for a running text.",
    because: "a running text is cut into streams", or: "set evaluation.batch_size"
  ) {
    let usual = EvaluationOptions(like: $0.training)
    return $0.isText && $0.evaluation.batchTokens != nil
      && $0.evaluation.batchTokens != usual.batchTokens
  },
  .idle(
    "evaluation.bptt", "`evaluation.bptt` is for data with steps, not for trees.",
    because: "trees have no steps"
  ) {
    $0.isTree && $0.evaluation.givenBptt != EvaluationOptions(like: $0.training).givenBptt
  },
  .idle(
    "console.every", "`console.every` needs a progress of lines.", because: "no lines are written",
    or: "set console.progress to lines"
  ) { $0.console.every != ConsoleOptions().every && [.none, .bar].contains($0.console.progress) },
]

// MARK: The model and its data

private let fitRules: [CompatibilityRule] =
  [
    .fit(
      ["model.layers.*.residual", "model.tied", "model.embedding"],
      "A residual layer is as wide as its input, and the last layer of a tied model as its embedding."
    ) { options, _ in options.model.sequence?.incompatibility },
    .fit(["model.tree", "data.format", "data.view"], "`model.tree` reads trees.") { options, data in
      options.model.tree?.incompatibility(with: data)
    },
  ]
  + modelDataRules.map { rule in
    .fit(rule.keys, rule.statement) { options, data in
      options.model.sequence.flatMap { rule.problem($0, data) }
    }
  } + [
    .data(
      ["model.condition", "data.condition", "data.task"], at: "model.condition",
      "`model.condition` needs data with a condition."
    ) { options, data in
      guard !data.isConditioned, options.model.sequence?.condition ?? .everyStep != .everyStep
      else {
        return nil
      }
      return
        "model.condition would do nothing, because the sequences of this data have no "
        + "condition; remove it"
    }
  ]

// MARK: Windows of the data

private let windowRules: [CompatibilityRule] = [
  .data(
    ["training.ramp", "data"], at: "training.ramp",
    "`training.ramp` is for windows of a running text."
  ) { options, data in
    guard options.training.ramp != nil, !data.isRunning else { return nil }
    return "training.ramp is for windows of a running text, and this data is sequences; remove it"
  },
  .data(
    ["training.tokens", "data"], at: "training.tokens",
    "`training.tokens` counts the targets of a running text."
  ) { options, data in
    guard case .tokens = options.training.length, !data.isRunning else { return nil }
    return "training.tokens counts the targets of a running text, and this data is sequences; give "
      + "epochs or steps"
  },
  .data(
    ["training.stride", "data"], at: "training.stride",
    "`training.stride` is for windows of a running text."
  ) { options, data in
    guard options.training.givenStride != nil, !data.isRunning else { return nil }
    return "training.stride is for windows of a running text, and this data is sequences; remove it"
  },
  .data(
    ["training.recompute", "model.layers.*.bidirectional", "model.encoder"],
    at: "training.recompute",
    "`training.recompute` needs a model without bidirectional layers and without an encoder."
  ) { options, _ in
    guard options.training.recompute != .none, needsAllSteps(options.model) else { return nil }
    return "steps are computed again in segments, and a bidirectional layer or an encoder needs "
      + "all of them at once; set training.recompute to none"
  },
  .data(
    ["training.bptt", "evaluation.bptt", "model.layers.*.bidirectional", "model.encoder"],
    at: "training.bptt",
    "`training.bptt` and `evaluation.bptt` cut sequences only for a model without bidirectional layers "
      + "and without an encoder."
  ) { options, data in
    guard options.training.givenBptt != nil || options.evaluation.givenBptt != nil,
      !data.isRunning, needsAllSteps(options.model)
    else { return nil }
    return "a bidirectional layer or an encoder reads whole sequences; remove training.bptt and "
      + "evaluation.bptt"
  },
  .data(
    ["training.stride", "model.variational", "model.recurrent"], at: "training.stride",
    "Windows that overlap (`training.stride`) have no dropout masks of their own."
  ) { options, _ in
    guard options.training.keptSteps > 0, let model = options.model.sequence,
      model.variational || model.recurrent
    else { return nil }
    return "model.variational and model.recurrent need a dropout mask for each window, which "
      + "overlapping windows do not have; set them to false, or remove training.stride"
  },
  .data(
    ["training.stride", "model.layers.*.bidirectional"], at: "training.stride",
    "Windows that overlap (`training.stride`) are read in one direction."
  ) { options, _ in
    guard options.training.keptSteps > 0,
      options.model.layers.contains(where: { $0.bidirectional != nil })
    else { return nil }
    return
      "overlapping windows cannot be read backwards; remove bidirectional or training.stride"
  },
]

/// Returns true if some layer reads all steps of a sequence at once.
private func needsAllSteps(_ model: ModelOptions) -> Bool {
  model.layers.contains { $0.bidirectional != nil } || model.sequence?.encoder != nil
}

// MARK: Facts about a run

extension RunOptions {
  fileprivate var isText: Bool { data.reader == nil && data.task == nil }
  fileprivate var isTree: Bool { data.reader?.view.isTree == true }

  fileprivate var isValidated: Bool {
    data.task.map { $0.validSize > 0 } ?? (data.valid != nil && data.valid != .fraction(0))
  }
  fileprivate var isTested: Bool {
    data.task.map { $0.testSize > 0 } ?? (data.test != nil && data.test != .fraction(0))
  }
  fileprivate var remedyOfValidation: String {
    data.task == nil ? "set data.valid" : "set data.valid_size"
  }

  /// Returns a violation of a setting that needs validation data if there is none.
  fileprivate func unvalidated(_ key: String) -> [RuleViolation] {
    isValidated
      ? []
      : [
        RuleViolation(
          idle: key, because: "there is nothing to validate on", or: remedyOfValidation)
      ]
  }

  /// True if the loss is that of a softmax.
  fileprivate var predictsSymbols: Bool {
    if let task = data.task { return !task.task.outputs.isEmpty }
    guard let reader = data.reader else { return true }
    switch reader.format {
    case .piano: return false
    case .csv: return reader.columns?.classes != nil
    case .lines, .tags, .labels, .trees, .pairs: return true
    }
  }

  /// True if sequences have a condition.
  fileprivate var isConditioned: Bool {
    data.task?.task.widths.condition ?? 0 > 0 || data.reader?.condition != nil
  }

  /// The layers of the model and of its encoder, and their keys.
  var stacks: [(layers: [LayerOptions], key: String)] {
    [(model.layers, "model.layers")]
      + (model.sequence?.encoder.map { [($0.layers, "model.encoder.layers")] } ?? [])
  }

  /// Returns true if nothing in a layer is learnt, and nothing enters it through a learnt matrix.
  fileprivate func isReservoirAlone(_ layer: LayerOptions) -> Bool {
    model.sequence?.encoder == nil && model.end == .symbol && !isConditioned && layer.learnsNothing
  }
}
