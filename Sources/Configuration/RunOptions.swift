public import Datasets
public import Recurrence

/// All options of a run, as a configuration describes them.
///
/// Every key has a default unless it is required. All of them are written into the run's
/// `config.json`.
public struct RunOptions: Codable, Equatable, Sendable {
  /// The name of the run, which is also the name of its folder unless another is given.
  public var name = "run"
  /// The seed of all random numbers of the run.
  public var seed: UInt64 = 1
  public var data: DataOptions
  public var model: ModelOptions
  public var training: TrainingOptions
  public var communication = CommunicationOptions()
  public var checkpoint: CheckpointOptions
  public var evaluation: EvaluationOptions
  public var console: ConsoleOptions
  public var report = ReportOptions()
  public var watchdog = WatchdogOptions()

  enum CodingKeys: String, CodingKey {
    case name, seed, data, model, training, communication, checkpoint, evaluation, console, report
    case watchdog
  }

  /// Makes the options of a run in Swift, with the defaults of a configuration.
  public init(
    name: String = "run", seed: UInt64 = 1, data: DataOptions, model: ModelOptions,
    training: TrainingOptions = TrainingOptions(),
    communication: CommunicationOptions = CommunicationOptions(),
    checkpoint: CheckpointOptions = CheckpointOptions(), evaluation: EvaluationOptions? = nil,
    console: ConsoleOptions = ConsoleOptions()
  ) {
    self.name = name
    self.seed = seed
    self.data = data
    self.model = model
    self.training = training
    self.communication = communication
    self.checkpoint = checkpoint
    self.evaluation = evaluation ?? EvaluationOptions(like: training)
    self.console = console
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    name = try container.decode(.name, default: name)
    seed = try container.decode(.seed, default: seed)
    data = try container.section(.data)
    model = try container.section(.model)
    training = try container.section(.training)
    communication = try container.section(.communication)
    checkpoint = try container.section(.checkpoint)
    evaluation = try container.section(.evaluation, as: EvaluationOptions.self) { [training] in
      try EvaluationOptions(from: $0, like: training)
    }
    console = try container.section(.console)
    report = try container.section(.report)
    watchdog = try container.decode(.watchdog, default: watchdog)
    if let violation = violations(at: .decoding).first {
      throw DecodingError.dataCorruptedError(
        forKey: CodingKeys(stringValue: violation.key) ?? .model, in: container,
        debugDescription: violation.sentence)
    }
    try container.require(
      !name.isEmpty && !name.contains("/") && !name.hasPrefix("."), .name,
      "name becomes the name of a folder; write it without a slash or a leading point")
  }
}

extension RunOptions {
  /// The communication of this run: ranks share no memory if the optimizer cannot update a slice of the
  /// weights.
  package var exchange: CommunicationOptions {
    var exchange = communication
    if !training.optimizer.updatesSlices { exchange.node = .separate }
    return exchange
  }

  /// Returns the number of micro-batches of each rank.
  /// - Throws: `UsageError` if the ranks cannot share the parts of a reproducible run evenly.
  package func microBatches(ranks: Int) throws(UsageError) -> Int {
    guard let parts = communication.reproducible else { return training.accumulate }
    guard parts.isMultiple(of: ranks) else {
      throw UsageError(
        "communication.reproducible cuts each batch into \(parts) parts, which \(ranks) ranks cannot "
          + "share: start 1, 2, 4 … \(parts) ranks, or remove it")
    }
    return parts / ranks
  }

  /// Returns the number of parts of each rank in an evaluation, whose scores are added in a tree.
  package func evaluationParts(ranks: Int) throws(UsageError) -> Int {
    communication.reproducible == nil ? 1 : try microBatches(ranks: ranks)
  }
}
