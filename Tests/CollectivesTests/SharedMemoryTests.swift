import Collectives
import Foundation
import LinearAlgebra
import TestSupport
import Testing

@Suite(.serialized) struct `Memory that the ranks of a host share` {
  static let worlds = World.upToFour + (World.isLaunched ? [] : World.spread)

  @Test(arguments: worlds)
  func `is the same for all of them, and zero at first`(_ world: World) throws {
    let locals = try world.run { world -> [String] in
      let node = try world.splitByNode()
      let count = 3 * 700_001
      let memory = try node.shareMemory(
        bytes: SharedMemory.bytes(of: Float.self, count: 5)
          + SharedMemory.bytes(of: Int.self, count: count))
      let few = memory.take(Float.self, count: 5)
      let many = memory.take(Int.self, count: count)
      var found: [String] = []
      if node.size != world.nodeSize || node.rank != world.nodeRank { found.append("ranks") }
      if !few.elements().allSatisfy({ $0 == 0 }) || !many.elements().allSatisfy({ $0 == 0 }) {
        found.append("not zero")
      }
      if UInt(bitPattern: many.start) % 64 != 0 { found.append("alignment") }
      try memory.barrier()
      // Each rank writes every so manieth number, and reads all.
      for place in stride(from: node.rank, to: count, by: node.size) {
        many.start[place] = 7 * place + world.rank
      }
      try memory.barrier()
      for place in 0..<count {
        let writer = world.rank - node.rank + place % node.size
        if many.start[place] != 7 * place + writer { found = ["number \(place)"] }
      }
      try memory.barrier()
      return found
    }
    for local in locals { #expect(local.value.isEmpty) }
  }

  @Test(arguments: worlds)
  func `has a barrier that nobody passes before all have arrived`(_ world: World) throws {
    let locals = try world.run { world -> Bool in
      let node = try world.splitByNode()
      let memory = try node.shareMemory(bytes: SharedMemory.bytes(of: Int.self, count: 64))
      let turns = memory.take(Int.self, count: 64)
      var isKept = true
      for turn in 1...2_000 {
        turns.start[node.rank] = turn
        // Every rank is late at some turns.
        if turn % 97 == node.rank { usleep(300) }
        try memory.barrier()
        for rank in 0..<node.size where turns.start[rank] != turn { isKept = false }
        try memory.barrier()
      }
      return isKept
    }
    for local in locals { #expect(local.value) }
  }

  @Test(arguments: worlds, [0, 1, 3, 4_096, 100_003])
  func `holds terms whose sum has the bits of a sum of messages`(
    _ world: World, _ count: Int
  ) throws {
    let locals = try world.run { world -> Bool in
      let node = try world.splitByNode()
      let memory = try node.shareMemory(
        bytes: node.size * SharedMemory.bytes(of: Real.self, count: count))
      let terms = (0..<node.size).map { _ in memory.take(Real.self, count: count) }
      let own = `Sums under way`.filled(count, by: world.rank)
      terms[node.rank].copy(from: own)
      try memory.barrier()
      let range = count / 3..<count
      OrderedTerms(terms, own: node.rank).add(node.rank == 0 ? 0..<count : 0..<0)
      try memory.barrier()
      try node.sum(own.elements())
      for place in 0..<count where terms[0].start[place].bitPattern != own.start[place].bitPattern {
        return false
      }
      try memory.barrier()
      // Every rank can be the one that adds, and the rest of its numbers stays.
      let again = `Sums under way`.filled(count, by: world.rank)
      for adder in 0..<node.size {
        terms[node.rank].copy(from: again)
        try memory.barrier()
        if node.rank == adder {
          OrderedTerms(terms, own: adder).add(range)
          for place in 0..<count {
            let expected = range.contains(place) ? own.start[place] : again.start[place]
            if terms[adder].start[place].bitPattern != expected.bitPattern { return false }
          }
        }
        try memory.barrier()
      }
      return true
    }
    for local in locals { #expect(local.value) }
  }
}

@Suite(.serialized) struct `Halves of a sum` {
  /// The parts of ranks, one of them empty, with gaps that belong to nobody.
  static func parts(_ count: Int, _ size: Int) -> [Range<Int>] {
    (0..<size).map { rank in
      let first = rank * (count / size)
      return rank == 1 ? first..<first : first..<first + count / size - 2
    }
  }

  @Test(arguments: World.upToFour, [Precision.float32, .bfloat16])
  func `give each rank the sums of its part, and then all ranks those of all`(
    _ world: World, _ wire: Precision
  ) throws {
    let locals = try world.run { world -> [String] in
      var found: [String] = []
      for count in [12, 30_017] {
        let parts = Self.parts(count, world.size)
        let plain = `Sums under way`.filled(count, by: world.rank)
        let whole = world.makeSum(of: plain.elements(), wire: wire)
        try whole.start(count: count)
        try whole.wait()
        let values = `Sums under way`.filled(count, by: world.rank)
        let scatter = world.makeSum(of: values.elements(), wire: wire, parts: parts, .scatter)
        let gather = world.makeSum(of: values.elements(), wire: .float32, parts: parts, .gather)
        try scatter.start(count: count)
        try scatter.wait()
        func isSame(_ range: Range<Int>) -> Bool {
          range.allSatisfy { values.start[$0].bitPattern == plain.start[$0].bitPattern }
        }
        if !isSame(parts[world.rank]) { found.append("\(count): own part") }
        try gather.start(count: count)
        try gather.wait()
        if !parts.allSatisfy(isSame) { found.append("\(count): all parts") }
      }
      return found
    }
    for local in locals { #expect(local.value.isEmpty) }
  }
}
