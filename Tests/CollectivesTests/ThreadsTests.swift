import Collectives
import Glibc
import Testing

@Suite struct `Ranks on threads` {
  struct Refused: Error, Equatable { let rank: Int }

  @Test func `Threads sum in the order of the ranks, whoever comes first`() throws {
    // ((1e8 + 1) − 1e8) + 3 is 3 in single precision, where 1e8 + 1 is 1e8; backwards it is 1.
    let terms: [Float] = [1e8, 1, -1e8, 3]
    for round in 0..<40 {
      let sums = try ThreadCommunicator.run(4) { world in
        // Another rank is late in every round.
        if world.rank == round % 4 { usleep(500) }
        var value = terms[world.rank]
        try withUnsafeMutablePointer(to: &value) {
          try world.sum(UnsafeMutableBufferPointer(start: $0, count: 1))
        }
        return value
      }
      #expect(sums == [3, 3, 3, 3])
    }
  }

  @Test(arguments: 0..<3)
  func `A rank that throws does not leave the others waiting`(_ culprit: Int) {
    #expect(throws: Refused(rank: culprit)) {
      try ThreadCommunicator.run(3) { world in
        if world.rank == culprit { throw Refused(rank: culprit) }
        try world.barrier()
      }
    }
  }

  @Test func `A rank that throws later ends collectives that the others have begun`() throws {
    let seen = try ThreadCommunicator.run(3) { world -> [String] in
      var values = [1.0]
      for _ in 0..<5 { try world.sum(&values) }
      if world.rank == 1 { return ["left"] }
      do { try world.sum(&values) } catch { return ["\(error)"] }
      return ["summed"]
    }
    let message =
      "Rank 1 ended while others waited for it in a collective: let every rank take part in the"
      + " same collectives in the same order."
    #expect(seen == [[message], ["left"], [message]])
  }

  @Test func `A rank that aborts ends the work of all with its code`() throws {
    let seen = try ThreadCommunicator.run(4) { world -> CommunicationError? in
      do {
        if world.rank == 2 { try world.abort(code: 75) }
        try world.barrier()
      } catch let error as CommunicationError {
        return error
      }
      return nil
    }
    #expect(seen == Array(repeating: .aborted(rank: 2, code: 75), count: 4))
  }

  @Test func `Ranks that meet with different counts or in different collectives are told so`()
    throws
  {
    let seen = try ThreadCommunicator.run(3) { world -> CommunicationError? in
      do {
        var values = [Double](repeating: 1, count: world.rank == 2 ? 4 : 5)
        try world.sum(&values)
      } catch let error as CommunicationError {
        return error
      }
      return nil
    }
    #expect(
      seen
        == Array(
          repeating: .mismatch(
            rank: 0, other: 2, operations: "sum of Double 5 and sum of Double 4"), count: 3))
    #expect(throws: CommunicationError.self) {
      try ThreadCommunicator.run(2) { world in
        var values = [1.0]
        if world.isRoot { try world.sum(&values) } else { try world.max(&values) }
      }
    }
  }
}
