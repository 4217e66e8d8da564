package import Collectives

/// Votes by which all ranks learn of a request to stop at the same time while each works on its
/// own, such as on its part of the validation data.
///
/// From time to time all ranks take part in a vote: who was asked to stop, and who is still
/// working. A rank that has finished takes part in further votes until all have finished, so that
/// every rank takes part in every vote. No computed result depends on the times of the votes.
package struct StopVotes {
  private let world: any Communicator
  private let isAsked: () -> Bool
  private let interval: Duration
  private let clock = ContinuousClock()
  private var met: ContinuousClock.Instant

  /// - Parameters:
  ///   - interval: The time from one vote to the next.
  ///   - isAsked: Returns true if this rank was asked to stop.
  package init(
    of world: any Communicator, every interval: Duration = .milliseconds(500),
    isAsked: @escaping () -> Bool
  ) {
    self.world = world
    self.interval = interval
    self.isAsked = isAsked
    met = clock.now
  }

  /// Takes part in a vote if it is time, in the middle of this rank's work.
  /// - Returns: True if any rank was asked to stop, so that all ranks abandon their work.
  mutating func endWork() throws(CommunicationError) -> Bool {
    guard clock.now - met >= interval else { return false }
    return try meet(isWorking: true).asked
  }

  /// Takes part in votes until all ranks have finished their work.
  /// - Returns: True if any rank was asked to stop before.
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
