internal import Foundation

/// The links of a cluster and the times until which they are busy.
final class ClusterNetwork {
  /// A link that serves bytes in the order in which they come.
  private struct Server {
    /// Bytes per second.
    var speed: Double
    var free = 0.0

    /// Returns the time at which some bytes have passed that come from `time` on, the last at `last`.
    mutating func serve(_ bytes: Double, from time: Double, until last: Double) -> Double {
      free = max(free, time) + bytes / speed
      return max(free, last)
    }
  }

  let ranks: Int
  /// The number of nodes.
  private let nodes: Int
  /// The fewest ranks of a node: the slices of a gradient that ranks of a node share out.
  private let slices: Int
  var sites: Int { places.count }

  private let places: [(nodes: Int, ranks: Int, milliseconds: Double)]
  private let link: LinkSpeeds
  private let shared: SharedMemorySpeeds
  private let memory: [Double]
  private var out: [Server] = []
  /// The links into all nodes of a site.
  private var pools: [Server]
  private var up, down: [Server]
  private let isSpread: Bool

  /// The bytes of a message that is sent without an announcement.
  private static let eager = Double(1 << 16)

  init(_ cluster: ClusterDescription) {
    (ranks, nodes, slices) = (cluster.ranks, cluster.allNodes, cluster.ranksOfNodes.lowerBound)
    places = cluster.places.map { ($0.nodes, cluster.ranks(in: $0), $0.milliseconds) }
    isSpread = cluster.allNodes > 1
    link = cluster.link ?? LinkSpeeds(gigabits: 1)
    shared = cluster.sharedMemory
    memory = cluster.places.map { RankSpeed(cluster, in: $0).memory }
    let speed = link.gigabits * 1e9 / 8
    out = cluster.places.flatMap { site in
      (0..<site.nodes).map { _ in Server(speed: speed) }
    }
    pools = cluster.places.map { Server(speed: speed * Double($0.nodes)) }
    up = cluster.places.map { Server(speed: $0.up * 1e9 / 8) }
    down = cluster.places.map { Server(speed: $0.down * 1e9 / 8) }
  }

  /// The ranks of a node that take part in a sum, and those of all nodes that add up the same numbers.
  private func members(_ sum: PlannedSum, of count: Int) -> (node: Int, group: Int) {
    switch sum.scope {
    case .world: (count, ranks)
    case .ownersOfSlice: (min(count, slices), nodes)
    }
  }

  /// Returns the ranks of a site that a rank of a node exchanges a sum with, the node left out.
  private func receivers(_ sum: PlannedSum, in site: Int, isOwn: Bool) -> Int {
    let others = places[site].nodes - (isOwn ? 1 : 0)
    return sum.scope == .world ? others * places[site].ranks : others
  }

  /// The time that a message takes besides its bytes.
  private func latency(_ bytes: Double, from site: Int, to other: Int) -> Double {
    let far = site == other ? 0 : 1e-3 * (places[site].milliseconds + places[other].milliseconds)
    let near =
      bytes > Self.eager
      ? max(link.startup ?? 3 * link.microseconds, link.microseconds) : link.microseconds
    // The announcement of a long message is answered first.
    return 1e-6 * near + (bytes > Self.eager ? 3 : 1) * far
  }

  /// Sends the messages of a phase: a part of the sum from each rank of a node to every other rank.
  /// - Returns: The sites and the times at which the last byte is there.
  func send(
    _ sum: PlannedSum, from node: Int, of count: Int, in site: Int, at time: Double
  ) -> [(site: Int, time: Double)] {
    let (members, group) = members(sum, of: count)
    let part = sum.bytes / Double(group)
    let own = Double(members)
    // Within the node messages are copies, which take the core of the receiver.
    var arrivals = [(site: site, time: time + 1e-6 * shared.microseconds)]
    guard isSpread else { return arrivals }
    let reached = places.indices.map {
      Double(receivers(sum, in: $0, isOwn: $0 == site))
    }
    let gone = out[node].serve(own * part * reached.reduce(0, +), from: time, until: time)
    for (other, receivers) in reached.enumerated() {
      guard receivers > 0 else { continue }
      let bytes = own * part * receivers
      var last = gone
      if other != site {
        last = up[site].serve(bytes, from: time, until: last)
        last = down[other].serve(bytes, from: time, until: last)
      }
      last = pools[other].serve(bytes, from: time, until: last)
      arrivals.append((other, last + latency(part, from: site, to: other)))
    }
    return arrivals
  }

  /// Returns the time of a core for the messages of a phase: those to and from other nodes pass through the
  /// kernel, those of the own node are copied.
  func secondsOfMessages(_ sum: PlannedSum, of count: Int, in site: Int) -> Double {
    let group = members(sum, of: count).group
    let part = sum.bytes / Double(group)
    let near = sum.scope == .world ? Double(count - 1) : 0
    let far = Double(group - 1) - near
    let copied = near * part / (1e9 * shared.gigabytes)
    let passed = 2 * far * part / (1e9 * link.core)
    return copied + passed + 2e-6
      * (far * link.message + near * min(link.message, shared.microseconds))
  }

  /// Returns the share of a sum that belongs to the other ranks.
  private func others(_ sum: PlannedSum) -> Double {
    let group = Double(members(sum, of: slices).group)
    return (group - 1) / group
  }

  /// Returns the bytes that a rank sends in both phases.
  func bytesSent(_ sum: PlannedSum) -> Double {
    2 * sum.bytes * others(sum)
  }

  /// The slowest memory of any rank, in bytes per second.
  private var slowestMemory: Double { memory.min() ?? 1e9 }

  /// Rounds all numbers for the wire.
  func secondsToNarrow(_ sum: PlannedSum) -> Double {
    sum.width < 4 ? 6 * sum.numbers / slowestMemory : 0
  }

  /// Adds the terms of a part; they are in the cache.
  func secondsToAdd(_ sum: PlannedSum) -> Double {
    let numbers = sum.numbers * others(sum)
    return (sum.width < 4 ? 10 : 8) * numbers / slowestMemory
  }

  /// Converts all sums from the format of the wire.
  func secondsToWiden(_ sum: PlannedSum) -> Double {
    sum.width < 4 ? 6 * sum.numbers / slowestMemory : 0
  }

  // MARK: Short exchanges

  /// The latency of the slowest message.
  private var farthest: Double {
    guard isSpread else { return 1e-6 * shared.microseconds }
    let sorted = places.map(\.milliseconds).sorted(by: >)
    let far = places.count > 1 ? 1e-3 * (sorted[0] + sorted[1]) : 0
    return 1e-6 * link.microseconds + far
  }

  /// The most ranks that share a link.
  private var ranksOfLink: Double { isSpread ? Double(places.map(\.ranks).max() ?? 1) : 1 }

  /// The bytes per second of the slowest line.
  private var slowest: Double {
    guard isSpread else { return 1e9 * shared.gigabytes }
    return (up + down).reduce(link.gigabits * 1e9 / 8) { min($0, $1.speed) }
  }

  /// Returns the time of an exchange in which every rank learns the numbers of all, by doubling.
  func secondsOfMeeting(bytes: Double) -> Double {
    guard ranks > 1 else { return 0 }
    let rounds = log2(Double(ranks)).rounded(.up)
    return rounds * (farthest + 1e-6 * link.message) + bytes * ranksOfLink / slowest
  }

  /// Returns the time in which each rank, one after another, sends bytes to all others along a chain or a
  /// tree.
  func secondsOfSpreading(bytes: Double) -> Double {
    guard ranks > 1 else { return 0 }
    let rounds = log2(Double(ranks)).rounded(.up)
    let start = bytes > Self.eager ? 1e-6 * max(link.startup ?? 0, 0) : 0
    let copies = bytes / (1e9 * (isSpread ? link.core : shared.gigabytes))
    return Double(ranks) * (rounds * farthest + start + max(bytes / slowest, copies))
  }
}
