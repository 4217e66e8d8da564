internal import Datasets
internal import Optimization
internal import Recurrence
internal import Sequences

let trainingRules: [CompatibilityRule] = [
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
    "training.activation_regularization",
    "`training.activation_regularization` needs a layer with a state.",
    because: "the model has no layer with a state"
  ) { $0.training.objective.activationRegularization > 0 && !$0.hasStates },
  .idle(
    "training.temporal_regularization",
    "`training.temporal_regularization` needs a layer with a state.",
    because: "the model has no layer with a state"
  ) { $0.training.objective.temporalRegularization > 0 && !$0.hasStates },
  .idle(
    "training.scheduled_sampling",
    "`training.scheduled_sampling` is for data with steps, not for trees.",
    because: "trees have no steps"
  ) { $0.training.scheduledSampling != nil && $0.isTree },
  .idle(
    "training.on_nonfinite.limit",
    "`training.on_nonfinite.limit` needs the policy `skip` or `rollback`.",
    because: "no step is skipped or undone",
    or: "set training.on_nonfinite.policy to skip or rollback"
  ) {
    $0.training.onNonfinite.policy == .stop
      && $0.training.onNonfinite.limit != NonfiniteOptions().limit
  },
  .idle(
    "training.on_spike.limit", "`training.on_spike.limit` needs the policy `skip` or `rollback`.",
    because: "no step is skipped or undone",
    or: "set training.on_spike.policy to skip or rollback"
  ) {
    guard let spike = $0.training.onSpike else { return false }
    return spike.policy != .skip && spike.policy != .rollback && spike.limit != SpikeOptions().limit
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
    "training.average", "`training.average` is for an optimizer that keeps no average itself.",
    because: "the optimizer schedule_free keeps an average itself",
    or: "choose another optimizer"
  ) { $0.training.average != nil && $0.training.optimizer.keepsAverage },
  .idle(
    ["training.average.trigger", "data.valid", "data.valid_size"],
    "`training.average.trigger` needs validation data."
  ) { options in
    guard options.training.average?.trigger != nil else { return [] }
    return options.unvalidated("training.average.trigger")
  },
  .idle(
    "training.optimizer.nesterov", "`training.optimizer.nesterov` of `muon` needs a momentum.",
    because: "there is no momentum", or: "set training.optimizer.momentum"
  ) {
    guard let options = $0.training.optimizer.options as? Muon.Options else { return false }
    return !options.nesterov && options.momentum == 0
  },
  .idle(
    "training.optimizer.adamw.decay", "`training.optimizer.adamw.decay` needs a weight decay.",
    because: "there is no weight decay", or: "set training.optimizer.adamw.weight_decay"
  ) {
    guard let options = $0.training.optimizer.options as? Muon.Options else { return false }
    return options.adamW.decay != .all && options.adamW.weightDecay == 0
  },
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
