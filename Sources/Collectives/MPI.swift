internal import COpenMPI
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

  private let adding: OrderedSum
  private let progress = SumProgress()
  /// The number of nonblocking sums that were made so far. Calls come one at a time.
  private var sums: Int32 = 0

  /// Starts MPI, once per process, and returns the world of all its ranks.
  ///
  /// A later call returns the same world.
  public static func start() throws(CommunicationError) -> MPI { try started.get() }

  private static let started = Result { () throws(CommunicationError) in try MPI() }

  private init() throws(CommunicationError) {
    // Calls come one at a time, but not always from the thread that started MPI.
    var provided: Int32 = 0
    try check("MPI_Init_thread", MPI_Init_thread(nil, nil, Int32(MPI_THREAD_SERIALIZED), &provided))
    guard provided >= Int32(MPI_THREAD_SERIALIZED) else {
      throw .launcher(
        "This Open MPI was built without support for threads: install one that has it.")
    }
    let world = unroll_comm_world()
    try check("MPI_Comm_set_errhandler", MPI_Comm_set_errhandler(world, unroll_errors_return()))

    var rank: Int32 = 0
    var size: Int32 = 0
    try check("MPI_Comm_rank", MPI_Comm_rank(world, &rank))
    try check("MPI_Comm_size", MPI_Comm_size(world, &size))

    var node: MPI_Comm? = nil
    var nodeRank: Int32 = 0
    var nodeSize: Int32 = 0
    try check("MPI_Comm_split_type", unroll_split_by_node(world, rank, &node))
    try check("MPI_Comm_rank", MPI_Comm_rank(node, &nodeRank))
    try check("MPI_Comm_size", MPI_Comm_size(node, &nodeSize))
    try check("MPI_Comm_free", MPI_Comm_free(&node))

    (self.rank, self.size) = (Int(rank), Int(size))
    adding = OrderedSum(rank: Int(rank), size: Int(size), pieceBytes: MPI.pieceBytes)
    (self.nodeRank, self.nodeSize) = (Int(nodeRank), Int(nodeSize))
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

  public func makeSum(
    of values: UnsafeMutableBufferPointer<Real>, wire: Precision
  ) -> any PendingSum {
    guard size > 1, !values.isEmpty else { return BlockingSum(of: values, wire: wire, in: self) }
    // MPI guarantees tags up to 32,767. Messages of sums that share a tag arrive in the order in
    // which they were started, which is the same on every rank.
    sums = sums % 32_000 + 1
    return NonblockingSum(
      of: values, wire: wire, rank: rank, size: size, tag: sums, progress: progress)
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
          unroll_comm_world(), &request)
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
    var result = rank == root ? bytes : [UInt8](repeating: 0, count: decode(count))
    try spread(&result, from: root)
    return result
  }

  private func spread(_ bytes: inout [UInt8], from root: Int) throws(CommunicationError) {
    try bytes.withUnsafeMutableBufferPointer { memory throws(CommunicationError) in
      try inPieces(memory.count) { first, count throws(CommunicationError) in
        try progress.exclusively { () throws(CommunicationError) in
          let code = MPI_Bcast(
            memory.baseAddress! + first, count, unroll_byte(), Int32(root), unroll_comm_world())
          try check("MPI_Bcast", code)
        }
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

  private func send(_ bytes: [UInt8], to other: Int) throws(CommunicationError) {
    try bytes.withUnsafeBufferPointer { memory throws(CommunicationError) in
      try inPieces(memory.count) { first, count throws(CommunicationError) in
        try progress.exclusively { () throws(CommunicationError) in
          let code = MPI_Send(
            memory.baseAddress! + first, count, unroll_byte(), Int32(other), 0, unroll_comm_world())
          try check("MPI_Send", code)
        }
      }
    }
  }

  private func receive(_ count: Int, from other: Int) throws(CommunicationError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withUnsafeMutableBufferPointer { memory throws(CommunicationError) in
      try inPieces(memory.count) { first, count throws(CommunicationError) in
        try progress.exclusively { () throws(CommunicationError) in
          let code = MPI_Recv(
            memory.baseAddress! + first, count, unroll_byte(), Int32(other), 0, unroll_comm_world(),
            unroll_status_ignore())
          try check("MPI_Recv", code)
        }
      }
    }
    return bytes
  }

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
      try check("MPI_Barrier", MPI_Barrier(unroll_comm_world()))
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
      try check("MPI_Finalize", MPI_Finalize())
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
