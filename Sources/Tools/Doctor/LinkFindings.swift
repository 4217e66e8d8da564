package import Collectives
internal import Formats

/// The measurements of `unroll doctor` on several ranks.
package struct LinkFacts: Equatable, Sendable {
  package var links: [Link]
  package var sum: SumTime
  /// The speed of a product on the slowest rank, in 10⁹ operations per second.
  package var gflops: Double
  package var load: StepLoad

  package init(links: [Link], sum: SumTime, gflops: Double, load: StepLoad) {
    (self.links, self.sum, self.gflops, self.load) = (links, sum, gflops, load)
  }

  /// Measures links, a sum and a product. Collective; nil in a world of one rank.
  package init?(
    _ load: StepLoad, by probe: LinkProbe, in world: any Communicator
  ) throws(CommunicationError) {
    guard world.size > 1 else { return nil }
    links = try probe.links(in: world)
    sum = try probe.sum(of: load.parameters, in: world)
    self.load = load
    try world.barrier()
    // The products of all ranks at once, since they share memory and power.
    let speed = Machine.measured(.float32, [Machine.products[0]])[0].gflops
    var slowest = [-speed]
    try world.max(&slowest)
    gflops = -slowest[0]
  }
}

extension HealthReport {
  /// The most links between hosts that are listed one by one.
  private static let listed = 6

  /// Describes the links between ranks, and the way of exchanging gradients that pays.
  static func links(_ facts: LinkFacts?, _ ranks: [RankFacts]) -> [Finding] {
    guard let facts else { return [] }
    let between = facts.links.filter { !$0.isWithinHost }
    var findings = facts.links.filter(\.isWithinHost).prefix(listed).map {
      Finding.fine("link", "within \($0.hosts[0]): \(words($0))")
    }
    if between.count <= listed {
      findings += between.map { .fine("link", "\($0.hosts[0]) – \($0.hosts[1]): \(words($0))") }
    } else if let slowest = between.min(by: { $0.bytesPerSecond < $1.bytesPerSecond }) {
      let latencies = between.map { 1000 * $0.latency }
      findings.append(
        .fine(
          "links",
          "\(between.count) between hosts: \(rate(median(between.map(\.bytesPerSecond)))) and "
            + "\(fixed(median(latencies), 3)) ms in the median, \(fixed(latencies.max() ?? 0, 3)) ms at most; "
            + "the slowest is \(slowest.hosts[0]) – \(slowest.hosts[1]): \(words(slowest))"))
    }
    if let problem = unequal(between) { findings.append(problem) }
    return findings + exchange(facts, hosts: Set(ranks.map(\.host)).count, ranks: ranks.count)
  }

  /// Finds a link that is much slower than the others: every sum waits for it.
  private static func unequal(_ links: [Link]) -> Finding? {
    guard links.count > 2, let slowest = links.min(by: { $0.bytesPerSecond < $1.bytesPerSecond }),
      slowest.bytesPerSecond < 0.5 * median(links.map(\.bytesPerSecond))
    else { return nil }
    return .warning(
      "links", "\(slowest.hosts[0]) – \(slowest.hosts[1]) is less than half as fast as the median",
      "every sum waits for it: check its cable and port, or name the network with OMPI_MCA_btl_tcp_if_include"
    )
  }

  /// Describes the time of a sum and of a step, and names the setting that pays.
  private static func exchange(_ facts: LinkFacts, hosts: Int, ranks: Int) -> [Finding] {
    let sum = facts.sum
    let places = hosts == 1 ? "\(ranks) ranks" : "\(ranks) ranks on \(hosts) hosts"
    let basis =
      sum.measured < sum.parameters ? ", from one of \(grouped(sum.measured)) numbers" : ""
    let step = StepEstimate(
      facts.load, gflops: facts.gflops, sum: sum.seconds, hosts: hosts, ranks: ranks)
    let modes = StepEstimate.Mode.allCases.map { "\($0.name) \(seconds(step.seconds($0)))" }
    return [
      .fine(
        "sum", "\(grouped(sum.parameters)) numbers over \(places): \(seconds(sum.seconds))\(basis)"),
      Finding(
        what: "step",
        value:
          "\(grouped(facts.load.tokens)) tokens a rank compute for about \(seconds(step.compute)) at "
          + "\(fixed(facts.gflops, 0)) GFLOP/s; with the exchange of gradients: "
          + modes.joined(separator: ", ") + " (estimates)",
        severity: .note, advice: advice(step)),
    ]
  }

  /// Returns the sentence that says which setting pays.
  private static func advice(_ step: StepEstimate) -> String {
    let best = step.best
    let speedup =
      "\(step.ranks) ranks train about \(fixed(step.speedup(best), 1)) times as fast as one"
    let measuring = "unroll bench --scaling measures it"
    if step.speedup(best) < 1.05 {
      return
        "more ranks do not pay for such a step: by estimate \(speedup), even with \(best.setting); "
        + "give a rank more streams, and \(measuring)"
    }
    return best == .plain
      ? "leave communication as it is: by estimate \(speedup); \(measuring)"
      : "set \(best.setting): by estimate \(speedup), with the default "
        + "\(fixed(step.speedup(.plain), 1)) times; \(measuring)"
  }

  private static func words(_ link: Link) -> String {
    "\(fixed(1000 * link.latency, 3)) ms, \(rate(link.bytesPerSecond))"
  }

  private static func rate(_ bytesPerSecond: Double) -> String {
    "\(fixed(bytesPerSecond * 1e-6, bytesPerSecond < 1e7 ? 1 : 0)) MB/s "
      + "(\(fixed(bytesPerSecond * 8e-9, bytesPerSecond < 1e8 ? 3 : 2)) Gbit/s)"
  }

  private static func seconds(_ time: Double) -> String {
    time < 1 ? "\(fixed(1000 * time, time < 0.01 ? 1 : 0)) ms" : "\(fixed(time, 2)) s"
  }
}
