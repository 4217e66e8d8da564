internal import Collectives
internal import Configuration
internal import LinearAlgebra
internal import Recurrence

/// The ranks as rows and columns: each row is the ranks of a host, which share memory, and each column the
/// ranks that own the same slice of the parameters, one of each host.
///
/// An owner sums its slice of the gradients of its row in the order of ranks, sums that with the others of its
/// column in the order of hosts, and updates its slice of the weights. Where the optimizer is sharded, too,
/// the ranks of a column share their slice out among each other. Without shared memory every rank is a row
/// of its own.
final class RankGrid {
  let world: any Communicator
  /// The memory that this row shares; nil for rows of one rank.
  let memory: SharedMemory?
  /// The ranks of this row, and the place of this rank among them.
  let rowSize, rowRank: Int
  /// The ranks of this column; nil for a rank that owns no slice.
  let column: (any Communicator)?
  /// The number of rows.
  let rows: Int
  /// The number of slices: the fewest ranks of any row.
  let slices: Int
  /// True if the ranks of a column share their slice out.
  let isSharded: Bool
  /// The memory for sums of squares, of which two are used in turns.
  private var squares: [Buffer<Double>] = []
  private var turn = 0

  private init(
    _ world: any Communicator, memory: SharedMemory?, row: (size: Int, rank: Int),
    column: (any Communicator)?, rows: Int, slices: Int, isSharded: Bool
  ) {
    (self.world, self.memory, self.column) = (world, memory, column)
    (rowSize, rowRank) = row
    self.rows = rows
    (self.slices, self.isSharded) = (slices, isSharded)
  }

  /// The number of vectors as long as the weights in shared memory, besides one gradient of each rank.
  struct Vectors {
    let count: Int

    /// - Parameter moments: The moments of the optimizer.
    init(moments: Int, hasAverage: Bool) { count = 1 + moments + (hasAverage ? 1 : 0) }
  }

  /// Returns the grid that the section `communication` asks for; nil for ranks that each sum all gradients
  /// and update all weights. Collective; every rank gets the same answer or error.
  /// - Throws: `noSharedMemory` if memory must be shared and cannot.
  static func make(
    _ options: CommunicationOptions, _ layout: ParameterLayout, _ vectors: Vectors,
    in world: any Communicator
  ) throws(CommunicationError) -> (grid: RankGrid?, note: String?) {
    guard world.size > 1, options.sumsWholeGradientsInOrder else {
      return (nil, nil)
    }
    var sizes = [-Int32(world.nodeSize), Int32(world.nodeSize)]
    try world.max(&sizes)
    let (least, most) = (Int(-sizes[0]), Int(sizes[1]))
    var note: String?
    if options.sharesMemory(least: least, most: most, ranks: world.size) {
      let bytes =
        (vectors.count + world.nodeSize) * SharedMemory.bytes(of: Real.self, count: layout.count)
        + 2 * SharedMemory.bytes(of: Double.self, count: layout.blocks.count)
        + SharedMemory.bytes(of: Int.self, count: packTable(layout))
        + SharedMemory.bytes(of: UInt8.self, count: packRoom(layout))
      let node = try world.splitByNode()
      do {
        let memory = try share(bytes, on: node, world)
        let column = try world.split(by: node.rank < least ? node.rank : nil)
        var rows = [Int32(node.isRoot ? 1 : 0)]
        try world.sum(&rows)
        let grid = RankGrid(
          world, memory: memory, row: (node.size, node.rank), column: column, rows: Int(rows[0]),
          slices: least,
          isSharded: options.shardOptimizer && most < world.size)
        grid.squares = (0..<2).map { _ in memory.take(Double.self, count: layout.blocks.count) }
        return (grid, nil)
      } catch {
        if options.node == .shared { throw error }
        note = "\(error)"
      }
    } else if options.node == .shared {
      note =
        "communication.node: shared does nothing, because every host has one rank: it shares memory "
        + "with no other"
    }
    guard options.shardOptimizer else { return (nil, note) }
    let grid = RankGrid(
      world, memory: nil, row: (1, 0), column: world, rows: world.size, slices: 1, isSharded: true)
    return (grid, note)
  }

  /// Makes memory on each host, or fails on all ranks if it cannot on one host.
  private static func share(
    _ bytes: Int, on node: any Communicator, _ world: any Communicator
  ) throws(CommunicationError) -> SharedMemory {
    var outcome: Result<SharedMemory, CommunicationError>
    do throws(CommunicationError) {
      outcome = .success(try node.shareMemory(bytes: bytes))
    } catch {
      outcome = .failure(error)
    }
    var message = ""
    if case .failure(.noSharedMemory(let host, let reason)) = outcome {
      message = host + "\n" + reason
    }
    for other in try world.allGather(Array(message.utf8)) where !other.isEmpty {
      let parts = String(decoding: other, as: UTF8.self).split(separator: "\n", maxSplits: 1)
      outcome = .failure(.noSharedMemory(host: String(parts[0]), reason: String(parts.last!)))
      break
    }
    return try outcome.get()
  }

  /// Makes vectors in the memory of this row.
  func place(_ layout: ParameterLayout) -> ParameterLayout {
    var placed = layout
    if let memory {
      placed.memory = { memory.take(Real.self, count: $0) }
    } else {
      placed.memory = { Buffer(sparse: $0) }
    }
    return placed
  }

  /// Makes the gradients of all ranks of this row, which can read each other's.
  func makeGradients(_ layout: ParameterLayout) -> [Buffer<Real>] {
    (0..<rowSize).map { _ in
      memory?.take(Real.self, count: layout.count) ?? Buffer(count: layout.count)
    }
  }

  /// The numbers in the table of packed copies.
  private static func packTable(_ layout: ParameterLayout) -> Int {
    SharedPacks.tableCount(weights: layout.entries.count + layout.constants.count)
  }

  /// Room for the packed copies in any form. What is not used takes no memory.
  private static func packRoom(_ layout: ParameterLayout) -> Int {
    (layout.entries + layout.constants).reduce(0) { $0 + 32 * $1.count + (1 << 20) }
  }

  /// Makes the place of packed copies of the weights that this row shares.
  func makePacks(_ layout: ParameterLayout) -> SharedPacks? {
    memory.map {
      SharedPacks(
        table: $0.take(Int.self, count: Self.packTable(layout)),
        memory: $0.take(UInt8.self, count: Self.packRoom(layout)), rank: rowRank, of: rowSize)
    }
  }

  /// Returns when the ranks of this row have come as far and see what the others wrote.
  func barrier() throws(CommunicationError) { try memory?.barrier() }

  /// Fills in the sums of squares of the blocks of other ranks. Collective.
  func share(
    _ squares: Buffer<Double>, of slice: ParameterSlice
  ) throws(CommunicationError) {
    guard !isSharded, let memory else {
      for index in 0..<squares.count where !slice.isOwn[index] { squares.start[index] = 0 }
      return try world.sum(squares)
    }
    // A rank that writes here again has passed the barrier after which all had read it.
    let shared = self.squares[turn]
    turn = 1 - turn
    for index in 0..<squares.count where slice.isOwn[index] {
      shared.start[index] = squares.start[index]
    }
    try memory.barrier()
    squares.copy(from: shared)
  }
}
