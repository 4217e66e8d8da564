import Collectives
import TestSupport
import Testing

/// Messages between two ranks, and worlds of some ranks.
@Suite(.serialized) struct `Messages between two ranks` {
  static let lengths = [0, 1, 7, 1_000, MPI.pieceBytes, 2 * MPI.pieceBytes + 3]

  /// The bytes of one message, which no other message has.
  static func message(_ length: Int, from rank: Int, to other: Int) -> [UInt8] {
    (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ 5 * rank &+ 11 * other) }
  }

  @Test(arguments: World.upToFour, lengths)
  func `arrive whole, from every rank at every other`(_ world: World, _ length: Int) throws {
    let locals = try world.run { world -> Bool in
      for from in 0..<world.size {
        for other in 0..<world.size where other != from {
          if world.rank == from {
            try world.send(Self.message(length, from: from, to: other), to: other)
          } else if world.rank == other {
            let received = try world.receive(length, from: from)
            if received != Self.message(length, from: from, to: other) { return false }
          }
        }
      }
      return true
    }
    for local in locals { #expect(local.value) }
  }

  @Test(arguments: World.several)
  func `arrive in the order in which they were sent, beside those of other pairs`(
    _ world: World
  ) throws {
    // Each rank receives from the one before it what that one has received and its own number.
    let locals = try world.run { world -> [UInt8] in
      let (next, before) = (
        (world.rank + 1) % world.size, (world.rank + world.size - 1) % world.size
      )
      var seen: [UInt8] = []
      for number in 0..<20 {
        if world.isRoot {
          try world.send([UInt8(number)], to: next)
          seen += try world.receive(world.size, from: before)
        } else {
          let path = try world.receive(world.rank, from: before)
          try world.send(path + [UInt8(100 + world.rank)], to: next)
          seen += path
        }
      }
      return seen
    }
    for local in locals {
      let others = local.rank == 0 ? 1..<local.size : 1..<local.rank
      let expected = (0..<20).flatMap { [UInt8($0)] + others.map { UInt8(100 + $0) } }
      #expect(local.value == expected)
    }
  }

  @Test(arguments: World.several)
  func `pass between two ranks while the others sleep until all arrive`(_ world: World) throws {
    let locals = try world.run { world -> Int in
      var count = 0
      if world.rank == 0 {
        for number in 0..<50 { try world.send([UInt8(number)], to: 1) }
      } else if world.rank == 1 {
        for _ in 0..<50 { count += Int(try world.receive(1, from: 0)[0]) }
      }
      try world.sleepingBarrier()
      return count
    }
    for local in locals { #expect(local.value == (local.rank == 1 ? 1225 : 0)) }
  }

  @Test(arguments: World.upToFour)
  func `Some ranks form a world, in which they are numbered anew`(_ world: World) throws {
    let locals = try world.run { world -> [Double] in
      var seen: [Double] = []
      // The first ranks of each size, then the even and the odd ones.
      for size in 1...world.size {
        if let part = try world.split(by: world.rank < size ? 0 : nil) {
          var values = [Double(world.rank + 1)]
          try part.sum(&values)
          seen += [Double(part.rank), Double(part.size), values[0]]
          try part.finish()
        }
        try world.sleepingBarrier()
      }
      let half = try world.split(by: world.rank % 2)
      var largest = [Double(10 * world.rank)]
      try half?.max(&largest)
      let gathered = try half?.allGather([UInt8(world.rank)]) ?? []
      seen += largest + gathered.map { Double($0[0]) }
      try half?.finish()
      // The whole world is as it was.
      var all = [1.0]
      try world.sum(&all)
      return seen + all
    }
    for local in locals {
      var expected: [Double] = []
      for size in 1...local.size where local.rank < size {
        expected += [Double(local.rank), Double(size), Double(size * (size + 1) / 2)]
      }
      let half = (0..<local.size).filter { $0 % 2 == local.rank % 2 }
      expected += [Double(10 * half.last!)] + half.map { Double($0) } + [Double(local.size)]
      #expect(local.value == expected)
    }
  }

  @Test func `of threads throw if the other rank ends, and only then`() throws {
    let seen = try ThreadCommunicator.run(3) { world -> String in
      switch world.rank {
      case 0:
        // Rank 2 is no matter of this message.
        try world.send([1], to: 1)
        do { _ = try world.receive(1, from: 1) } catch { return "\(error)" }
        return "received"
      case 1: return "\(try world.receive(1, from: 0)[0])"
      default: return "left"
      }
    }
    let left = CommunicationError.left(rank: 1)
    #expect(seen == ["\(left)", "1", "left"])
  }

  @Test func `of threads must have the length that is awaited`() {
    #expect(throws: CommunicationError.self) {
      try ThreadCommunicator.run(2) { world in
        if world.isRoot {
          try world.send([1, 2], to: 1)
        } else {
          _ = try world.receive(3, from: 0)
        }
      }
    }
  }

  @Test func `A rank that aborts ends the work of every part of a world of threads`() throws {
    let seen = try ThreadCommunicator.run(3) { world -> CommunicationError? in
      do {
        let part = try world.split(by: world.rank == 1 ? 1 : 0)
        if world.rank == 1 { try part?.abort(code: 75) }
        var values = [1.0]
        for _ in 0..<2 { try part?.sum(&values) }
        try part?.barrier()
        try world.barrier()
      } catch let error as CommunicationError {
        return error
      }
      return nil
    }
    #expect(seen == Array(repeating: .aborted(rank: 0, code: 75), count: 3))
  }

  @Test func `A rank that ends leaves those parts alone that it is no member of`() throws {
    let seen = try ThreadCommunicator.run(3) { world -> [String] in
      let part = try world.split(by: world.rank == 2 ? nil : 0)
      guard let part else { return ["left"] }
      var values = [1.0]
      for _ in 0..<100 { try part.sum(&values) }
      if part.rank == 1 { return ["summed"] }
      do { try part.barrier() } catch { return ["\(error)"] }
      return ["met"]
    }
    #expect(seen == [["\(CommunicationError.left(rank: 1))"], ["summed"], ["left"]])
  }
}
