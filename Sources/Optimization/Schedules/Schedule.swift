/// The learning rate over a run: `schedule: {shape: cosine, learning_rate: 0.002, warmup: 200}`.
public struct ScheduleOptions: Codable, Sendable, Equatable {
  /// The peak rate, reached at the end of the warm-up, where the shape begins.
  public var learningRate: Double
  /// The number of steps of linear warm-up; 0 for none.
  public var warmup = 0
  public var shape = Shape.constant
  public var plateau: Plateau.Options?

  private enum CodingKeys: String, CodingKey {
    case warmup, plateau
    case learningRate = "learning_rate"
  }

  public init(
    learningRate: Double, warmup: Int = 0, shape: Shape = .constant,
    plateau: Plateau.Options? = nil
  ) {
    self.learningRate = learningRate
    self.warmup = warmup
    self.shape = shape
    self.plateau = plateau
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    learningRate = try container.require(.learningRate, "a finite number above 0") {
      0 < $0 && $0.isFinite
    }
    warmup = try container.decodeCount(.warmup, or: 0)
    plateau = try container.decodeIfPresent(Plateau.Options.self, forKey: .plateau)
    shape = try Shape(from: decoder)
  }

  public func encode(to encoder: any Encoder) throws {
    try shape.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(learningRate, forKey: .learningRate)
    try container.encode(warmup, forKey: .warmup)
    try container.encodeIfPresent(plateau, forKey: .plateau)
  }
}

/// The error for a schedule that needs the length of the run, which is unknown.
public struct ScheduleError: Error, Equatable, CustomStringConvertible {
  public let description: String
}

/// The learning rate as a function of the step.
///
///     rate = (step + 1)/warmup · η              in the first `warmup` steps
///     rate = shape(step − warmup, epoch)        from then on
///
/// The rate is then multiplied by the factor of the plateau. η is `learning_rate`. Steps count from
/// 0, epochs from 1.
public struct Schedule: Sendable, Equatable {
  public let options: ScheduleOptions
  private var shape: Shape

  /// - Parameters:
  ///   - options: The shape, the warm-up and the other options of the schedule.
  ///   - totalSteps: The length of the run, including warm-up; nil if it is not known beforehand.
  /// - Throws: An error if the shape needs the length of the run and it is unknown.
  public init(_ options: ScheduleOptions, totalSteps: Int?) throws(ScheduleError) {
    let rest = totalSteps.map { max($0 - options.warmup, 1) }
    guard let shape = options.shape.over(steps: rest) else {
      throw ScheduleError(
        description: "the schedule \(options.shape.name) needs its length; write steps under "
          + "schedule, or give the run a number of steps or epochs")
    }
    self.options = options
    self.shape = shape
  }

  /// True if the shape stretches over the length of the run.
  public var followsRun: Bool { options.shape.over(steps: nil) == nil }

  /// Returns the same schedule for a run of another length.
  public func lasting(_ totalSteps: Int) -> Schedule {
    var schedule = self
    schedule.shape = options.shape.over(steps: max(totalSteps - options.warmup, 1)) ?? shape
    return schedule
  }

  /// Returns the learning rate of a step.
  public func rate(step: Int, epoch: Int, plateauFactor: Double = 1) -> Double {
    precondition(step >= 0 && epoch >= 1, "the rate of step \(step) in epoch \(epoch)")
    let peak = options.learningRate, warmup = options.warmup
    if step < warmup { return peak * Double(step + 1) / Double(warmup) * plateauFactor }
    return plateauFactor
      * shape.rate(from: peak, step: step - warmup, epoch: epoch, warmup: warmup)
  }

  /// Records the loss of an evaluation in the plateau's state; does nothing without a plateau.
  public func observe(_ loss: Double, in state: inout Plateau) {
    guard let plateau = options.plateau else { return }
    state.observe(loss, plateau, learningRate: options.learningRate)
  }
}
