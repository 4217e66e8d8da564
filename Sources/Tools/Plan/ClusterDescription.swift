public import Configuration
internal import Formats

/// A cluster as `unroll plan` knows it: its nodes, the speed of a rank, and the lines between them.
///
/// `docs/commands.md` lists the keys and their units; `unroll plan --measure` writes them.
public struct ClusterDescription: Codable, Equatable, Sendable {
  /// The name of the processor, for readers.
  public var processor: String?
  /// The nodes of one site, if there are no `sites`.
  public var nodes = 1
  /// The ranks of a node, one per core.
  public var ranksPerNode = 1
  public var gflops: ProductSpeeds
  /// The 10⁹ numbers per second that cells, dropout and embeddings compute; nil for three passes through
  /// memory.
  public var elementwise: Double?
  /// The standard deviation of a rank's step time, as a share of its mean.
  public var variation = 0.0
  public var memory: MemorySpeeds
  public var cache = CacheSizes()
  public var sharedMemory = SharedMemorySpeeds()
  /// The link of each node; needed if there is more than one node.
  public var link: LinkSpeeds?
  /// The places that slower lines join; empty if all nodes are in one place.
  public var sites: [Site] = []

  enum CodingKeys: String, CodingKey {
    case processor, nodes, gflops, elementwise, variation, memory, cache, link, sites
    case ranksPerNode = "ranks_per_node"
    case sharedMemory = "shared_memory"
  }

  public init(gflops: ProductSpeeds, memory: MemorySpeeds) {
    (self.gflops, self.memory) = (gflops, memory)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    processor = try container.decodeIfPresent(String.self, forKey: .processor)
    nodes = try container.count(.nodes) ?? 1
    ranksPerNode = try container.count(.ranksPerNode) ?? 1
    gflops = try container.needed(
      .gflops, "as in gflops: 80, the 10⁹ operations a rank does per second")
    elementwise = try container.positive(.elementwise)
    variation = try container.decodeIfPresent(Double.self, forKey: .variation) ?? 0
    try container.check(
      (0..<1).contains(variation), .variation, "variation is a share: write 0 to less than 1")
    memory = try container.needed(.memory, "as in memory: {rank: 10, node: 100}, in GB/s")
    cache = try container.decodeIfPresent(CacheSizes.self, forKey: .cache) ?? CacheSizes()
    sharedMemory =
      try container.decodeIfPresent(SharedMemorySpeeds.self, forKey: .sharedMemory)
      ?? SharedMemorySpeeds()
    link = try container.decodeIfPresent(LinkSpeeds.self, forKey: .link)
    sites = try container.decodeIfPresent([Site].self, forKey: .sites) ?? []
    try container.check(
      sites.isEmpty || !container.contains(.nodes), .nodes,
      "nodes and sites exclude each other: write nodes in each site")
    try container.check(
      link != nil || sites.isEmpty && nodes == 1, sites.isEmpty ? .nodes : .sites,
      "several nodes need a link between them: write link: {gigabits: 1}, or measure one with "
        + "unroll plan --measure")
  }

  /// Reads a description from a YAML file.
  /// - Throws: `ConfigurationError` with file and line, and what to do.
  public init(file: String) throws {
    self = try Configuration.decode(ClusterDescription.self, from: [file])
  }

  /// The places of the cluster; one if the file names none.
  var places: [Site] {
    sites.isEmpty ? [Site(name: "cluster", nodes: nodes, ranksPerNode: ranksPerNode)] : sites
  }

  /// The number of ranks of a node in a place.
  func ranks(in site: Site) -> Int { site.ranksPerNode ?? ranksPerNode }

  /// The world size.
  public var ranks: Int { places.reduce(0) { $0 + $1.nodes * ranks(in: $1) } }

  /// The fewest and the most ranks of a node.
  var ranksOfNodes: ClosedRange<Int> {
    let all = places.map { ranks(in: $0) }
    return (all.min() ?? 1)...(all.max() ?? 1)
  }

  /// Returns true if the ranks of a node share the weights and sum gradients in its memory.
  func sharesMemory(_ options: CommunicationOptions) -> Bool {
    options.sharesMemory(
      least: ranksOfNodes.lowerBound, most: ranksOfNodes.upperBound, ranks: ranks)
  }

  /// The number of nodes of all places.
  public var allNodes: Int { places.reduce(0) { $0 + $1.nodes } }

  /// Returns the cluster with so many nodes, shared equally by its places.
  /// - Throws: `UsageError` for several nodes without a link.
  public func withNodes(_ count: Int) throws(UsageError) -> ClusterDescription {
    guard link != nil || count == 1 else {
      throw UsageError(
        "--nodes \(count) needs a link between nodes: add link: {gigabits: 1} to the description of the "
          + "cluster")
    }
    return scaled(nodes: count)
  }

  /// Returns the cluster with so many nodes, shared equally by its places.
  func scaled(nodes count: Int) -> ClusterDescription {
    var result = self
    if sites.isEmpty {
      result.nodes = count
    } else {
      let share = (count + sites.count - 1) / sites.count
      for index in sites.indices { result.sites[index].nodes = share }
    }
    return result
  }
}

/// 10⁹ multiplications and additions per second of one rank, by the product they belong to.
public struct ProductSpeeds: Codable, Equatable, Sendable {
  /// The output layer with its softmax.
  public var output: Double
  /// Products over whole windows that read a layer's input.
  public var input: Double
  /// Products that read a state, one time step after another, and the gradients of their weights.
  public var recurrent: Double

  enum CodingKeys: String, CodingKey {
    case output, input, recurrent
  }

  public init(_ all: Double) { (output, input, recurrent) = (all, all, all) }

  public init(output: Double, input: Double, recurrent: Double) {
    (self.output, self.input, self.recurrent) = (output, input, recurrent)
  }

  public init(from decoder: any Decoder) throws {
    if let single = try? decoder.singleValueContainer(), let all = try? single.decode(Double.self) {
      guard all > 0, all.isFinite else {
        throw DecodingError.dataCorruptedError(
          in: single, debugDescription: "gflops must be more than 0")
      }
      self.init(all)
      return
    }
    let container = try decoder.container(keyedBy: CodingKeys.self)
    func speed(_ key: CodingKeys, _ meaning: String) throws -> Double {
      let value: Double = try container.needed(key, meaning)
      try container.check(
        value > 0 && value.isFinite, key, "\(key.stringValue) must be more than 0")
      return value
    }
    self.init(
      output: try speed(.output, "the speed of the output layer"),
      input: try speed(.input, "the speed of products with a layer's input"),
      recurrent: try speed(.recurrent, "the speed of products with a state"))
  }
}

/// The memory of a node, and the speed at which ranks read and write it.
public struct MemorySpeeds: Codable, Equatable, Sendable {
  /// 10⁹ bytes per second of one rank.
  public var rank: Double
  /// 10⁹ bytes per second of all ranks of a node together; nil if they do not slow each other down.
  public var node: Double?
  /// The size, in 2³⁰ bytes; nil if unknown.
  public var gibibytes: Double?

  enum CodingKeys: String, CodingKey {
    case rank, node, gibibytes
  }

  public init(rank: Double, node: Double? = nil, gibibytes: Double? = nil) {
    (self.rank, self.node, self.gibibytes) = (rank, node, gibibytes)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    rank = try container.needed(.rank, "the GB/s that one rank reads alone")
    try container.check(rank > 0 && rank.isFinite, .rank, "rank must be more than 0")
    node = try container.positive(.node)
    gibibytes = try container.positive(.gibibytes)
  }
}

/// The caches of a node, in 2²⁰ bytes; 0 if unknown.
public struct CacheSizes: Codable, Equatable, Sendable {
  /// The cache of one core.
  public var core = 0.0
  /// The cache that all cores of a node share.
  public var node = 0.0

  enum CodingKeys: String, CodingKey {
    case core, node
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    core = try container.positive(.core) ?? 0
    node = try container.positive(.node) ?? 0
  }
}

/// The exchange between ranks of one node.
public struct SharedMemorySpeeds: Codable, Equatable, Sendable {
  /// 10⁹ bytes per second that a rank copies from another.
  public var gigabytes = 4.0
  /// The time of a short message, in 10⁻⁶ seconds.
  public var microseconds = 1.0

  enum CodingKeys: String, CodingKey {
    case gigabytes, microseconds
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    gigabytes = try container.positive(.gigabytes) ?? gigabytes
    microseconds = try container.positive(.microseconds) ?? microseconds
  }
}

/// The link of a node to the others, in each direction.
public struct LinkSpeeds: Codable, Equatable, Sendable {
  /// 10⁹ bits per second.
  public var gigabits: Double
  /// The time of a short message, in 10⁻⁶ seconds.
  public var microseconds = 50.0
  /// The time that a long message takes besides its bytes, in 10⁻⁶ seconds: its announcement, and the
  /// start of its flow. Sums that wait for each message pay it once a piece.
  public var startup: Double?
  /// 10⁹ bytes per second that pass through the core of a rank, sent and received: copies of the kernel
  /// and of MPI, which take time from the computation.
  public var core = 2.0
  /// The time of the core for each message, in 10⁻⁶ seconds.
  public var message = 2.0

  enum CodingKeys: String, CodingKey {
    case gigabits, microseconds, startup, core, message
  }

  public init(gigabits: Double) { self.gigabits = gigabits }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    gigabits = try container.needed(.gigabits, "the 10⁹ bits per second of a node's link")
    try container.check(
      gigabits > 0 && gigabits.isFinite, .gigabits, "gigabits must be more than 0")
    microseconds = try container.positive(.microseconds) ?? microseconds
    startup = try container.positive(.startup)
    core = try container.positive(.core) ?? core
    message = try container.positive(.message) ?? message
  }
}

/// Nodes in one place, with the line that joins it to the others.
public struct Site: Codable, Equatable, Sendable {
  public var name: String
  public var nodes: Int
  /// The ranks of a node; nil for those of the cluster.
  public var ranksPerNode: Int?
  /// The speed of a rank; nil for that of the cluster.
  public var gflops: ProductSpeeds?
  /// 10⁹ bits per second of the line, from this place and to it.
  public var up = Double.infinity
  public var down = Double.infinity
  /// The time from this place to the middle of the net, in 10⁻³ seconds.
  public var milliseconds = 0.0

  enum CodingKeys: String, CodingKey {
    case name, nodes, gflops, up, down, milliseconds
    case ranksPerNode = "ranks_per_node"
  }

  public init(name: String, nodes: Int, ranksPerNode: Int? = nil) {
    (self.name, self.nodes, self.ranksPerNode) = (name, nodes, ranksPerNode)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    name = try container.needed(.name, "a name for the place")
    nodes = try container.count(.nodes) ?? 1
    ranksPerNode = try container.count(.ranksPerNode)
    gflops = try container.decodeIfPresent(ProductSpeeds.self, forKey: .gflops)
    up = try container.needed(.up, "the 10⁹ bits per second from this place")
    down = try container.needed(.down, "the 10⁹ bits per second to this place")
    for (key, value) in [(CodingKeys.up, up), (.down, down)] {
      try container.check(value > 0, key, "\(key.stringValue) must be more than 0")
    }
    milliseconds = try container.positive(.milliseconds) ?? 0
  }
}

extension KeyedDecodingContainer {
  /// Decodes a value that must be there.
  fileprivate func needed<Value: Decodable>(_ key: Key, _ meaning: String) throws -> Value {
    guard let value = try decodeIfPresent(Value.self, forKey: key) else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: codingPath,
          debugDescription: "\(key.stringValue) is missing; add it, \(meaning)"))
    }
    return value
  }

  /// Decodes a number above zero; nil if it is absent.
  fileprivate func positive(_ key: Key) throws -> Double? {
    guard let value = try decodeIfPresent(Double.self, forKey: key) else { return nil }
    try check(
      value > 0 && value.isFinite, key,
      "\(key.stringValue) must be more than 0; remove it if unknown")
    return value
  }

  /// Decodes a number of machines or ranks; nil if it is absent.
  fileprivate func count(_ key: Key) throws -> Int? {
    guard let value = try decodeIfPresent(Int.self, forKey: key) else { return nil }
    try check(
      (1...65_536).contains(value), key, "\(key.stringValue) is \(value): give 1 to 65536")
    return value
  }

  fileprivate func check(_ condition: Bool, _ key: Key, _ sentence: String) throws {
    if condition { return }
    throw DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: sentence)
  }
}
