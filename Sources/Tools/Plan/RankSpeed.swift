/// The speed of a rank beside the others of its node.
struct RankSpeed {
  let gflops: ProductSpeeds
  /// Numbers per second, one by one.
  let elementwise: Double
  /// The share of one rank in the bandwidth of memory, in bytes per second.
  let memory: Double
  /// The ranks of the node.
  let ranks: Int
  /// The seconds of a round in which ranks of the node wait for each other.
  let secondsOfMeeting: Double
  private let cache: CacheSizes
  /// The copies of the weights on the node.
  private let copies: Double
  /// The bytes per second at which a rank reads weights that no cache holds.
  private let weightsMemory: Double

  /// - Parameter sharesWeights: True if the ranks of a node have one copy of the weights.
  init(_ cluster: ClusterDescription, in site: Site, sharesWeights: Bool = false) {
    gflops = site.gflops ?? cluster.gflops
    ranks = cluster.ranks(in: site)
    secondsOfMeeting = 1e-6 * cluster.sharedMemory.microseconds
    copies = sharesWeights ? 1 : Double(ranks)
    let node = cluster.memory.node ?? .infinity
    memory = 1e9 * min(cluster.memory.rank, node / Double(ranks))
    // One copy is read from memory once, as long as the ranks are at the same time step.
    weightsMemory = 1e9 * min(cluster.memory.rank, node / copies)
    // One by one, a number is read twice and written once.
    elementwise = cluster.elementwise.map { 1e9 * $0 } ?? memory / 12
    cache = cluster.cache
  }

  /// True if the weights of a loop over time stay in the caches of the node from step to step, with those of
  /// the other ranks.
  private func stays(_ weights: Double) -> Bool {
    weights <= cache.core * 0x1p20 || weights * copies <= cache.node * 0x1p20
  }

  /// Returns the seconds of some work. A loop over time takes as long as its arithmetic or, if it is longer,
  /// as the weights take to come from memory at every step.
  func seconds(_ work: Work) -> Double {
    let loops = work.recurrent.reduce(0.0) { sum, loop in
      let arithmetic = loop.operations / (1e9 * gflops.recurrent)
      let reading = stays(loop.weights) ? 0 : loop.weights * loop.steps / weightsMemory
      return sum + max(arithmetic, reading)
    }
    return loops + work.output / (1e9 * gflops.output) + work.input / (1e9 * gflops.input)
      + work.elementwise / elementwise + work.bytes / memory
  }
}
