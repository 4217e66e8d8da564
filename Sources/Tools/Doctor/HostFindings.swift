internal import Collectives
internal import Formats

// The findings about the hosts and the distribution of ranks over them, computed from the facts of
// the ranks.
extension HealthReport {
  /// Returns the ranks of each host, in the order of their lowest ranks.
  private static func hosts(_ ranks: [RankFacts]) -> [(name: String, ranks: [RankFacts])] {
    var order: [String] = []
    for rank in ranks where !order.contains(rank.host) { order.append(rank.host) }
    return order.map { name in (name, ranks.filter { $0.host == name }) }
  }

  static func processors(_ ranks: [RankFacts]) -> [Finding] {
    let names = Set(ranks.map(\.processorName)).sorted()
    var findings = hosts(ranks).map { host, ranks in
      let quota = ranks[0].quota.map { ", limited to the time of \(fixed($0, 1))" } ?? ""
      return Finding.fine(
        "processor",
        "\(host): \(ranks[0].processorName), \(ranks[0].onlineProcessors) processors\(quota)")
    }
    if names.count > 1 {
      findings.append(
        .warning(
          "processor", "\(names.count) kinds", "results repeat bit by bit on equal processors only")
      )
    }
    return findings
  }

  /// Describes how ranks are distributed over hosts and cores.
  static func layout(_ ranks: [RankFacts]) -> [Finding] {
    let hosts = hosts(ranks)
    let spread = hosts.map { "\($0.ranks.count) on \($0.name)" }.joined(separator: ", ")
    var findings = [
      Finding.fine("ranks", hosts.count == 1 ? spread : "\(ranks.count): \(spread)")
    ]
    for (host, ranks) in hosts {
      findings += ranks.map { rank in
        let isFree = rank.processors.count >= rank.onlineProcessors
        let places = list(rank.processors)
        return .fine(
          "binding",
          "rank \(rank.rank): "
            + (isFree ? "not bound (processors \(places))" : "processors \(places)"))
      }
      if let problem = crowding(ranks, host) { findings.append(problem) }
    }
    return findings
  }

  /// Finds more ranks than cores, ranks bound to the same core, or unused cores.
  private static func crowding(_ ranks: [RankFacts], _ host: String) -> Finding? {
    let cores = Set(ranks.flatMap(\.cores))
    let count = min(cores.count, ranks[0].quota.map { max(1, Int($0)) } ?? .max)
    func warning(_ value: String, _ advice: String) -> Finding {
      .warning("cores", "\(host): \(value)", advice)
    }
    // A rank that may use several cores is moved by the scheduler to a free one.
    let bound = ranks.filter { $0.processors.count < $0.onlineProcessors }
    for (index, first) in bound.enumerated() {
      for second in bound[(index + 1)...] {
        let (own, others) = (Set(first.cores), Set(second.cores))
        let shared = own.intersection(others)
        guard let core = shared.min(), min(own.count, others.count) == 1 else { continue }
        return warning(
          "ranks \(first.rank) and \(second.rank) share core \(core)",
          "give mpirun --map-by core --bind-to core, or --bind-to none, or start fewer ranks")
      }
    }
    if ranks.count > count {
      return warning(
        "\(ranks.count) ranks on \(count) \(count == 1 ? "core" : "cores")",
        "ranks that share a core wait for each other: start at most \(count)")
    }
    let threads = ranks.reduce(0) { $0 + max(1, $1.productThreads) }
    if threads > count {
      return warning(
        "\(ranks.count) \(ranks.count == 1 ? "rank" : "ranks") with \(threads) threads on \(count) "
          + (count == 1 ? "core" : "cores"),
        "threads that share a core wait for each other: set OPENBLAS_NUM_THREADS=1 and OMP_NUM_THREADS=1"
      )
    }
    if ranks.count < count {
      return Finding(
        what: "cores", value: "\(host): \(ranks.count) of \(count) used", severity: .note,
        advice: "to use all, start \(count) ranks: launch/local \(count) CONFIG")
    }
    return nil
  }

  static func sharedMemory(_ ranks: [RankFacts]) -> [Finding] {
    var findings: [Finding] = []
    for (host, ranks) in hosts(ranks) {
      // Open MPI's transport between ranks of one host takes a segment of 4 MiB per rank.
      let needed = ranks.count * 4 << 20
      guard let space = ranks[0].sharedMemory else {
        findings.append(
          .warning(
            "shared memory", "\(host): no /dev/shm",
            "several ranks on this host need it: mount a tmpfs there"))
        continue
      }
      let value = "\(host): \(bytes(space.free)) free of \(bytes(space.size)) in /dev/shm"
      if space.size < needed {
        findings.append(
          .failure(
            "shared memory", value,
            "\(ranks.count) ranks need \(bytes(needed)), or end with SIGBUS: in Docker give "
              + "--shm-size=1g"))
      } else if ranks.count == 1 ? space.free < needed : space.free == 0 {
        findings.append(
          .warning(
            "shared memory", value,
            "a rank needs 4 MiB: delete the files that killed jobs left there (vader_segment.*)"))
      } else if space.size <= 64 << 20 {
        findings.append(
          .warning(
            "shared memory", value,
            "enough for \(space.size / (4 << 20)) ranks on this host: in Docker give --shm-size=1g "
              + "for more"))
      } else {
        findings.append(.fine("shared memory", value))
      }
      findings.append(
        ranks.allSatisfy(\.canReadAcross)
          ? .fine("direct copies", "\(host): ranks may read each other's memory")
          : .warning(
            "direct copies", "\(host): ranks may not read each other's memory",
            "set OMPI_MCA_btl_vader_single_copy_mechanism=none, or in Docker give "
              + "--cap-add=SYS_PTRACE"))
    }
    return findings
  }

  /// Formats numbers as in `0-3, 8`.
  static func list(_ numbers: [Int]) -> String {
    var parts: [ClosedRange<Int>] = []
    for number in numbers.sorted() {
      if let last = parts.last, last.upperBound + 1 == number {
        parts[parts.count - 1] = last.lowerBound...number
      } else {
        parts.append(number...number)
      }
    }
    return parts.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
      .joined(separator: ", ")
  }
}
