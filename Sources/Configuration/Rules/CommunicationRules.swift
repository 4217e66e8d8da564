internal import Datasets
internal import Optimization
internal import Recurrence
internal import Sequences

let communicationRules: [CompatibilityRule] = [
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
    ["communication.node", "communication.shard_optimizer"],
    "`muon` needs whole matrices and shares them out among ranks itself: no "
      + "`communication.node: shared` and no `communication.shard_optimizer`."
  ) { options in
    if options.training.optimizer.updatesSlices { return [] }
    return [
      ("communication.node", options.communication.node == .shared),
      ("communication.shard_optimizer", options.communication.shardOptimizer),
    ].filter(\.1).map {
      RuleViolation(
        idle: $0.0, because: "the optimizer needs whole matrices and shares them out itself",
        or: "choose another optimizer")
    }
  },
  .idle(
    "communication.outer",
    "`schedule_free` moves two sequences of weights, of which outer steps would move one: no "
      + "`communication.outer` beside it.",
    because: "outer steps move the weights, and schedule_free goes on from a second copy of them",
    or: "choose another optimizer"
  ) { $0.training.optimizer.keepsAverage && $0.communication.outer != nil },
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
