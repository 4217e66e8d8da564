/// A rank as the watchdog of the root knows it.
package struct WatchedRank: Equatable, Sendable {
  package let rank: Int
  package let host: String
  /// The seconds since its last message; nil if none has ever come.
  package var silence: Double?
  /// The seconds since it last advanced, at its last message.
  package var idle = 0.0
  package var state = RankActivity.State()

  package init(rank: Int, host: String) { (self.rank, self.host) = (rank, host) }

  var name: String { "rank \(rank) on \(host)" }

  /// The last that is known of the rank.
  var words: String {
    guard silence != nil else { return "\(name): no message has come" }
    let place = state.phase == .starting ? "" : " after step \(state.step)"
    return
      "\(name): \(state.isWaiting ? "waiting for other ranks while " : "")\(state.phase.words)\(place)"
  }
}

/// The reason for which a watchdog ends a job.
package enum WatchdogVerdict: Equatable, Sendable {
  /// Nothing is heard of a rank: its process is stopped, its host is down, or its line is.
  case silent(rank: Int)
  /// A rank lives and does not advance.
  case stuck(rank: Int)
  /// All ranks wait for each other.
  case allWait

  /// Returns the verdict on the ranks of a job; nil as long as some rank advances.
  ///
  /// A rank that waits for others is not to blame. One of which no message ever came cannot be judged, since
  /// messages may be blocked between hosts; if all others wait, one on the first rank's host is to blame.
  /// - Parameter limit: The seconds without progress.
  package static func of(_ ranks: [WatchedRank], limit: Double) -> WatchdogVerdict? {
    if let silent = ranks.filter({ $0.silence ?? 0 > limit }).max(by: {
      $0.silence ?? 0 < $1.silence ?? 0
    }) {
      return .silent(rank: silent.rank)
    }
    let heard = ranks.filter { $0.silence != nil }
    let stuck = heard.filter { !$0.state.isWaiting && $0.idle > limit }
    if let worst = stuck.max(by: { $0.idle < $1.idle }) { return .stuck(rank: worst.rank) }
    guard heard.allSatisfy({ $0.state.isWaiting && $0.idle > limit }) else { return nil }
    let neighbour = ranks.first { $0.silence == nil && $0.host == ranks[0].host }
    return neighbour.map { .silent(rank: $0.rank) } ?? .allWait
  }

  /// Returns the message for the user: the reason first, then the last that is known of each rank.
  package func message(_ ranks: [WatchedRank], limit: Double) -> String {
    func known(_ rank: Int) -> WatchedRank? { ranks.first { $0.rank == rank } }
    let seconds = "\(Int(limit.rounded())) s"
    let advice =
      "the job ends, and the same command goes on from the last checkpoint (the key watchdog sets the "
      + "time)"
    var lines: [String] = []
    switch self {
    case .silent(let rank):
      let name = known(rank)?.name ?? "rank \(rank)"
      lines.append(
        "nothing was heard of \(name) for \(seconds), so it is stopped, or its host or line is down: "
          + advice)
    case .stuck(let rank):
      lines.append(
        "\(known(rank)?.name ?? "rank \(rank)") has not advanced for \(seconds): \(advice)")
    case .allWait:
      lines.append(
        "all ranks have waited for each other for \(seconds), as they do when a line is down: "
          + advice)
    }
    // The ranks that others wait for first; a large job is not listed whole.
    let sorted = ranks.filter { !$0.state.isWaiting } + ranks.filter(\.state.isWaiting)
    lines += sorted.prefix(8).map { "  " + $0.words }
    if ranks.count > 8 { lines.append("  and \(ranks.count - 8) more ranks") }
    return lines.joined(separator: "\n") + "\n"
  }
}
