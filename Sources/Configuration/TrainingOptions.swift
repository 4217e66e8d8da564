internal import Datasets
public import LinearAlgebra
public import Optimization
public import Recurrence

/// How long and in what portions a model is trained: the section `training` of a configuration.
public struct TrainingOptions: Codable, Equatable, Sendable {
  /// Parallel streams, or sequences of a batch, over all ranks.
  public var batchSize = 20
  /// Time steps per window; nil for 35 of a text, and for whole sequences.
  public var givenBptt: Int?
  /// The new steps of each window of a text; nil for all of them.
  public var givenStride: Int?
  /// The most steps of a batch of sequences over all ranks, padding included, in place of
  /// `batchSize`.
  public var batchTokens: Int?
  /// Whether sequences of like lengths come together.
  public var isBucketed = true
  /// When training is complete.
  public var length = Length.epochs(10)
  /// The rule that changes the weights, and its options.
  public var optimizer = OptimizerConfiguration(Adam.self)
  /// The learning rate over the run.
  public var schedule = ScheduleOptions(learningRate: 0.001)
  /// How the gradient is kept from growing too large; nil leaves it as it is.
  public var clip: ClipOptions?
  /// A running average of the weights, evaluated in their place; nil for none.
  public var average: WeightAverage.Options?
  /// How much of a window is kept from the way there for the way back.
  public var recompute = Recomputation.none
  /// What the sum of the losses is divided by before it is differentiated.
  public var lossReduction = LossReduction.mean
  /// What is differentiated in place of the plain cross-entropy: `label_smoothing` and `z_loss`.
  public var objective = TrainingObjective()
  /// The part of steps fed with the model's own predictions; nil feeds targets alone.
  public var scheduledSampling: ScheduledSamplingOptions?
  /// The number format of the products with parameters.
  public var precision = Precision.float32
  /// What happens when the loss or the norm of the gradient is not a finite number.
  public var onNonfinite = NonfiniteOptions()
  /// Whether hidden state passes from one window to the next within an epoch.
  public var carryState = true
  /// When to give up improving; nil trains for the whole length.
  public var earlyStop: EarlyStopping.Options?
  /// How the output layer is fitted in one pass, in place of any learning by gradients; nil for
  /// that.
  public var readout: ReadoutOptions?

  enum CodingKeys: String, CodingKey {
    case batchSize = "batch_size"
    case batchTokens = "batch_tokens"
    case isBucketed = "bucket"
    case readout, recompute, bptt, stride, epochs, steps, optimizer, schedule, clip, average
    case lossReduction = "loss_reduction"
    case labelSmoothing = "label_smoothing"
    case zLoss = "z_loss"
    case scheduledSampling = "scheduled_sampling"
    case precision
    case onNonfinite = "on_nonfinite"
    case carryState = "carry_state"
    case earlyStop = "early_stop"
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    batchSize = try container.decode(.batchSize, default: batchSize, from: 1...largestCount)
    givenBptt = try container.decode(.bptt, from: 1...largestCount)
    givenStride = try container.decode(.stride, from: 1...largestCount)
    batchTokens = try container.decode(.batchTokens, from: 1...largestCount)
    isBucketed = try container.decode(.isBucketed, default: isBucketed)
    recompute = try container.decode(.recompute, default: recompute)
    optimizer = try container.decode(.optimizer, default: optimizer)
    schedule = try container.decode(.schedule, default: schedule)
    clip = try container.decodeIfPresent(ClipOptions.self, forKey: .clip)
    average = try container.decodeIfPresent(WeightAverage.Options.self, forKey: .average)
    lossReduction = try container.decode(.lossReduction, default: lossReduction)
    objective.labelSmoothing = try container.decode(.labelSmoothing, default: 0)
    objective.zLoss = try container.decode(.zLoss, default: 0)
    scheduledSampling = try container.decodeIfPresent(
      ScheduledSamplingOptions.self, forKey: .scheduledSampling)
    precision = try container.decode(.precision, default: precision)
    onNonfinite = try container.decode(.onNonfinite, default: onNonfinite)
    carryState = try container.decode(.carryState, default: carryState)
    earlyStop = try container.decodeIfPresent(EarlyStopping.Options.self, forKey: .earlyStop)

    readout = try container.decodeIfPresent(ReadoutOptions.self, forKey: .readout)
    let epochs: Int? = try container.decode(.epochs, from: 1...largestCount)
    let steps: Int? = try container.decode(.steps, from: 1...largestCount)
    switch (epochs, steps) {
    case (nil, nil): break
    case (let epochs?, nil): length = .epochs(epochs)
    case (nil, let steps?): length = .steps(steps)
    case (_?, _?):
      throw DecodingError.dataCorruptedError(
        forKey: .steps, in: container,
        debugDescription: "training takes epochs or steps, not both; set one of them to null")
    }
    if readout != nil {
      try container.require(
        epochs ?? 1 == 1 && steps == nil, epochs == nil ? .steps : .epochs,
        "a readout is fitted in one pass; remove epochs and steps")
      try container.require(
        average == nil && recompute == .none, average == nil ? .recompute : .average,
        "a readout is fitted without gradients; remove average and recompute")
      length = .epochs(1)
    }
    try container.require(
      givenStride ?? 1 <= bptt, .stride,
      "stride is the part of bptt (\(bptt)) that is new: at most as many steps")
    try container.require(
      keptSteps == 0 || recompute == .none, .stride,
      "windows that overlap keep what was computed: remove stride, or set recompute to none")
    try container.require(
      keptSteps == 0 || carryState, .stride,
      "windows that overlap carry their state: remove stride, or set carry_state to true")
    try container.require(
      keptSteps == 0 || scheduledSampling == nil, .stride,
      "windows that overlap keep what was read: remove stride or scheduled_sampling")
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
    try container.encode(isBucketed, forKey: .isBucketed)
    switch length {
    case .epochs(let epochs): try container.encode(epochs, forKey: .epochs)
    case .steps(let steps): try container.encode(steps, forKey: .steps)
    }
    try container.encode(recompute, forKey: .recompute)
    try container.encode(optimizer, forKey: .optimizer)
    try container.encode(schedule, forKey: .schedule)
    try container.encodeIfPresent(clip, forKey: .clip)
    try container.encodeIfPresent(average, forKey: .average)
    try container.encode(lossReduction, forKey: .lossReduction)
    try container.encode(objective.labelSmoothing, forKey: .labelSmoothing)
    try container.encode(objective.zLoss, forKey: .zLoss)
    try container.encodeIfPresent(scheduledSampling, forKey: .scheduledSampling)
    try container.encode(precision, forKey: .precision)
    try container.encode(onNonfinite, forKey: .onNonfinite)
    try container.encode(carryState, forKey: .carryState)
    try container.encode(earlyStop, forKey: .earlyStop)
    try container.encodeIfPresent(readout, forKey: .readout)
  }
}

extension TrainingOptions {
  /// Time steps per window of a text.
  public var bptt: Int {
    get { givenBptt ?? LoaderRequest.textSteps }
    set { givenBptt = newValue }
  }

  /// How many steps a window of a text has in common with the one before.
  public var keptSteps: Int { bptt - (givenStride ?? bptt) }

  /// Why windows of a model cannot overlap, if there is a reason.
  package func incompatibility(
    with model: ModelOptions, isText: Bool, evaluation: EvaluationOptions
  ) -> String? {
    if givenStride != nil, !isText {
      return
        "training.stride is for windows of a running text, and this data is sequences; remove it"
    }
    let needsAllSteps =
      model.layers.contains(where: { $0.bidirectional != nil }) || model.encoder != nil
    if recompute != .none, needsAllSteps {
      return "steps are computed again in segments, and a bidirectional layer or an encoder needs "
        + "all of them at once; set training.recompute to none"
    }
    if givenBptt != nil || evaluation.givenBptt != nil, !isText, needsAllSteps {
      return "a bidirectional layer or an encoder reads whole sequences; remove training.bptt and "
        + "evaluation.bptt"
    }
    guard keptSteps > 0 else { return nil }
    if model.variational || model.recurrent {
      return "windows that overlap have no masks of their own, which model.variational and "
        + "model.recurrent make; set them to false, or remove training.stride"
    }
    if model.layers.contains(where: { $0.bidirectional != nil }) {
      return
        "windows that overlap are read in one direction; remove bidirectional or training.stride"
    }
    return nil
  }

  /// How long a model is trained.
  public enum Length: Equatable, Sendable {
    /// Passes over the training data.
    case epochs(Int)
    /// Updates of the weights.
    case steps(Int)
  }

  /// What the sum of the losses of a window is divided by before it is differentiated.
  public enum LossReduction: String, Codable, CaseIterable, Sendable {
    /// By the number of targets.
    case mean
    /// By the number of streams only: a sum over time (Zaremba, Sutskever & Vinyals, 2014).
    case sumOverTime = "sum_over_time"
  }
}

/// What happens when the loss or the norm of the gradient is not a finite number: `on_nonfinite`.
///
/// Written as one word, `skip` or `stop`, or as `{policy: skip, limit: 10}`.
public struct NonfiniteOptions: Codable, Equatable, Sendable {
  public enum Policy: String, Codable, CaseIterable, Sendable {
    /// Leave the weights, put the streams' states back, and go on with the next window.
    case skip
    /// End the run as diverged.
    case stop
  }

  public var policy = Policy.stop
  /// More skipped steps in a row than this turn `skip` into `stop`.
  public var limit = 10

  enum CodingKeys: String, CodingKey {
    case policy, limit
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    if let word = try? decoder.singleValueContainer().decode(String.self) {
      guard let policy = Policy(rawValue: word) else {
        throw DecodingError.dataCorrupted(
          .init(
            codingPath: decoder.codingPath,
            debugDescription: "on_nonfinite is skip or stop, found \"\(word)\"; choose one"))
      }
      self.policy = policy
      return
    }
    let container = try decoder.container(keyedBy: CodingKeys.self)
    policy = try container.decode(.policy, default: policy)
    limit = try container.decode(.limit, default: limit, atLeast: 1)
  }
}
