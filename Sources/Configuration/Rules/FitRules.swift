internal import Datasets
internal import Optimization
internal import Recurrence
internal import Sequences

let fitRules: [CompatibilityRule] =
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

let windowRules: [CompatibilityRule] = [
  CompatibilityRule(
    keys: ["training.groups.*.match", "training.groups.*.kind"],
    statement:
      "Each of `training.groups` has a parameter that is learnt and that no earlier group has.",
    stage: .data, check: groupsWithoutParameters),
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
    ["training.random_bptt", "data"], at: "training.random_bptt",
    "`training.random_bptt` is for windows of a running text."
  ) { options, data in
    guard options.training.randomWindows != nil, !data.isRunning else { return nil }
    return
      "training.random_bptt is for windows of a running text, and this data is sequences; remove it"
  },
  .data(
    ["training.scheduled_sampling.choice", "data"], at: "training.scheduled_sampling.choice",
    "`training.scheduled_sampling.choice` is for outputs that are symbols."
  ) { options, data in
    guard options.training.scheduledSampling?.choice != nil, case .numbers = data.output else {
      return nil
    }
    return RuleViolation(
      idle: "training.scheduled_sampling.choice", because: "numbers are fed as predicted"
    ).sentence
  },
  .data(
    ["training.scheduled_sampling", "data", "model.layers.*.feedback"],
    at: "training.scheduled_sampling",
    "`training.scheduled_sampling` needs a step that reads the target of the step before."
  ) { options, data in
    guard options.training.scheduledSampling != nil, options.readsTargets(of: data) == false,
      !options.model.layers.contains(where: \.feedsTargets)
    else { return nil }
    return ScheduledSamplingOptions.uselessness
  },
  .data(
    ["training.temporal_regularization", "data"], at: "training.temporal_regularization",
    "`training.temporal_regularization` needs sequences with more than one target."
  ) { options, data in
    guard options.training.objective.temporalRegularization > 0, data.asksOnce else { return nil }
    return "training.temporal_regularization is of pairs of steps with targets, and this data has "
      + "one target, at the end of each sequence; remove it"
  },
  .data(
    ["training.temporal_regularization", "training.recompute", "model.layers.*.residual"],
    at: "training.temporal_regularization",
    "With `training.recompute`, `training.temporal_regularization` needs a last layer with a state "
      + "that is not residual."
  ) { options, _ in
    guard options.training.objective.temporalRegularization > 0,
      options.training.recompute != .none,
      options.model.layers.last(where: \.hasState)?.residual == true
    else { return nil }
    return
      "training.temporal_regularization compares outputs of the last layer with a state across "
      + "the segments of training.recompute, which are kept for states only, and not for the sum of "
      + "a residual layer; set training.recompute to none, or residual to false"
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
    [
      "training.stride", "model.variational", "model.recurrent", "model.embedding_dropout",
      "model.layers.*.weight_dropout",
    ], at: "training.stride",
    "Windows that overlap (`training.stride`) have no dropout masks of their own."
  ) { options, _ in
    guard options.training.keptSteps > 0, let model = options.model.sequence,
      model.variational || model.recurrent || model.embeddingDropout > 0
        || model.layers.contains(where: { $0.weightDropout > 0 })
    else { return nil }
    return "model.variational, model.recurrent, model.embedding_dropout and weight_dropout need a "
      + "dropout mask for each window, which overlapping windows do not have; set them to false or 0, or "
      + "remove training.stride"
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
