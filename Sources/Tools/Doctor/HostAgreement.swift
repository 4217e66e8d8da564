internal import Formats

// The findings about what the hosts of a job must have in common.
extension HealthReport {
  /// Finds ranks whose program is another one than the root's.
  static func programs(_ ranks: [RankFacts]) -> [Finding] {
    guard let own = ranks.first?.program else { return [] }
    let others = ranks.filter { $0.program != nil && $0.program != own }
    guard let other = others.first else { return [] }
    let hosts = Set(others.map(\.host)).sorted().joined(separator: ", ")
    return [
      .warning(
        "program", "rank \(other.rank) on \(other.host) runs another one",
        "ranks of several builds may wait for each other for ever, or differ in their results: copy the same "
          + "program to \(hosts)")
    ]
  }

  /// Finds hosts whose clocks differ by a second or more.
  static func clocks(_ ranks: [RankFacts]) -> [Finding] {
    let told = ranks.compactMap { rank in rank.clock.map { (rank.host, $0) } }
    guard Set(told.map(\.0)).count > 1, let early = told.min(by: { $0.1 < $1.1 }),
      let late = told.max(by: { $0.1 < $1.1 })
    else { return [] }
    let apart = late.1 - early.1
    if apart < 1 { return [.fine("clocks", "less than a second apart")] }
    return [
      .warning(
        "clocks", "that of \(late.0) is \(fixed(apart, 1)) s before that of \(early.0)",
        "times in metrics and logs do not agree, and texts of a shared folder may seem changed: set up NTP on all hosts"
      )
    ]
  }

  /// Finds hosts with several networks, of which Open MPI may choose one that does not join them.
  static func networks(_ ranks: [RankFacts]) -> [Finding] {
    guard Set(ranks.map(\.host)).count > 1,
      let (host, most) = ranks.map({ ($0.host, $0.networks ?? []) })
        .max(by: { $0.1.count < $1.1.count }),
      most.count > 1, !ranks.contains(where: { $0.hasNamedNetwork == true })
    else { return [] }
    return [
      .warning(
        "networks",
        "\(host) has \(most.count): \(most.joined(separator: ", "))",
        "ranks may try one that does not join the hosts, and wait: name the right one with mpirun --mca "
          + "btl_tcp_if_include NETWORK --mca oob_tcp_if_include NETWORK")
    ]
  }
}
