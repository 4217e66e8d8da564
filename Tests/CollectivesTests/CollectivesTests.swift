import Collectives
import LinearAlgebra
import TestSupport
import Testing

/// Properties of every communicator.
@Suite(.serialized) struct `Sums and other collectives` {
  static let floatsPerPiece = MPI.pieceBytes / 4
  static let sizes = [
    0, 1, floatsPerPiece - 1, floatsPerPiece, floatsPerPiece + 1, 3 * floatsPerPiece + 5,
  ]

  /// Small whole numbers that differ from rank to rank and place to place, so that sums are exact.
  static func number(_ rank: Int, _ place: Int) -> Int { (rank + 1) * (place % 89 + 3) + 7 * rank }

  static func total(_ size: Int, _ place: Int) -> Int {
    (0..<size).reduce(0) { $0 + number($1, place) }
  }

  static func isTotal<Element: Numeric & BinaryFloatingPoint>(_ values: [Element], _ size: Int)
    -> Bool
  {
    values.indices.allSatisfy { values[$0] == Element(total(size, $0)) }
  }

  @Test(arguments: World.upToFour)
  func `Ranks are numbered from 0, and the ranks of a host are counted`(_ world: World) throws {
    for local in try world.run({ ($0.rank, $0.size, $0.nodeRank, $0.nodeSize, $0.hostName) }) {
      let (rank, size, nodeRank, nodeSize, host) = local.value
      #expect(rank == local.rank)
      #expect(size == local.size)
      #expect((0..<nodeSize).contains(nodeRank))
      #expect(nodeSize <= size)
      #expect(!host.isEmpty)
    }
    let gathered = try world.run { world in
      try world.allGather(Array("\(world.hostName) \(world.nodeRank)".utf8))
    }
    for local in gathered { #expect(Set(local.value).count == local.size) }
  }

  @Test(arguments: World.upToFour, sizes)
  func `Floats are summed in vectors of any length`(_ world: World, _ count: Int) throws {
    let locals = try world.run { world in
      let buffer = Buffer<Float>(count: count)
      for i in 0..<count { buffer.start[i] = Float(Self.number(world.rank, i)) }
      try world.sum(buffer)
      return Array(buffer.elements())
    }
    for local in locals { #expect(Self.isTotal(local.value, local.size)) }
  }

  @Test(arguments: World.upToFour, sizes)
  func `Doubles are summed in vectors of any length`(_ world: World, _ count: Int) throws {
    let locals = try world.run { world in
      let buffer = Buffer<Double>(count: count)
      for i in 0..<count { buffer.start[i] = Double(Self.number(world.rank, i)) }
      try world.sum(buffer)
      return Array(buffer.elements())
    }
    for local in locals { #expect(Self.isTotal(local.value, local.size)) }
  }

  /// Numbers whose sum depends on the order of its terms.
  static func uneven(_ rank: Int, _ place: Int) -> Double {
    let random = Philox(seed: 4, name: "rank \(rank)")
    return random.normal(UInt64(place % 3_001)) * [1, 1e3, 1e-4][(place + rank) % 3]
  }

  @Test(arguments: World.upToFour, sizes + [5, 40, 1_000, 5_003, 20_011])
  func `Numbers are added in the order of ranks, the same bits on each, in vectors of any length`(
    _ world: World, _ count: Int
  ) throws {
    let locals = try world.run { world -> Bool in
      let singles = Buffer<Float>(count: count)
      let doubles = Buffer<Double>(count: count)
      for i in 0..<count {
        doubles.start[i] = Self.uneven(world.rank, i)
        singles.start[i] = Float(doubles.start[i])
      }
      try world.sum(singles)
      try world.sum(doubles)
      for i in Set((0..<count).prefix(3_001)).union((0..<count).suffix(3_001)) {
        var (single, double): (Float, Double) = (Float(Self.uneven(0, i)), Self.uneven(0, i))
        for rank in 1..<Swift.max(world.size, 1) {
          single += Float(Self.uneven(rank, i))
          double += Self.uneven(rank, i)
        }
        if singles.start[i] != single || doubles.start[i] != double { return false }
      }
      return true
    }
    for local in locals { #expect(local.value) }
  }

  @Test(arguments: World.upToFour)
  func `A part of a buffer is summed and the rest left alone`(_ world: World) throws {
    let locals = try world.run { world in
      let buffer = Buffer<Float>(count: 11)
      for i in 0..<11 { buffer.start[i] = Float(world.rank + 1) }
      try world.sum(buffer.elements(from: 3, count: 5))
      return Array(buffer.elements())
    }
    for local in locals {
      let own = Float(local.rank + 1)
      let sum = Float(local.size * (local.size + 1) / 2)
      #expect(local.value == [own, own, own, sum, sum, sum, sum, sum, own, own, own])
    }
  }

  @Test(arguments: World.upToFour)
  func `Whole numbers are summed and their largest found`(_ world: World) throws {
    let locals = try world.run { world in
      var sum: [Int32] = [1, Int32(world.rank), -5]
      try world.sum(&sum)
      var largest: [Int32] = [Int32(world.rank), -Int32(world.rank), -9]
      try world.max(&largest)
      return (sum, largest)
    }
    for local in locals {
      let size = Int32(local.size)
      #expect(local.value.0 == [size, size * (size - 1) / 2, -5 * size])
      #expect(local.value.1 == [size - 1, 0, -9])
    }
  }

  @Test(arguments: World.upToFour)
  func `A tally of doubles is summed and its largest found`(_ world: World) throws {
    let locals = try world.run { world in
      var sum = [0.5, Double(world.rank), 1e300]
      try world.sum(&sum)
      var largest = [-Double(world.rank) - 0.25, Double(world.rank)]
      try world.max(&largest)
      return (sum, largest)
    }
    for local in locals {
      let size = Double(local.size)
      #expect(local.value.0.dropLast() == [size / 2, size * (size - 1) / 2])
      #expect(abs(local.value.0[2] / 1e300 - size) < 1e-12)
      #expect(local.value.1 == [-0.25, size - 1])
    }
  }

  @Test(arguments: World.upToFour)
  func `A number that is not one is seen by all ranks after a sum`(_ world: World) throws {
    let locals = try world.run { world in
      var values = [world.rank == world.size - 1 ? Double.nan : 1, 2]
      try world.sum(&values)
      return values
    }
    for local in locals {
      #expect(local.value[0].isNaN)
      #expect(local.value[1] == 2 * Double(local.size))
    }
  }

  static let lengths = [0, 1, 1000, MPI.pieceBytes, 2 * MPI.pieceBytes + 3]

  @Test(arguments: World.upToFour, lengths)
  func `Every root can send bytes that only it knows the length of`(
    _ world: World, _ length: Int
  ) throws {
    @Sendable func message(_ root: Int) -> [UInt8] {
      (0..<length + root).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ root) }
    }
    let locals = try world.run { world in
      try (0..<world.size).map { root in
        try world.broadcast(world.rank == root ? message(root) : [9, 9], from: root)
      }
    }
    for local in locals { #expect(local.value == (0..<local.size).map(message)) }
  }

  @Test(arguments: World.upToFour)
  func `Bytes of different lengths are gathered by rank`(_ world: World) throws {
    // Rank 1 has nothing to say, and the last rank more than a piece.
    @Sendable func message(_ rank: Int, _ size: Int) -> [UInt8] {
      let length = rank == size - 1 ? MPI.pieceBytes + 17 : rank == 1 ? 0 : 5 + 40 * rank
      return [UInt8](repeating: UInt8(rank + 1), count: length)
    }
    let locals = try world.run { world in
      let own = message(world.rank, world.size)
      return (
        try world.gather(own), try world.gather(own, at: world.size - 1), try world.allGather(own)
      )
    }
    for local in locals {
      let all = (0..<local.size).map { message($0, local.size) }
      #expect(local.value.0 == (local.rank == 0 ? all : []))
      #expect(local.value.1 == (local.rank == local.size - 1 ? all : []))
      #expect(local.value.2 == all)
    }
  }

  @Test(arguments: World.upToFour)
  func `Each rank gets its own part of what one has, of any length`(_ world: World) throws {
    @Sendable func part(_ rank: Int, _ size: Int, _ root: Int) -> [UInt8] {
      let length = rank == size - 1 ? MPI.pieceBytes + 17 + root : rank == 1 ? 0 : 5 + 40 * rank
      return [UInt8](repeating: UInt8(rank + 3 * root + 1), count: length)
    }
    let locals = try world.run { world in
      try (0..<world.size).map { root in
        let parts = (0..<world.size).map { part($0, world.size, root) }
        // What others than the root pass is ignored.
        return try world.scatter(world.rank == root ? parts : [[7]], from: root)
      }
    }
    for local in locals {
      #expect(local.value == (0..<local.size).map { part(local.rank, local.size, $0) })
    }
  }

  @Test(arguments: World.upToFour)
  func `Ranks agree on equal digests and name the lowest that differs`(_ world: World) throws {
    let locals = try world.run { world in
      let same = try world.agree(on: [1, 2, 3])
      let lastDiffers = try world.agree(on: world.rank == world.size - 1 ? [1, 2] : [1, 2, 3])
      let allDiffer = try world.agree(on: [UInt8(world.rank)])
      return [same, lastDiffers, allDiffer]
    }
    for local in locals {
      #expect(
        local.value
          == (local.size == 1
            ? [.unanimous, .unanimous, .unanimous]
            : [.unanimous, .dissent(rank: local.size - 1), .dissent(rank: 1)]))
    }
  }

  struct Refused: Error, Equatable, CustomStringConvertible {
    let rank: Int
    var description: String { "rank \(rank) cannot read its file" }
  }

  @Test(arguments: World.upToFour)
  func `What works everywhere keeps its values`(_ world: World) throws {
    for local in try world.run({ world in try world.unanimous { world.rank * 3 } }) {
      #expect(local.value == local.rank * 3)
    }
  }

  @Test(arguments: World.upToFour)
  func `What fails on any rank fails on all, and one rank speaks`(_ world: World) throws {
    // The second half of the ranks fails; all of them do in a world of one.
    let locals = try world.run { world in
      do {
        try world.unanimous { if world.rank >= world.size / 2 { throw Refused(rank: world.rank) } }
        return "none"
      } catch let error as Refused {
        // The ranks can still work together.
        try world.barrier()
        return "own \(error.rank)"
      } catch let error as FailedElsewhere {
        try world.barrier()
        return "\(error)"
      }
    }
    for local in locals {
      let speaker = local.size / 2
      #expect(
        local.value
          == (local.rank == speaker
            ? "own \(speaker)" : "Rank \(speaker) failed: rank \(speaker) cannot read its file"))
    }
  }
}
