public import Collectives
internal import Formats
internal import LinearAlgebra

/// The time of a sum over all ranks in each of the ways that this program has, and in that of the message
/// passing library, round by round.
public struct SumBenchmark {
  private let count: Int
  private let rounds: Int

  /// - Parameters:
  ///   - count: The count of numbers that each rank has.
  ///   - rounds: The number of timed sums of each way; one more comes first and is not timed.
  public init(count: Int, rounds: Int = 9) { (self.count, self.rounds) = (count, rounds) }

  /// Measures and returns a table on the root, and nothing elsewhere. Collective.
  public func run(in world: any Communicator) throws(CommunicationError) -> String? {
    let values = Buffer<Real>(count: count)
    for place in 0..<count { values.start[place] = Real(place % 7) }
    let shared = try SharedSum(count: count, in: world)
    var ways: [(name: String, sum: () throws(CommunicationError) -> Void)] = []
    if let mpi = world as? MPI {
      ways.append(
        (
          "MPI_Allreduce",
          { () throws(CommunicationError) in try mpi.sumByLibrary(values.elements()) }
        ))
    }
    ways.append(("messages", { () throws(CommunicationError) in try world.sum(values.elements()) }))
    if let shared {
      ways.append(("shared memory, each rank a slice", shared.reduce))
      ways.append(
        (
          "shared memory, all numbers on each rank",
          { () throws(CommunicationError) in
            try shared.reduce()
            try shared.gather()
          }
        ))
    }
    var seconds = [[Double]](repeating: [], count: ways.count)
    for round in 0...rounds {
      for (index, way) in ways.enumerated() {
        try world.barrier()
        let start = ContinuousClock.now
        try way.sum()
        try world.barrier()
        // The first round makes memory and connections.
        if round > 0 { seconds[index].append((ContinuousClock.now - start) / .seconds(1)) }
      }
    }
    guard world.isRoot else { return nil }
    let medians = seconds.map { $0.sorted()[$0.count / 2] }
    var lines = ["Sums of \(count) numbers over \(world.size) ranks; medians of \(rounds) rounds:"]
    for (way, time) in zip(ways, medians) {
      lines.append(
        "  \(fixed(1e3 * time, 1)) ms  \(way.name), \(fixed(medians[0] / time, 1)) times as fast as "
          + ways[0].name)
    }
    if shared == nil { lines.append("  The ranks are not all on one host with shared memory.") }
    return lines.joined(separator: "\n")
  }
}

/// A sum in memory that the ranks of one host share.
private final class SharedSum {
  private let memory: SharedMemory
  private let terms: [Buffer<Real>]
  private let sum: OrderedTerms
  private let rank, count: Int

  /// Returns nil if the ranks are on several hosts or cannot share memory.
  init?(count: Int, in world: any Communicator) throws(CommunicationError) {
    guard world.size > 1, world.nodeSize == world.size else { return nil }
    do {
      memory = try world.shareMemory(
        bytes: world.size * SharedMemory.bytes(of: Real.self, count: count))
    } catch .noSharedMemory {
      return nil
    }
    terms = (0..<world.size).map { [memory] _ in memory.take(Real.self, count: count) }
    rank = world.rank
    self.count = count
    sum = OrderedTerms(terms, own: rank)
    terms[rank].useLargePages()
  }

  private func slice(_ rank: Int) -> Range<Int> {
    count * rank / terms.count..<count * (rank + 1) / terms.count
  }

  func reduce() throws(CommunicationError) {
    try memory.barrier()
    sum.add(slice(rank))
    try memory.barrier()
  }

  func gather() throws(CommunicationError) {
    for other in terms.indices where other != rank {
      let slice = slice(other)
      (terms[rank].start + slice.lowerBound).update(
        from: terms[other].start + slice.lowerBound, count: slice.count)
    }
    try memory.barrier()
  }
}
