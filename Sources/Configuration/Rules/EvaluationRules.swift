internal import Datasets
internal import Optimization
internal import Recurrence
internal import Sequences

let evaluationRules: [CompatibilityRule] = [
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
