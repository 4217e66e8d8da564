internal import Datasets
internal import Optimization
internal import Recurrence
internal import Sequences

let evaluationRules: [CompatibilityRule] = [
  .idle(
    ["evaluation.every", "data.valid", "data.valid_size"],
    "`evaluation.every` needs validation data, or samples at these times."
  ) { options in
    let usual = EvaluationOptions(like: options.training)
    let times = options.evaluation
    guard times.every != usual.every else { return [] }
    if let sample = times.sample, sample.every == nil { return [] }
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
    "evaluation.sample",
    "`evaluation.sample` needs a model that predicts the symbols that it reads, or decodes sources of "
      + "symbols.", because: "the model writes no text"
  ) { $0.evaluation.sample != nil && $0.generation == .none },
  .idle(
    ["evaluation.sample.sources"], "A model with an encoder decodes `evaluation.sample.sources`."
  ) { options in
    guard let sample = options.evaluation.sample else { return [] }
    if options.generation == .outputs, sample.sources.isEmpty {
      return [
        RuleViolation(
          idle: "evaluation.sample", because: "there are no sources to decode",
          or: "set evaluation.sample.sources to a list of lines")
      ]
    }
    guard options.generation == .continuations, !sample.sources.isEmpty else { return [] }
    return [
      RuleViolation(
        idle: "evaluation.sample.sources", because: "the model has no encoder",
        or: "set evaluation.sample.prompt")
    ]
  },
  .idle(
    [
      "evaluation.sample.prompt", "evaluation.sample.length", "evaluation.sample.temperature",
      "evaluation.sample.top_k", "evaluation.sample.top_p",
    ],
    "A model with an encoder decodes by beam search, without a prompt and the settings of sampling."
  ) { options in
    guard let sample = options.evaluation.sample, options.generation == .outputs else { return [] }
    let usual = SampleOptions()
    let given: [(isGiven: Bool, key: String)] = [
      (sample.prompt != usual.prompt, "prompt"), (sample.length != usual.length, "length"),
      (sample.temperature != usual.temperature, "temperature"), (sample.topK != nil, "top_k"),
      (sample.topP != usual.topP, "top_p"),
    ]
    return given.filter(\.isGiven).map {
      RuleViolation(
        idle: "evaluation.sample.\($0.key)", because: "sources are decoded by beam search")
    }
  },
  .idle(
    ["evaluation.sample.condition"], "`evaluation.sample.condition` needs data with conditions."
  ) { options in
    guard let sample = options.evaluation.sample, !sample.condition.isEmpty,
      options.generation != .none, !options.isConditioned
    else { return [] }
    return [
      RuleViolation(
        idle: "evaluation.sample.condition", because: "sequences have no condition")
    ]
  },
  .idle(
    ["evaluation.sample.top_k", "evaluation.sample.top_p"],
    "The likeliest symbol is taken at temperature 0."
  ) { options in
    guard let sample = options.evaluation.sample, sample.temperature == 0,
      options.generation == .continuations
    else { return [] }
    let given = [(sample.topK != nil, "top_k"), (sample.topP != 1, "top_p")]
    return given.filter(\.0).map {
      RuleViolation(
        idle: "evaluation.sample.\($0.1)", because: "temperature 0 takes the likeliest symbol",
        or: "set evaluation.sample.temperature")
    }
  },
  .idle(
    "console.every", "`console.every` needs a progress of lines.", because: "no lines are written",
    or: "set console.progress to lines"
  ) { $0.console.every != ConsoleOptions().every && [.none, .bar].contains($0.console.progress) },
]
