internal import LinearAlgebra

/// The demand of the recurrent products of a node on its memory, on paper, if each rank has a copy of the
/// weights (`node: separate`).
///
/// A rank reads its recurrent weights, W numbers of b bytes, at every time step, for 2 S W operations with S
/// streams. If they do not stay in a cache, a rank with G operations and B bytes per second computes as long
/// as it reads with
///
///     S = b G / (2 B)
///
/// streams. R ranks of a node that share one copy of the weights in a cache read W b bytes per time step
/// together instead of R W b.
public struct NodeMemory: Encodable, Sendable {
  /// The ranks of the largest node.
  public let ranks: Int
  /// The bytes of recurrent weights that one rank, and all ranks of a node, read per time step.
  public let bytesOfRank, bytesOfNode: Double
  /// True if the weights of the largest layer of all ranks stay in the caches of a node.
  public let fitsCaches: Bool
  /// The streams that a rank needs so that its products take as long as reading the weights from memory.
  public let streamsNeeded: Double

  enum CodingKeys: String, CodingKey {
    case ranks
    case bytesOfRank = "bytes_per_time_step_of_rank"
    case bytesOfNode = "bytes_per_time_step_of_node"
    case fitsCaches = "fits_caches"
    case streamsNeeded = "streams_needed"
  }

  init(_ work: StepWork, _ cluster: ClusterDescription, precision: Precision) {
    let most = cluster.places.max { cluster.ranks(in: $0) < cluster.ranks(in: $1) }
    let site = most ?? cluster.places[0]
    ranks = cluster.ranks(in: site)
    bytesOfRank = work.recurrentBytes
    bytesOfNode = work.recurrentBytes * Double(ranks)
    let largest = work.forward.recurrent.map(\.weights).max() ?? 0
    fitsCaches =
      largest <= cluster.cache.core * 0x1p20
      || largest * Double(ranks) <= cluster.cache.node * 0x1p20
    let speed = RankSpeed(cluster, in: site)
    let width = precision == .bfloat16 ? 2.0 : 4.0
    streamsNeeded = width * 1e9 * speed.gflops.recurrent / (2 * speed.memory)
  }
}
