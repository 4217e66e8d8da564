/// The message by which a rank tells the root that it lives, and by which the root answers.
package struct Heartbeat: Equatable, Sendable {
  /// The number of the job, so that messages of others are ignored.
  var job: UInt64
  var rank: Int
  /// The seconds since the rank last advanced.
  var idle: Double
  var state: RankActivity.State

  package static let size = 48

  package init(job: UInt64, rank: Int, idle: Double, state: RankActivity.State) {
    (self.job, self.rank, self.idle, self.state) = (job, rank, idle, state)
  }

  /// Reads a message; nil if it is none.
  package init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.size, let phase = RankActivity.Phase(rawValue: bytes[41]) else {
      return nil
    }
    func number(_ offset: Int) -> UInt64 {
      (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << (8 * $1) }
    }
    let idle = Double(bitPattern: number(16))
    guard idle.isFinite, let rank = Int(exactly: number(8)), let step = Int(exactly: number(32))
    else { return nil }
    (job, self.rank, self.idle) = (number(0), rank, idle)
    state = RankActivity.State(
      count: number(24), isWaiting: bytes[40] != 0, phase: phase, step: step)
  }

  package var bytes: [UInt8] {
    var bytes: [UInt8] = []
    for number in [job, UInt64(rank), idle.bitPattern, state.count, UInt64(state.step)] {
      bytes += (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }
    bytes += [state.isWaiting ? 1 : 0, state.phase.rawValue]
    return bytes + [UInt8](repeating: 0, count: Self.size - bytes.count)
  }
}
