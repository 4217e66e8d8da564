internal import Collectives

/// Requests to stop that all ranks hear at once while each is at work of its own, such as its part of a
/// validation text.
///
/// Every so often all ranks meet and tell each other who was asked to stop and who is still at work. A
/// rank that is done goes on meeting the others until all are, so that every rank takes part in every
/// meeting, however much it has to do. Nothing that is computed depends on when they meet.
struct StopVotes {
  private let world: any Communicator
  private let isAsked: () -> Bool
  private let interval: Duration
  private let clock = ContinuousClock()
  private var met: ContinuousClock.Instant

  /// - Parameters:
  ///   - interval: the time from one meeting to the next.
  ///   - isAsked: whether somebody wants this rank to stop.
  init(
    of world: any Communicator, every interval: Duration = .milliseconds(500),
    isAsked: @escaping () -> Bool
  ) {
    self.world = world
    self.interval = interval
    self.isAsked = isAsked
    met = clock.now
  }

  /// Meets the other ranks if it is time, in the middle of this rank's work.
  /// - Returns: whether a rank was asked to stop, so that all leave their work as it is.
  mutating func endWork() throws(CommunicationError) -> Bool {
    guard clock.now - met >= interval else { return false }
    return try meet(isWorking: true).asked
  }

  /// Meets the other ranks until all are done with their work.
  /// - Returns: whether a rank was asked to stop before.
  mutating func finish() throws(CommunicationError) -> Bool {
    while true {
      let (asked, isWorking) = try meet(isWorking: false)
      if !isWorking { return false }
      if asked { return true }
    }
  }

  private mutating func meet(
    isWorking: Bool
  ) throws(CommunicationError) -> (asked: Bool, isWorking: Bool) {
    var votes: [Int32] = [isAsked() ? 1 : 0, isWorking ? 1 : 0]
    try world.max(&votes)
    met = clock.now
    return (votes[0] > 0, votes[1] > 0)
  }
}
