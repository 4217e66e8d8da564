public import Optimization
public import Recurrence

/// The options of scheduled sampling: the probability of feeding predictions in place of targets,
/// and the way to choose predictions: `scheduled_sampling: {choice: greedy, from: 1, to: 0.5,
/// steps: 2000}`.
public struct ScheduledSamplingOptions: Codable, Equatable, Sendable {
  /// The way to choose predictions; nil samples symbols and labels, and feeds numbers as predicted.
  public var choice: ScheduledSampling.Choice?
  /// The probability of feeding the target.
  public var schedule: TargetSchedule

  /// The message about a run in which no step reads a prediction.
  package static let uselessness =
    "training.scheduled_sampling would do nothing, because no step of this model reads the target of "
    + "the step before; give a layer feedback: target, or remove it"

  enum CodingKeys: String, CodingKey { case choice }

  public init(choice: ScheduledSampling.Choice? = nil, schedule: TargetSchedule) {
    (self.choice, self.schedule) = (choice, schedule)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    choice = try container.decodeIfPresent(ScheduledSampling.Choice.self, forKey: .choice)
    schedule = try TargetSchedule(from: decoder)
  }

  public func encode(to encoder: any Encoder) throws {
    try schedule.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encodeIfPresent(choice, forKey: .choice)
  }
}
