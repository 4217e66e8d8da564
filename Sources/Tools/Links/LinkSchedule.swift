/// The order in which pairs of ranks are measured: in each round every rank is in one pair at most.
package struct LinkSchedule: Sendable {
  /// Two ranks, the lower one first.
  package struct Pair: Hashable, Sendable {
    package let first, second: Int

    init(_ one: Int, _ other: Int) { (first, second) = (min(one, other), max(one, other)) }
  }

  /// The pairs that are measured at the same time.
  package let rounds: [[Pair]]

  /// Pairs the first two ranks of each host, and then the first rank of each host with that of every other
  /// host once: the circle method of tournaments, in which one place rests and the others go round.
  /// - Parameters:
  ///   - hosts: The host of each rank.
  ///   - limit: The most rounds between hosts. Beyond it only some of the rounds take place, evenly spread;
  ///     every host is in a pair of each, except one if their number is odd.
  package init(hosts: [String], limit: Int = .max) {
    var ranks: [String: [Int]] = [:]
    var names: [String] = []
    for (rank, host) in hosts.enumerated() {
      if ranks[host] == nil { names.append(host) }
      ranks[host, default: []].append(rank)
    }
    let within = names.compactMap { name -> Pair? in
      let own = ranks[name] ?? []
      return own.count > 1 ? Pair(own[0], own[1]) : nil
    }
    var places: [Int?] = names.map { ranks[$0]?.first }
    if places.count % 2 == 1 { places.append(nil) }
    var between: [[Pair]] = []
    for _ in 0..<max(places.count - 1, 0) {
      let pairs = (0..<places.count / 2).compactMap { place -> Pair? in
        guard let one = places[place], let other = places[places.count - 1 - place] else {
          return nil
        }
        return Pair(one, other)
      }
      if !pairs.isEmpty { between.append(pairs) }
      places.insert(places.removeLast(), at: 1)
    }
    if between.count > limit {
      between = (0..<limit).map { between[$0 * between.count / limit] }
    }
    rounds = (within.isEmpty ? [] : [within]) + between
  }
}
