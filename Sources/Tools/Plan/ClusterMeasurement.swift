public import Collectives
public import Configuration
internal import Formats
internal import Foundation
internal import LinearAlgebra
internal import Recurrence
internal import Runs

/// Fills in the description of a cluster from a short run: `unroll plan --measure`.
public struct ClusterMeasurement {
  private let request: PlanRequest
  private let known: ClusterDescription?

  /// - Parameters:
  ///   - configuration: The options of the run that the cluster is to train.
  ///   - vocabulary: The number of symbols; nil for that of the configuration.
  ///   - streams: The streams of each rank; nil for its share of the `batch_size` of the
  ///     configuration.
  ///   - known: A description whose other parts are kept, such as the nodes that are not here.
  ///   - ranks: The number of ranks that measure.
  /// - Throws: `UsageError` as `PlanRequest` does.
  public init(
    _ configuration: RunOptions, vocabulary: Int? = nil, streams: Int? = nil,
    keeping known: ClusterDescription? = nil, ranks: Int
  ) throws(UsageError) {
    self.known = known
    var here = ClusterDescription(gflops: ProductSpeeds(1), memory: MemorySpeeds(rank: 1))
    // The batch is shared by the ranks that will train.
    here.nodes = known?.ranks ?? ranks
    here.link = LinkSpeeds(gigabits: 1)
    request = try PlanRequest(configuration, on: here, vocabulary: vocabulary, streams: streams)
  }

  /// Measures. Collective; every rank returns the same description.
  public func run(
    in world: any Communicator, seconds: Double = 4
  ) throws -> ClusterDescription {
    let work = request.work
    let steps = try RankMeasurement(request, seconds: seconds, in: world)
    let read = try Self.reading(in: world)
    var result =
      known ?? ClusterDescription(gflops: ProductSpeeds(1), memory: MemorySpeeds(rank: 1))
    result.gflops = steps.gflops(work)
    result.elementwise = steps.elementwise(work)
    result.variation = try steps.variation(in: world)
    // A step of a small model is over before its optimizer can be timed well, and stays in the caches; that
    // of Muon is products for the most part.
    let optimizer = steps.memory(work)
    let isTimed = work.update.bytes > 1e7 && work.update.input == 0
    result.memory.rank = isTimed ? optimizer : read.beside
    if world.nodeSize >= System.allowedProcessors.count {
      result.memory.node = max(result.memory.rank, read.beside) * Double(world.nodeSize)
    }
    result.memory.gibibytes = MemoryLimits.current.ofMachine.bytes / 0x1p30
    result.cache = Self.caches()
    result.processor = System.processorName
    if known == nil {
      result.ranksPerNode = world.nodeSize
      result.nodes = max(1, world.size / world.nodeSize)
      if result.nodes > 1 { result.link = LinkSpeeds(gigabits: 1) }
    }
    try measureExchange(&result, in: world)
    return result
  }

  /// Measures the reading of memory by all ranks at the same time, in 10⁹ bytes per second of a rank.
  private static func reading(in world: any Communicator) throws -> (beside: Double, sum: Double) {
    try world.barrier()
    var sum = [Machine.readBandwidth(bytes: 1 << 27)]
    try world.sum(&sum)
    return (sum[0] / Double(world.size), sum[0])
  }

  /// Returns the sizes of the caches of the first processor, from Linux: the largest that one core has, and
  /// one that several share.
  private static func caches() -> CacheSizes {
    var result = CacheSizes()
    for index in 0..<8 {
      let folder = "/sys/devices/system/cpu/cpu0/cache/index\(index)"
      guard let size = line(folder + "/size"), line(folder + "/type") != "Instruction" else {
        continue
      }
      let factor = size.hasSuffix("M") ? 1.0 : 1.0 / 1024
      guard let number = Double(size.dropLast()) else { continue }
      let level = Int(line(folder + "/level") ?? "") ?? 0
      if level >= 3 {
        result.node = max(result.node, number * factor)
      } else {
        result.core = max(result.core, number * factor)
      }
    }
    return result
  }

  private static func line(_ path: String) -> String? {
    FileManager.default.contents(atPath: path).map {
      String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
  }

  /// Measures the links, and what sums cost besides them.
  private func measureExchange(
    _ cluster: inout ClusterDescription, in world: any Communicator
  ) throws {
    guard world.size > 1 else { return }
    let links = try LinkProbe().links(in: world)
    let near = links.filter(\.isWithinHost)
    let far = links.filter { !$0.isWithinHost }
    let sums = try ExchangeMeasurement(in: world)
    func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
    if !near.isEmpty {
      cluster.sharedMemory.microseconds = 1e6 * median(near.map(\.latency))
      cluster.sharedMemory.gigabytes = 1e-9 * median(near.map(\.bytesPerSecond))
    }
    if far.isEmpty {
      cluster.sharedMemory.gigabytes = sums.sharedGigabytes(world, cluster)
    } else {
      var link = cluster.link ?? LinkSpeeds(gigabits: 1)
      link.microseconds = 1e6 * median(far.map(\.latency))
      link.gigabits = 8e-9 * median(far.map(\.bytesPerSecond))
      sums.fill(&link, world, memory: 1e9 * cluster.memory.rank)
      cluster.link = link
    }
  }
}

extension ExchangeMeasurement {
  /// The share of a sum that a rank sends in one phase.
  private func share(_ world: any Communicator) -> Double {
    Double(world.size - 1) / Double(world.size)
  }

  /// Returns the 10⁹ bytes per second at which ranks of one host copy from each other, without the additions.
  fileprivate func sharedGigabytes(
    _ world: any Communicator, _ cluster: ClusterDescription
  ) -> Double {
    let part = share(world) * Double(4 * Self.pieceCount)
    let adding = 2 * part / (1e9 * cluster.memory.rank)
    return 1e-9 * 2 * part / max(piece - adding, piece / 4)
  }

  /// Sets what `StepSimulation` needs to repeat the sums that were measured.
  fileprivate func fill(_ link: inout LinkSpeeds, _ world: any Communicator, memory: Double) {
    let others = Double(world.size - world.nodeSize) / Double(world.size)
    let ranks = Double(world.nodeSize)
    // Messages to and from other hosts in two phases.
    let messages = 4 * Double(world.size - 1)
    link.message = min(max(1e6 * message / messages, 0.1), 100)
    let bytes = Double(4 * Self.bucketCount)
    let adding = share(world) * 2 * bytes / memory
    let core = stolen - adding - messages * 1e-6 * link.message
    // A loss too small to be measured says little about the core.
    link.core = min(max(1e-9 * 4 * others * bytes / max(core, 1e-9), 0.05), 10)
    let line = ranks * others * bytes / (1e9 * link.gigabits / 8)
    // Both directions at once may be slower than one alone.
    if bucket > 2 * line { link.gigabits *= max(2 * line / bucket, 0.5) }
    let part = Double(4 * Self.pieceCount)
    let flow = ranks * others * part / (1e9 * link.gigabits / 8)
    let own = share(world) * 2 * part / memory
    link.startup = max(1e6 * ((piece - own) / 2 - flow), link.microseconds)
  }
}
