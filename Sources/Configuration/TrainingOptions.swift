internal import Datasets
public import LinearAlgebra
public import Optimization
public import Recurrence

/// The section `training` of a configuration.
public struct TrainingOptions: Codable, Equatable, Sendable {
  /// The number of parallel streams, or of sequences in a batch, over all ranks.
  public var batchSize = 20
  /// The number of time steps per window; nil for 35 steps of a text, or whole sequences.
  public var givenBptt: Int?
  /// The number of new steps in each window of a text; nil for all of them.
  public var givenStride: Int?
  /// The most steps in a batch of sequences over all ranks, including padding, in place of
  /// `batchSize`.
  public var batchTokens: Int?
  /// The number of micro-batches of each rank, whose gradients are added before an update.
  public var accumulate = 1
  /// The batch that grows over the first steps; nil for one size.
  public var ramp: BatchRamp?
  /// The random lengths of windows of a text; nil for windows of `bptt` steps.
  public var randomWindows: RandomWindows?
  /// True if batches consist of sequences of similar lengths.
  public var isBucketed = true
  /// The length of training.
  public var length = Length.epochs(10)
  /// The optimizer and its options.
  public var optimizer = OptimizerConfiguration(Adam.self)
  /// The learning rate over the run.
  public var schedule = ScheduleOptions(learningRate: 0.001)
  /// The limits of gradient clipping; nil for none.
  public var clip: ClipOptions?
  /// The running average of the weights, which is evaluated in their place; nil for none.
  public var average: WeightAverage.Options?
  /// The parameters with a learning rate or a weight decay of their own.
  public var groups: [ParameterGroup] = []
  /// The activation checkpointing of windows.
  public var recompute = Recomputation.none
  /// The divisor of the summed loss, whose gradient is computed.
  public var lossReduction = LossReduction.mean
  /// The terms that training adds to the cross-entropy: `label_smoothing` and `z_loss`.
  public var objective = TrainingObjective()
  /// The options of scheduled sampling; nil for teacher forcing only.
  public var scheduledSampling: ScheduledSamplingOptions?
  /// The number format of the operands in products with parameters.
  public var precision = Precision.float32
  /// The reaction to a loss or gradient norm that is not finite.
  public var onNonfinite = NonfiniteOptions()
  /// The reaction to a loss far above those of the steps before; nil for none.
  public var onSpike: SpikeOptions?
  /// True if the hidden state is carried from window to window within an epoch.
  public var carryState = true
  /// The options of early stopping; nil trains for the whole length.
  public var earlyStop: EarlyStopping.Options?
  /// The options of a readout, an output layer fitted in one pass without gradients; nil for
  /// training by gradients.
  public var readout: ReadoutOptions?

  enum CodingKeys: String, CodingKey {
    case batchSize = "batch_size"
    case batchTokens = "batch_tokens"
    case isBucketed = "bucket"
    case accumulate, ramp, readout, recompute, bptt, stride, epochs, steps, tokens, optimizer,
      schedule, clip, average, groups
    case lossReduction = "loss_reduction"
    case labelSmoothing = "label_smoothing"
    case zLoss = "z_loss"
    case activationRegularization = "activation_regularization"
    case temporalRegularization = "temporal_regularization"
    case randomWindows = "random_bptt"
    case scheduledSampling = "scheduled_sampling"
    case precision
    case onNonfinite = "on_nonfinite"
    case onSpike = "on_spike"
    case carryState = "carry_state"
    case earlyStop = "early_stop"
  }

  public init() {}

  // Long because every key has its lines.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    batchSize = try container.decode(.batchSize, default: batchSize, from: 1...largestCount)
    givenBptt = try container.decode(.bptt, from: 1...largestCount)
    givenStride = try container.decode(.stride, from: 1...largestCount)
    batchTokens = try container.decode(.batchTokens, from: 1...largestCount)
    accumulate = try container.decode(.accumulate, default: accumulate, from: 1...largestCount)
    ramp = try container.decodeIfPresent(BatchRamp.self, forKey: .ramp)
    randomWindows = try container.decodeIfPresent(RandomWindows.self, forKey: .randomWindows)
    isBucketed = try container.decode(.isBucketed, default: isBucketed)
    recompute = try container.decode(.recompute, default: recompute)
    optimizer = try container.decode(.optimizer, default: optimizer)
    schedule = try container.decode(.schedule, default: schedule)
    clip = try container.decodeIfPresent(ClipOptions.self, forKey: .clip)
    average = try container.decodeIfPresent(WeightAverage.Options.self, forKey: .average)
    groups = try container.decode(.groups, default: groups)
    lossReduction = try container.decode(.lossReduction, default: lossReduction)
    objective.labelSmoothing = try container.decode(.labelSmoothing, default: 0)
    objective.zLoss = try container.decode(.zLoss, default: 0)
    objective.activationRegularization = try container.decode(
      .activationRegularization, default: 0)
    objective.temporalRegularization = try container.decode(.temporalRegularization, default: 0)
    scheduledSampling = try container.decodeIfPresent(
      ScheduledSamplingOptions.self, forKey: .scheduledSampling)
    precision = try container.decode(.precision, default: precision)
    onNonfinite = try container.decode(.onNonfinite, default: onNonfinite)
    onSpike = try container.decodeIfPresent(SpikeOptions.self, forKey: .onSpike)
    carryState = try container.decode(.carryState, default: carryState)
    earlyStop = try container.decodeIfPresent(EarlyStopping.Options.self, forKey: .earlyStop)

    readout = try container.decodeIfPresent(ReadoutOptions.self, forKey: .readout)
    if let given = try Length(from: container) { length = given }
    if readout != nil {
      try container.require(
        length == .epochs(1) || length == TrainingOptions().length, try Length.key(in: container),
        "a readout is fitted in one pass; remove epochs, steps and tokens")
      try container.require(
        average == nil && recompute == .none, average == nil ? .recompute : .average,
        "a readout is fitted without gradients; remove average and recompute")
      length = .epochs(1)
    }
    try container.require(
      givenStride ?? 1 <= bptt, .stride,
      "stride is the number of new steps in a window of \(bptt) (bptt): set it to at most that")
    try container.require(
      keptSteps == 0 || recompute == .none, .stride,
      "overlapping windows keep their activations: remove stride, or set recompute to none")
    try container.require(
      keptSteps == 0 || carryState, .stride,
      "overlapping windows carry their state: remove stride, or set carry_state to true")
    try container.require(
      keptSteps == 0 || scheduledSampling == nil, .stride,
      "overlapping windows keep their inputs: remove stride or scheduled_sampling")
    if let ramp {
      let (size, key) = ramp.of == .streams ? (batchSize, "batch_size") : (bptt, "bptt")
      try container.require(
        ramp.from < size, .ramp,
        "ramp grows up to \(size) (\(key)): set from to less, or remove ramp")
      try container.require(
        keptSteps == 0, .ramp, "ramp is for windows that do not overlap: remove ramp or stride")
    }
    if let randomWindows {
      try container.require(
        randomWindows.shortest <= bptt, .randomWindows,
        "random_bptt varies windows of \(bptt) steps (bptt): set shortest to at most that")
      try container.require(
        ramp == nil, .randomWindows,
        "random_bptt and ramp both choose the windows of a step: remove one of them")
      try container.require(
        keptSteps == 0, .randomWindows,
        "random_bptt is for windows that do not overlap: remove random_bptt or stride")
    }
    for (weight, key) in [
      (objective.activationRegularization, CodingKeys.activationRegularization),
      (objective.temporalRegularization, .temporalRegularization),
    ] {
      try container.require(
        weight >= 0 && weight.isFinite, key, "\(key.rawValue) must be at least 0")
    }
    try container.require(
      (0..<1).contains(objective.labelSmoothing), .labelSmoothing,
      "label_smoothing must be at least 0 and below 1")
    try container.require(
      objective.zLoss >= 0 && objective.zLoss.isFinite, .zLoss, "z_loss must be at least 0")
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(batchSize, forKey: .batchSize)
    try container.encodeIfPresent(givenBptt, forKey: .bptt)
    try container.encodeIfPresent(givenStride, forKey: .stride)
    try container.encodeIfPresent(batchTokens, forKey: .batchTokens)
    try container.encode(accumulate, forKey: .accumulate)
    try container.encodeIfPresent(ramp, forKey: .ramp)
    try container.encodeIfPresent(randomWindows, forKey: .randomWindows)
    try container.encode(isBucketed, forKey: .isBucketed)
    switch length {
    case .epochs(let epochs):
      // Whole numbers are written as such.
      if let whole = Int(exactly: epochs) {
        try container.encode(whole, forKey: .epochs)
      } else {
        try container.encode(epochs, forKey: .epochs)
      }
    case .steps(let steps): try container.encode(steps, forKey: .steps)
    case .tokens(let tokens): try container.encode(tokens, forKey: .tokens)
    }
    try container.encode(recompute, forKey: .recompute)
    try container.encode(optimizer, forKey: .optimizer)
    try container.encode(schedule, forKey: .schedule)
    try container.encodeIfPresent(clip, forKey: .clip)
    try container.encodeIfPresent(average, forKey: .average)
    if !groups.isEmpty { try container.encode(groups, forKey: .groups) }
    try container.encode(lossReduction, forKey: .lossReduction)
    try container.encode(objective.labelSmoothing, forKey: .labelSmoothing)
    try container.encode(objective.zLoss, forKey: .zLoss)
    try container.encode(
      objective.activationRegularization, forKey: .activationRegularization)
    try container.encode(objective.temporalRegularization, forKey: .temporalRegularization)
    try container.encodeIfPresent(scheduledSampling, forKey: .scheduledSampling)
    try container.encode(precision, forKey: .precision)
    try container.encode(onNonfinite, forKey: .onNonfinite)
    try container.encodeIfPresent(onSpike, forKey: .onSpike)
    try container.encode(carryState, forKey: .carryState)
    try container.encode(earlyStop, forKey: .earlyStop)
    try container.encodeIfPresent(readout, forKey: .readout)
  }
}

extension TrainingOptions {
  /// The number of time steps per window of a text.
  public var bptt: Int {
    get { givenBptt ?? LoaderRequest.textSteps }
    set { givenBptt = newValue }
  }

  /// True if the model is evaluated with an average of its weights.
  public var isAveraged: Bool { average != nil || optimizer.keepsAverage }

  /// The most steps of a window of a text.
  package var mostSteps: Int { randomWindows?.most(bptt: bptt) ?? bptt }

  /// The number of steps that a window of a text shares with the one before.
  public var keptSteps: Int { bptt - (givenStride ?? bptt) }

  /// The divisor of the summed loss of a window, whose gradient is computed.
  public enum LossReduction: String, Codable, CaseIterable, Sendable {
    /// The number of targets.
    case mean
    /// The number of streams only: a sum over time (Zaremba, Sutskever & Vinyals, 2014).
    case sumOverTime = "sum_over_time"
  }
}
