import Collectives
import TestSupport
import Testing
import Tools

@Suite(.serialized) struct `Links between ranks` {
  @Test(arguments: [1, 2, 3, 4, 5, 8, 9])
  func `each two hosts are paired once, and no rank twice in a round`(_ count: Int) {
    // Three ranks on every second host.
    let hosts = (0..<count).flatMap { host in
      Array(repeating: "host \(host)", count: host % 2 == 0 ? 3 : 1)
    }
    let rounds = LinkSchedule(hosts: hosts).rounds
    for round in rounds {
      let ranks = round.flatMap { [$0.first, $0.second] }
      #expect(Set(ranks).count == ranks.count)
    }
    let pairs = rounds.joined().map { [hosts[$0.first], hosts[$0.second]] }
    let within = pairs.filter { $0[0] == $0[1] }
    #expect(
      Set(within.map { $0[0] }) == Set((0..<count).filter { $0 % 2 == 0 }.map { "host \($0)" }))
    #expect(within.count == (count + 1) / 2)
    let between = pairs.filter { $0[0] != $0[1] }
    #expect(Set(between.map(Set.init)).count == between.count)
    #expect(between.count == count * (count - 1) / 2)
    // Everything at once that can be.
    #expect(rounds.count == 1 + (count == 1 ? 0 : count % 2 == 0 ? count - 1 : count))
  }

  @Test func `of many hosts a sample of rounds is left, and each host in every one`() {
    let hosts = (0..<100).map { "host \($0)" }
    let rounds = LinkSchedule(hosts: hosts, limit: 7).rounds
    #expect(rounds.count == 7)
    #expect(rounds.allSatisfy { $0.count == 50 })
    #expect(Set(rounds.joined()).count == 350)
  }

  @Test(arguments: World.upToFour)
  func `every rank gets the same figures of every pair`(_ world: World) throws {
    let locals = try world.run { world in
      let probe = LinkProbe(seconds: 0.1)
      return (try probe.links(in: world), try probe.sum(of: 300_001, in: world), world.hostName)
    }
    for local in locals {
      let (links, sum, host) = local.value
      #expect(sum.parameters == 300_001 && sum.seconds > 0)
      #expect((1...300_001).contains(sum.measured))
      #expect(links.isEmpty == (local.size == 1))
      #expect(links == locals[0].value.0)
      for link in links {
        #expect(link.latency > 0 && link.latency < 1)
        #expect(link.bytesPerSecond > 1e5 && link.bytesPerSecond < 1e12)
        // All ranks of these tests are on one host.
        #expect(link.isWithinHost && link.hosts == [host, host] && link.ranks == [0, 1])
      }
    }
  }
}
