public import Configuration
internal import Foundation

/// The time by which a run must have ended, as a batch system would end it.
///
/// The run stops a margin before: a minute, or a twentieth of a shorter time, and twice the time of the longest
/// checkpoint so far. Before the first checkpoint its time is estimated from its size at 50 MB/s.
public struct TimeLimit: Equatable, Sendable {
  /// The end, in seconds since 1970.
  let end: Double
  /// The seconds from the start of the process to the end.
  private let seconds: Double
  /// The origin of the limit, in words for messages.
  private let source: String

  /// The environment variable in which SLURM tells the end of a job, in seconds since 1970.
  package static let slurmVariable = "SLURM_JOB_END_TIME"
  /// The bytes per second of a checkpoint, before one was measured.
  private static let assumedSpeed = 50e6

  /// Makes a limit from now on.
  /// - Throws: `UsageError` if the text is no time.
  public init(option text: String, now: Double = TimeLimit.now) throws(UsageError) {
    guard case .seconds(let seconds) = Interval(text) else {
      throw UsageError("--time-limit is a time such as 90s, 30m or 24h, found '\(text)'")
    }
    self.init(end: now + Double(seconds), now: now, source: "--time-limit \(text)")
  }

  /// Returns the limit of the batch job that this process belongs to, by its environment; nil if there is none,
  /// or if it has passed, as in a shell that outlived its job.
  public static func ofJob(
    _ environment: [String: String]? = nil, now: Double = TimeLimit.now
  ) -> TimeLimit? {
    let environment = environment ?? ProcessInfo.processInfo.environment
    guard let end = environment[slurmVariable].flatMap(Double.init), end > now, end.isFinite else {
      return nil
    }
    return TimeLimit(end: end, now: now, source: "the job's \(slurmVariable)")
  }

  private init(end: Double, now: Double, source: String) {
    (self.end, self.source) = (end, source)
    seconds = end - now
  }

  /// The seconds since 1970.
  public static var now: Double { Date().timeIntervalSince1970 }

  /// Returns the seconds before the end at which the run stops.
  package func margin(checkpointSeconds: Double?, checkpointBytes: Double) -> Double {
    // At most half of the time: a run that stops after its first step would be started again for ever.
    min(
      min(60, seconds / 20) + 2 * (checkpointSeconds ?? checkpointBytes / Self.assumedSpeed),
      seconds / 2)
  }

  func isNear(checkpointSeconds: Double?, of space: CheckpointSpace) -> Bool {
    Self.now
      >= end - margin(checkpointSeconds: checkpointSeconds, checkpointBytes: space.ofCheckpoint)
  }

  /// A sentence for the start of a run.
  var announcement: String {
    let minutes = Int((end - Self.now) / 60)
    let time = minutes >= 1 ? "\(minutes) min" : "\(max(0, Int(end - Self.now))) s"
    return "The run is saved and stops before its time ends in \(time) (\(source))."
  }
}
