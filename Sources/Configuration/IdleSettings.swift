internal import Datasets
internal import Optimization
internal import Recurrence

/// A setting that has no effect in the run for which it is given.
public struct IdleSetting: Equatable, Sendable {
  /// The key in the form that `--set` takes.
  public let key: String
  /// The reason why it has no effect, and what to do.
  public let sentence: String

  init(_ key: String, because reason: String, or remedy: String? = nil) {
    self.key = key
    let remedies = [remedy, "remove it"].compactMap(\.self).joined(separator: ", or ")
    sentence = "\(key) would do nothing, because \(reason); \(remedies)"
  }
}

extension RunOptions {
  /// The settings that differ from their defaults and have no effect.
  ///
  /// A user who gives a setting expects an effect, so a run with such settings is refused. The
  /// options of a checkpoint are not checked: a trained model can be used whatever is refused
  /// today.
  public var idleSettings: [IdleSetting] {
    idleData + idleModel + idleLayers + idleTraining + idleSchedule + idleBesideReadout + idleRest
  }

  private var isText: Bool { data.reader == nil && data.task == nil }
  private var isTree: Bool { data.reader?.view.isTree == true }

  private var isValidated: Bool {
    data.task.map { $0.validSize > 0 } ?? (data.valid != nil && data.valid != .fraction(0))
  }
  private var isTested: Bool {
    data.task.map { $0.testSize > 0 } ?? (data.test != nil && data.test != .fraction(0))
  }
  private var remedyOfValidation: String {
    data.task == nil ? "set data.valid" : "set data.valid_size"
  }

  /// True if the loss is that of a softmax.
  private var predictsSymbols: Bool {
    if let task = data.task { return !task.task.outputs.isEmpty }
    guard let reader = data.reader else { return true }
    switch reader.format {
    case .piano: return false
    case .csv: return reader.columns?.classes != nil
    case .lines, .tags, .labels, .trees, .pairs: return true
    }
  }

  // MARK: Data

  private var idleData: [IdleSetting] {
    var idle: [IdleSetting] = []
    if data.cache != nil, !isText {
      idle.append(
        IdleSetting("data.cache", because: "only running texts are encoded and kept"))
    }
    if let task = data.task, task.testSize == 0,
      (task.task as? Tomita).map({ $0.testLength != Tomita().testLength })
        ?? (task.task as? Parity).map({ $0.testLength != Parity().testLength }) == true
    {
      idle.append(
        IdleSetting(
          "data.test_length", because: "there is nothing to test on", or: "set data.test_size"))
    }
    if let source = data.reader?.source {
      for (key, files, part) in [
        ("valid", source.valid, data.valid), ("test", source.test, data.test),
      ] where files != nil {
        if case .text = part { continue }
        idle.append(
          IdleSetting(
            "data.source.\(key)",
            because: "it belongs to the files in data.\(key), and there are none",
            or: "name them"))
      }
    }
    if let condition = data.reader?.condition {
      for (key, files, part) in [
        ("valid", condition.valid, data.valid), ("test", condition.test, data.test),
      ] where files != nil {
        if case .text = part { continue }
        idle.append(
          IdleSetting(
            "data.condition.\(key)",
            because: "it belongs to the files in data.\(key), and there are none",
            or: "name them"))
      }
    }
    return idle
  }

  // MARK: Training

  private var idleTraining: [IdleSetting] {
    var idle: [IdleSetting] = []
    func refuse(
      _ isGiven: Bool, _ key: String, because reason: String, or remedy: String? = nil
    ) {
      if isGiven { idle.append(IdleSetting("training.\(key)", because: reason, or: remedy)) }
    }
    let text = "a running text is cut into streams"
    refuse(
      training.batchTokens != nil && isText, "batch_tokens", because: text,
      or: "set training.batch_size")
    refuse(!training.isBucketed && isText, "bucket", because: text)
    refuse(
      !training.isBucketed && data.task != nil, "bucket",
      because: "generated examples come in their own order")
    refuse(!training.isBucketed && isTree, "bucket", because: "trees come in their own order")
    refuse(training.givenBptt != nil && isTree, "bptt", because: "trees have no steps")
    refuse(training.recompute != .none && isTree, "recompute", because: "trees have no steps")
    refuse(
      !training.carryState && !isText && training.givenBptt == nil, "carry_state",
      because: "each window is a whole sequence and begins without a state")
    let numbers = "no symbols are predicted"
    refuse(
      training.objective.labelSmoothing > 0 && !predictsSymbols, "label_smoothing",
      because: numbers)
    refuse(training.objective.zLoss > 0 && !predictsSymbols, "z_loss", because: numbers)
    refuse(
      training.scheduledSampling != nil && isTree, "scheduled_sampling",
      because: "trees have no steps")
    refuse(
      training.onNonfinite.policy == .stop
        && training.onNonfinite.limit != NonfiniteOptions().limit,
      "on_nonfinite.limit", because: "no step is skipped",
      or: "set training.on_nonfinite.policy to skip")
    refuse(
      training.earlyStop != nil && !isValidated, "early_stop",
      because: "there is nothing to validate on", or: remedyOfValidation)
    refuse(training.clip == ClipOptions(), "clip", because: "it has no limit", or: "set its norm")
    let options = training.optimizer.options
    refuse(
      options.decay != .all && options.weightDecay == 0, "optimizer.decay",
      because: "there is no weight decay", or: "set training.optimizer.weight_decay")
    if let options = options as? SGD.Options {
      refuse(
        options.dampening > 0 && options.momentum == 0, "optimizer.dampening",
        because: "there is no momentum", or: "set training.optimizer.momentum")
    }
    return idle
  }

  private var idleSchedule: [IdleSetting] {
    guard training.schedule.plateau != nil, !isValidated else { return [] }
    return [
      IdleSetting(
        "training.schedule.plateau", because: "there is nothing to validate on",
        or: remedyOfValidation)
    ]
  }

  /// The settings for gradients, in a run without gradients.
  private var idleBesideReadout: [IdleSetting] {
    guard training.readout != nil else { return [] }
    let usual = TrainingOptions()
    var given: [(isGiven: Bool, key: String)] = [
      (training.optimizer != usual.optimizer, "training.optimizer"),
      (training.schedule != usual.schedule, "training.schedule"),
      (training.clip != nil, "training.clip"),
      (training.lossReduction != usual.lossReduction, "training.loss_reduction"),
      (training.objective.labelSmoothing > 0, "training.label_smoothing"),
      (training.objective.zLoss > 0, "training.z_loss"),
      (training.scheduledSampling != nil, "training.scheduled_sampling"),
      (training.onNonfinite != usual.onNonfinite, "training.on_nonfinite"),
      (training.earlyStop != nil, "training.early_stop"),
      (evaluation.every != EvaluationOptions().every, "evaluation.every"),
      (checkpoint.every != CheckpointOptions().every, "checkpoint.every"),
      (checkpoint.keep != CheckpointOptions().keep, "checkpoint.keep"),
    ]
    if let model = model.sequence {
      given += [
        (model.dropout > 0, "model.dropout"),
        (model.inputDropout ?? 0 > 0, "model.input_dropout"),
        (model.output.initializer != nil, "model.output_initializer"),
        (model.output.biasInitializer != nil, "model.output_bias_initializer"),
        (model.embeddingRate != 1, "model.embedding_rate"),
        (model.output.rate != 1, "model.output_rate"),
      ]
    }
    for (index, layer) in model.layers.enumerated() {
      given += [
        (layer.rate != 1, "model.layers.\(index).rate"),
        (layer.frozen, "model.layers.\(index).frozen"),
        (layer.dropout ?? 0 > 0, "model.layers.\(index).dropout"),
      ]
    }
    return given.filter(\.isGiven).map {
      IdleSetting(
        $0.key, because: "a readout is fitted in one pass, without gradients",
        or: "remove training.readout")
    }
  }

  // MARK: The rest

  private var idleRest: [IdleSetting] {
    var idle: [IdleSetting] = []
    let unvalidated = "there is nothing to validate on"
    let usual = EvaluationOptions(like: training)
    if !isValidated, evaluation.every != usual.every {
      idle.append(IdleSetting("evaluation.every", because: unvalidated, or: remedyOfValidation))
    }
    for (isGiven, key) in [
      (evaluation.batchSize != usual.batchSize, "batch_size"),
      (
        evaluation.batchTokens != nil && evaluation.batchTokens != usual.batchTokens, "batch_tokens"
      ),
      (evaluation.givenBptt != usual.givenBptt, "bptt"),
    ] where isGiven && !isValidated && !isTested {
      idle.append(
        IdleSetting(
          "evaluation.\(key)", because: unvalidated + " or to test on", or: remedyOfValidation))
    }
    if isText, evaluation.batchTokens != nil, evaluation.batchTokens != usual.batchTokens {
      idle.append(
        IdleSetting(
          "evaluation.batch_tokens", because: "a running text is cut into streams",
          or: "set evaluation.batch_size"))
    }
    if isTree, evaluation.givenBptt != usual.givenBptt {
      idle.append(IdleSetting("evaluation.bptt", because: "trees have no steps"))
    }
    if console.every != ConsoleOptions().every, [.none, .bar].contains(console.progress) {
      idle.append(
        IdleSetting(
          "console.every", because: "no lines are written", or: "set console.progress to lines"))
    }
    return idle
  }
}
