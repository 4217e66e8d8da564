public import Collectives
internal import Glibc
internal import LinearAlgebra
public import Runs

/// The facts that a rank finds about its machine.
public struct RankFacts: Codable, Equatable, Sendable {
  public var rank: Int
  public var host: String
  public var processorName: String
  /// The numbers of the processors that this process may use.
  public var processors: [Int]
  /// The core of each of these processors; processors of one core share its arithmetic units.
  public var cores: [String]
  /// The number of processors of the machine.
  public var onlineProcessors: Int
  /// The container's limit on processor time, in processors; nil for no limit.
  public var quota: Double?
  /// The kernels that the product library chose.
  public var kernels: String
  public var productThreads: Int
  /// The version of oneDNN; nil if it is not used, for the given reason.
  public var oneDNN: String?
  public var oneDNNProblem: String?
  /// True if the processor has bfloat16 multiplication.
  public var hasBFloat16: Bool
  /// True if bfloat16 products use this program's own kernels for AMX tiles.
  public var usesOwnTiles: Bool
  public var sharedMemory: DiskSpace?
  /// True if ranks may read each other's memory.
  public var canReadAcross: Bool
  /// A hash of the program's file; nil if it cannot be read.
  public var program: UInt64?
  /// The time of day in seconds since 1970, read by all ranks at about the same moment; nil if it was not.
  public var clock: Double?
  /// The networks of the host, as in `10.0.0.0/8 on eth0`; nil from a program that does not tell them.
  public var networks: [String]?
  /// True if Open MPI was told which networks to use; nil from a program that does not tell it.
  public var hasNamedNetwork: Bool?

  public init(
    rank: Int, host: String, processorName: String, processors: [Int], cores: [String],
    onlineProcessors: Int, quota: Double? = nil, kernels: String, productThreads: Int,
    oneDNN: String?, oneDNNProblem: String? = nil, hasBFloat16: Bool,
    usesOwnTiles: Bool = false, sharedMemory: DiskSpace?, canReadAcross: Bool
  ) {
    self.rank = rank
    self.host = host
    self.processorName = processorName
    self.processors = processors
    self.cores = cores
    self.onlineProcessors = onlineProcessors
    self.quota = quota
    self.kernels = kernels
    self.productThreads = productThreads
    self.oneDNN = oneDNN
    self.oneDNNProblem = oneDNNProblem
    self.hasBFloat16 = hasBFloat16
    self.usesOwnTiles = usesOwnTiles
    self.sharedMemory = sharedMemory
    self.canReadAcross = canReadAcross
  }

  /// Collects the facts.
  public init(of world: any Communicator) {
    rank = world.rank
    host = world.hostName
    processorName = System.processorName
    processors = System.allowedProcessors
    cores = processors.map(System.core)
    onlineProcessors = System.onlineProcessors
    quota = System.quota
    kernels = ProductLibrary.kernels
    productThreads = ProductLibrary.threads
    oneDNN = ProductLibrary.additional
    oneDNNProblem = ProductLibrary.additionalProblem
    hasBFloat16 = ProductLibrary.hasBFloat16
    usesOwnTiles = ProductLibrary.usesOwnTiles
    sharedMemory = DiskSpace(of: "/dev/shm")
    canReadAcross = MPI.canReadAcrossProcesses
    program = System.programHash
    networks = System.networks
    hasNamedNetwork = ["include", "exclude"].contains { getenv("OMPI_MCA_btl_tcp_if_\($0)") != nil }
  }
}
