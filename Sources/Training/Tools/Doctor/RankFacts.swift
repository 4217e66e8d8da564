public import Collectives
internal import Glibc
internal import LinearAlgebra

/// What a rank finds out about the machine it runs on.
public struct RankFacts: Codable, Equatable, Sendable {
  public var rank: Int
  public var host: String
  public var processorName: String
  /// The processors that this process may use, by number.
  public var processors: [Int]
  /// For each of them the core it belongs to: processors of one core share its arithmetic.
  public var cores: [String]
  /// The processors of the machine.
  public var onlineProcessors: Int
  /// Processors' worth of time that a container is given, where it is limited.
  public var quota: Double?
  /// The kernels that the product library has chosen.
  public var kernels: String
  public var productThreads: Int
  /// oneDNN as it was found, or nil and why it is not used.
  public var oneDNN: String?
  public var oneDNNProblem: String?
  /// Whether the processor multiplies bfloat16 numbers itself.
  public var hasBFloat16: Bool
  /// Whether it does so in the tiles of AMX by this program's own kernels.
  public var usesOwnTiles: Bool
  public var sharedMemory: DiskSpace?
  /// Whether ranks may read each other's memory.
  public var canReadAcross: Bool

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

  /// Looks around.
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
  }
}
