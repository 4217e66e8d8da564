internal import COpenMPI
internal import Glibc
public import LinearAlgebra

/// The ranks that `mpirun` or `srun` has started, over Open MPI.
public final class MPI: Communicator, @unchecked Sendable {
  public let rank: Int
  public let size: Int
  public let nodeRank: Int
  public let nodeSize: Int

  /// The size of the pieces in which long vectors are sent, so that received numbers are still in
  /// cache when they are added and a count always fits into MPI's 32 bits.
  package static let pieceBytes = 2 << 20

  /// The tag of messages between two ranks. MPI guarantees tags up to 32,767; sums have those up to 32,000.
  private static let messageTag: Int32 = 32_001
  /// The time between two looks of a rank that sleeps until the others arrive.
  private static let pause = timespec(tv_sec: 0, tv_nsec: 2_000_000)

  /// Open MPI's handle of these ranks, which is changed only when they leave.
  private var communicator: MPI_Comm?
  private let adding: OrderedSum
  /// The lock of MPI, which all worlds of a process share.
  private let progress: SumProgress
  /// True for all ranks of the job; false for some of them.
  private let isWhole: Bool
  /// The number of nonblocking sums that were made so far. Calls come one at a time.
  private var sums: Int32 = 0

  /// Starts MPI, once per process, and returns the world of all its ranks.
  ///
  /// A later call returns the same world.
  public static func start() throws(CommunicationError) -> MPI { try started.get() }

  private static let started = Result { () throws(CommunicationError) in try MPI() }

  private convenience init() throws(CommunicationError) {
    // Calls come one at a time, but not always from the thread that started MPI.
    var provided: Int32 = 0
    try check("MPI_Init_thread", MPI_Init_thread(nil, nil, Int32(MPI_THREAD_SERIALIZED), &provided))
    guard provided >= Int32(MPI_THREAD_SERIALIZED) else {
      throw .launcher(
        "This Open MPI was built without support for threads: install one that has it.")
    }
    try self.init(unroll_comm_world(), progress: SumProgress(), isWhole: true)
  }

  /// Makes the world of a communicator. Collective over its ranks.
  private init(
    _ communicator: MPI_Comm?, progress: SumProgress, isWhole: Bool
  ) throws(CommunicationError) {
    try check(
      "MPI_Comm_set_errhandler", MPI_Comm_set_errhandler(communicator, unroll_errors_return()))
    var rank: Int32 = 0
    var size: Int32 = 0
    try check("MPI_Comm_rank", MPI_Comm_rank(communicator, &rank))
    try check("MPI_Comm_size", MPI_Comm_size(communicator, &size))

    var node: MPI_Comm? = nil
    var nodeRank: Int32 = 0
    var nodeSize: Int32 = 0
    try check("MPI_Comm_split_type", unroll_split_by_node(communicator, rank, &node))
    try check("MPI_Comm_rank", MPI_Comm_rank(node, &nodeRank))
    try check("MPI_Comm_size", MPI_Comm_size(node, &nodeSize))
    try check("MPI_Comm_free", MPI_Comm_free(&node))

    self.communicator = communicator
    self.progress = progress
    self.isWhole = isWhole
    (self.rank, self.size) = (Int(rank), Int(size))
    adding = OrderedSum(
      rank: Int(rank), size: Int(size), pieceBytes: MPI.pieceBytes, communicator: communicator)
    (self.nodeRank, self.nodeSize) = (Int(nodeRank), Int(nodeSize))
  }

  public func split(by color: Int?) throws(CommunicationError) -> (any Communicator)? {
    precondition(color ?? 0 >= 0 && color ?? 0 < 32_768, "color \(color ?? 0)")
    var part: MPI_Comm? = nil
    try progress.exclusively { () throws(CommunicationError) in
      let code = MPI_Comm_split(
        communicator, color.map { Int32($0) } ?? Int32(MPI_UNDEFINED), Int32(rank), &part)
      try check("MPI_Comm_split", code)
    }
    if color == nil { return nil }
    return try progress.exclusively { () throws(CommunicationError) in
      try MPI(part, progress: progress, isWhole: false)
    }
  }

  public func sum(_ values: UnsafeMutableBufferPointer<Float>) throws(CommunicationError) {
    try progress.exclusively { () throws(CommunicationError) in
      try adding.add(values, of: unroll_float())
    }
  }

  public func sum(_ values: UnsafeMutableBufferPointer<Double>) throws(CommunicationError) {
    try progress.exclusively { () throws(CommunicationError) in
      try adding.add(values, of: unroll_double())
    }
  }

  public func sumInTree(
    _ values: UnsafeMutableBufferPointer<Real>
  ) throws(CommunicationError) {
    try progress.exclusively { () throws(CommunicationError) in
      try adding.add(values, of: Self.real, inTree: true)
    }
  }

  /// The type of a number of the gradient.
  private static var real: MPI_Datatype? {
    Real.self == Float.self ? unroll_float() : unroll_double()
  }

  /// Replaces every number by its sum over all ranks with the library's own sum, whose order of terms it chooses
  /// itself. For comparison.
  package func sumByLibrary(
    _ values: UnsafeMutableBufferPointer<Real>
  ) throws(CommunicationError) {
    try progress.exclusively { () throws(CommunicationError) in
      let code = MPI_Allreduce(
        unroll_in_place(), values.baseAddress, Int32(values.count),
        Self.real, unroll_sum(), communicator)
      try check("MPI_Allreduce", code)
    }
  }

  public func splitByNode() throws(CommunicationError) -> any Communicator {
    try progress.exclusively { () throws(CommunicationError) in
      var node: MPI_Comm? = nil
      let code = unroll_split_by_node(communicator, Int32(rank), &node)
      try check("MPI_Comm_split_type", code)
      return try MPI(node, progress: progress, isWhole: false)
    }
  }

  public func shareMemory(bytes: Int) throws(CommunicationError) -> SharedMemory {
    try makeSharedMemory(bytes: bytes) { [progress] () throws(CommunicationError) in
      try progress.advance()
      sched_yield()
    }
  }

  public func makeSum(
    of values: UnsafeMutableBufferPointer<Real>, wire: Precision, parts: [Range<Int>]?,
    _ half: SumHalf
  ) -> any PendingSum {
    guard size > 1, !values.isEmpty else {
      return BlockingSum(of: values, wire: wire, parts: parts, half, in: self)
    }
    // Messages of sums that share a tag arrive in the order in which they were started, which is the
    // same on every rank.
    sums = sums % 32_000 + 1
    return NonblockingSum(
      of: values, wire: wire, parts: parts, half, rank: rank, size: size, tag: sums,
      progress: progress, communicator: communicator)
  }

  public func sum(_ values: UnsafeMutableBufferPointer<Int32>) throws(CommunicationError) {
    try reduce(values, of: unroll_int(), by: unroll_sum())
  }

  public func max(_ values: UnsafeMutableBufferPointer<Double>) throws(CommunicationError) {
    try reduce(values, of: unroll_double(), by: unroll_max())
  }

  public func max(_ values: UnsafeMutableBufferPointer<Int32>) throws(CommunicationError) {
    try reduce(values, of: unroll_int(), by: unroll_max())
  }

  private func reduce<Element>(
    _ values: UnsafeMutableBufferPointer<Element>, of type: MPI_Datatype?, by operation: MPI_Op?
  ) throws(CommunicationError) {
    let piece = MPI.pieceBytes / MemoryLayout<Element>.stride
    var first = 0
    while first < values.count {
      let count = Swift.min(piece, values.count - first)
      var request: MPI_Request?
      try progress.exclusively { () throws(CommunicationError) in
        let code = MPI_Iallreduce(
          unroll_in_place(), values.baseAddress! + first, Int32(count), type, operation,
          communicator, &request)
        try check("MPI_Iallreduce", code)
      }
      try progress.wait { () throws(CommunicationError) in
        var isDone: Int32 = 0
        try check("MPI_Test", MPI_Test(&request, &isDone, unroll_status_ignore()))
        return isDone != 0
      }
      first += count
    }
  }

  public func broadcast(_ bytes: [UInt8], from root: Int) throws(CommunicationError) -> [UInt8] {
    precondition(root >= 0 && root < size, "root \(root) of a world of \(size) ranks")
    var count = encode(bytes.count)
    try spread(&count, from: root)
    guard rank == root else {
      var result = [UInt8](repeating: 0, count: decode(count))
      try spread(&result, from: root)
      return result
    }
    // MPI only reads the root's bytes, which may be many: no copy is made of them.
    try bytes.withUnsafeBufferPointer { memory throws(CommunicationError) in
      try spread(UnsafeMutableBufferPointer(mutating: memory), from: root)
    }
    return bytes
  }

  private func spread(_ bytes: inout [UInt8], from root: Int) throws(CommunicationError) {
    try bytes.withUnsafeMutableBufferPointer { memory throws(CommunicationError) in
      try spread(memory, from: root)
    }
  }

  private func spread(
    _ memory: UnsafeMutableBufferPointer<UInt8>, from root: Int
  ) throws(CommunicationError) {
    try inPieces(memory.count) { first, count throws(CommunicationError) in
      try progress.exclusively { () throws(CommunicationError) in
        let code = MPI_Bcast(
          memory.baseAddress! + first, count, unroll_byte(), Int32(root), communicator)
        try check("MPI_Bcast", code)
      }
    }
  }

  public func gather(_ bytes: [UInt8], at root: Int) throws(CommunicationError) -> [[UInt8]] {
    precondition(root >= 0 && root < size, "root \(root) of a world of \(size) ranks")
    // One rank after another rather than one MPI_Gatherv, whose total must fit into 32 bits.
    guard rank == root else {
      try send(encode(bytes.count), to: root)
      try send(bytes, to: root)
      return []
    }
    var gathered: [[UInt8]] = []
    for other in 0..<size {
      if other == root {
        gathered.append(bytes)
      } else {
        let count = decode(try receive(MemoryLayout<Int64>.size, from: other))
        gathered.append(try receive(count, from: other))
      }
    }
    return gathered
  }

  public func scatter(
    _ parts: [[UInt8]], from root: Int
  ) throws(CommunicationError) -> [UInt8] {
    precondition(root >= 0 && root < size, "root \(root) of a world of \(size) ranks")
    guard rank == root else {
      let count = decode(try receive(MemoryLayout<Int64>.size, from: root))
      return try receive(count, from: root)
    }
    precondition(parts.count == size, "\(parts.count) parts for \(size) ranks")
    for other in 0..<size where other != root {
      try send(encode(parts[other].count), to: other)
      try send(parts[other], to: other)
    }
    return parts[root]
  }

  public func send(_ bytes: UnsafeRawBufferPointer, to other: Int) throws(CommunicationError) {
    precondition(isOther(other), "rank \(rank) of \(size) sends to \(other)")
    try inPieces(bytes.count) { first, count throws(CommunicationError) in
      try progress.exclusively { () throws(CommunicationError) in
        let code = MPI_Send(
          bytes.baseAddress! + first, count, unroll_byte(), Int32(other), MPI.messageTag,
          communicator)
        try check("MPI_Send", code)
      }
    }
  }

  public func receive(
    _ bytes: UnsafeMutableRawBufferPointer, from other: Int
  ) throws(CommunicationError) {
    precondition(isOther(other), "rank \(rank) of \(size) receives from \(other)")
    try inPieces(bytes.count) { first, count throws(CommunicationError) in
      try progress.exclusively { () throws(CommunicationError) in
        let code = MPI_Recv(
          bytes.baseAddress! + first, count, unroll_byte(), Int32(other), MPI.messageTag,
          communicator, unroll_status_ignore())
        try check("MPI_Recv", code)
      }
    }
  }

  private func isOther(_ other: Int) -> Bool { other != rank && (0..<size).contains(other) }

  /// Calls `body` with the first byte and the length of each piece of `total` bytes.
  private func inPieces(
    _ total: Int, _ body: (Int, Int32) throws(CommunicationError) -> Void
  ) throws(CommunicationError) {
    for first in stride(from: 0, to: total, by: MPI.pieceBytes) {
      try body(first, Int32(Swift.min(MPI.pieceBytes, total - first)))
    }
  }

  public func barrier() throws(CommunicationError) {
    try progress.exclusively { () throws(CommunicationError) in
      try check("MPI_Barrier", MPI_Barrier(communicator))
    }
  }

  public func sleepingBarrier() throws(CommunicationError) {
    var request: MPI_Request?
    try progress.exclusively { () throws(CommunicationError) in
      try check("MPI_Ibarrier", MPI_Ibarrier(communicator, &request))
    }
    try progress.wait(pausing: MPI.pause) { () throws(CommunicationError) in
      var isDone: Int32 = 0
      try check("MPI_Test", MPI_Test(&request, &isDone, unroll_status_ignore()))
      return isDone != 0
    }
  }

  public func abort(code: Int32) -> Never {
    unroll_abort(code)
  }

  public func finish() throws(CommunicationError) {
    var finished: Int32 = 0
    try check("MPI_Finalized", MPI_Finalized(&finished))
    if finished != 0 { return }
    try barrier()
    try progress.exclusively { () throws(CommunicationError) in
      if isWhole {
        try check("MPI_Finalize", MPI_Finalize())
      } else {
        try check("MPI_Comm_free", MPI_Comm_free(&communicator))
      }
    }
  }
}

/// Encodes a length, which is sent before the bytes themselves.
private func encode(_ count: Int) -> [UInt8] { withUnsafeBytes(of: Int64(count)) { Array($0) } }

private func decode(_ count: [UInt8]) -> Int {
  count.withUnsafeBytes { Int($0.loadUnaligned(as: Int64.self)) }
}

/// Turns an error code of MPI into a thrown error.
func check(_ operation: String, _ code: Int32) throws(CommunicationError) {
  if code == MPI_SUCCESS { return }
  var reason = [CChar](repeating: 0, count: Int(MPI_MAX_ERROR_STRING) + 1)
  var length: Int32 = 0
  MPI_Error_string(code, &reason, &length)
  var rank: Int32 = 0
  var size: Int32 = 1
  MPI_Comm_rank(unroll_comm_world(), &rank)
  MPI_Comm_size(unroll_comm_world(), &size)
  throw .failed(
    operation: operation, rank: Int(rank), size: Int(size), host: nameOfHost(),
    reason: String(decoding: reason.prefix(Int(length)).map(UInt8.init(bitPattern:)), as: UTF8.self)
  )
}
