internal import Datasets

/// The section `evaluation`: when and how the model is evaluated on the validation data.
public struct EvaluationOptions: Codable, Equatable, Sendable {
  /// The number of steps between evaluations, or the end of each epoch.
  public var every = Interval.epoch
  /// The number of parallel streams over all ranks; by default as in training.
  public var batchSize: Int
  /// The most steps in a batch of sequences over all ranks, including padding, in place of
  /// `batchSize`; by default as in training, unless a batch size is set.
  public var batchTokens: Int?
  /// The number of time steps per window; by default as in training.
  public var givenBptt: Int?
  /// The texts that the model writes while it is trained; nil for none.
  public var sample: SampleOptions?

  enum CodingKeys: String, CodingKey {
    case every
    case batchSize = "batch_size"
    case batchTokens = "batch_tokens"
    case bptt, sample
  }

  public init(like training: TrainingOptions = TrainingOptions()) {
    batchSize = training.batchSize
    batchTokens = training.batchTokens
    givenBptt = training.givenBptt
  }

  public init(from decoder: any Decoder) throws {
    try self.init(from: decoder, like: TrainingOptions())
  }

  /// Decodes the section; missing keys take the values of training.
  public init(from decoder: any Decoder, like training: TrainingOptions) throws {
    self.init(like: training)
    let container = try decoder.container(keyedBy: CodingKeys.self)
    every = try container.decode(.every, default: every)
    batchSize = try container.decode(.batchSize, default: batchSize, from: 1...largestCount)
    if container.contains(.batchTokens) || container.contains(.batchSize) {
      batchTokens = try container.decode(.batchTokens, from: 1...largestCount)
    }
    givenBptt = try container.decode(.bptt, from: 1...largestCount) ?? givenBptt
    sample = try container.decodeIfPresent(SampleOptions.self, forKey: .sample)
    if case .seconds = every {
      throw DecodingError.dataCorruptedError(
        forKey: .every, in: container,
        debugDescription: "evaluation.every is a number of steps or epoch, so that runs can be"
          + " compared; write one of these")
    }
  }
}

extension EvaluationOptions {
  /// The number of time steps per window of a text.
  public var bptt: Int {
    get { givenBptt ?? LoaderRequest.textSteps }
    set { givenBptt = newValue }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(every, forKey: .every)
    try container.encode(batchSize, forKey: .batchSize)
    try container.encodeIfPresent(batchTokens, forKey: .batchTokens)
    try container.encodeIfPresent(givenBptt, forKey: .bptt)
    try container.encodeIfPresent(sample, forKey: .sample)
  }
}
