internal import Datasets
internal import Optimization
internal import Recurrence
internal import Sequences

let readoutRules: [CompatibilityRule] = [
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
    ["model.output", "training.readout"], at: "model",
    "A readout is fitted to a full softmax without a soft cap.",
    refusal:
      "a readout is fitted to a full softmax without a soft cap; remove model.output or training.readout"
  ) {
    $0.training.readout == nil || $0.model.output.kind == .full && $0.model.output.softCap == nil
  },
  .decoding(
    ["model.output.kind", "training.label_smoothing", "training.z_loss"], at: "training",
    "`training.label_smoothing` and `training.z_loss` need the logits of all symbols: a full softmax.",
    refusal:
      "label_smoothing and z_loss need the logits of all symbols, which an adaptive or sampled softmax "
      + "does not compute; remove them, or set model.output.kind to full"
  ) { $0.training.objective == TrainingObjective() || $0.model.output.kind == .full },
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
  ("training.random_bptt", { $0.training.randomWindows != nil }),
  ("training.clip", { $0.training.clip != nil }),
  ("training.groups", { !$0.training.groups.isEmpty }),
  ("training.loss_reduction", { $0.training.lossReduction != TrainingOptions().lossReduction }),
  ("training.label_smoothing", { $0.training.objective.labelSmoothing > 0 }),
  ("training.z_loss", { $0.training.objective.zLoss > 0 }),
  (
    "training.activation_regularization",
    { $0.training.objective.activationRegularization > 0 }
  ),
  ("training.temporal_regularization", { $0.training.objective.temporalRegularization > 0 }),
  ("training.scheduled_sampling", { $0.training.scheduledSampling != nil }),
  ("training.on_nonfinite", { $0.training.onNonfinite != TrainingOptions().onNonfinite }),
  ("training.on_spike", { $0.training.onSpike != nil }),
  ("training.early_stop", { $0.training.earlyStop != nil }),
  ("evaluation.every", { $0.evaluation.every != EvaluationOptions().every }),
  ("evaluation.sample.every", { $0.evaluation.sample?.every != nil }),
  ("checkpoint.every", { $0.checkpoint.every != CheckpointOptions().every }),
  ("checkpoint.keep", { $0.checkpoint.keep != CheckpointOptions().keep }),
  ("checkpoint.keep_every", { $0.checkpoint.keepEvery != nil }),
  ("checkpoint.asynchronous", { !$0.checkpoint.isAsynchronous }),
  ("checkpoint.on_failure", { $0.checkpoint.onFailure != CheckpointOptions().onFailure }),
  ("communication.check_every", { $0.communication.checkEvery != nil }),
  ("model.dropout", { $0.model.sequence?.dropout ?? 0 > 0 }),
  ("model.input_dropout", { $0.model.sequence?.inputDropout ?? 0 > 0 }),
  ("model.embedding_dropout", { $0.model.sequence?.embeddingDropout ?? 0 > 0 }),
  ("model.output_initializer", { $0.model.sequence?.output.initializer != nil }),
  ("model.output_bias_initializer", { $0.model.sequence?.output.biasInitializer != nil }),
  ("model.mup_base", { $0.model.sequence?.widthBase != nil }),
  ("model.embedding_rate", { $0.model.sequence?.embeddingRate ?? 1 != 1 }),
  ("model.output_rate", { $0.model.sequence?.output.rate ?? 1 != 1 }),
]

private let gradientSettingsOfLayers: [(key: String, isGiven: @Sendable (LayerOptions) -> Bool)] = [
  ("rate", { $0.rate != 1 }), ("frozen", { $0.frozen }), ("dropout", { $0.dropout ?? 0 > 0 }),
  ("weight_dropout", { $0.weightDropout > 0 }),
]

let readoutBesideGradients = CompatibilityRule.idle(
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
