internal import Collectives
internal import Datasets

/// Work on pieces of text by all ranks: the root cuts the texts, every rank works on one piece at a
/// time, and the root takes the results in the order of the pieces.
///
/// While the root takes the result of one rank, the others work. If something fails on any rank, it is
/// the root that throws.
struct PieceRounds {
  let world: any Communicator
  /// Turns a piece into the message of a result.
  let work: (TextPiece) throws(DataError) -> [UInt8]

  private static let stopped = -1
  private static let failed = -2

  /// Runs the root's side.
  /// - Parameters:
  ///   - next: returns the next piece; nil after the last.
  ///   - take: takes the result of a piece, and returns false to stop.
  func lead(
    _ next: () throws -> TextPiece?, take: (TextPiece, [UInt8]) throws -> Bool
  ) throws {
    var waiting = [TextPiece?](repeating: nil, count: world.size)
    do {
      var goesOn = true
      func nextPiece() throws -> TextPiece? { goesOn ? try next() : nil }
      var own = try nextPiece()
      for rank in 1..<max(world.size, 1) {
        guard let piece = try nextPiece() else { break }
        try tell(piece, rank)
        waiting[rank] = piece
      }
      while let piece = own {
        goesOn = try take(piece, work(piece))
        own = try nextPiece()
        for rank in 1..<max(world.size, 1) {
          guard let piece = waiting[rank] else { continue }
          waiting[rank] = nil
          let result = try result(of: rank)
          guard goesOn else { continue }
          goesOn = try take(piece, result.get())
          if let piece = try nextPiece() {
            try tell(piece, rank)
            waiting[rank] = piece
          }
        }
      }
    } catch let error as CommunicationError {
      throw error
    } catch {
      try end(&waiting, Self.failed)
      throw error
    }
    try end(&waiting, Self.stopped)
  }

  /// Runs the side of the other ranks.
  /// - Throws: `FailedElsewhere` if the root threw.
  func follow() throws {
    while true {
      let count = number(try world.receive(8, from: 0))
      if count == Self.stopped { return }
      if count == Self.failed { throw FailedElsewhere(rank: 0, message: "the preparation failed") }
      let piece = TextPiece(message: try world.receive(count, from: 0))
      var (result, code): ([UInt8], Int)
      do throws(DataError) {
        (result, code) = (try work(piece), 0)
      } catch {
        (result, code) = (Array(error.message.utf8), error.isUnwritable ? 2 : 1)
      }
      try world.send(bytes(code) + bytes(result.count), to: 0)
      try world.send(result, to: 0)
    }
  }

  private func tell(_ piece: TextPiece, _ rank: Int) throws {
    let message = piece.message
    try world.send(bytes(message.count), to: rank)
    try world.send(message, to: rank)
  }

  private func result(of rank: Int) throws -> Result<[UInt8], DataError> {
    let head = try world.receive(16, from: rank)
    let message = try world.receive(number(Array(head[8...])), from: rank)
    let code = number(head)
    if code == 0 { return .success(message) }
    return .failure(
      DataError(String(decoding: message, as: UTF8.self), isUnwritable: code == 2))
  }

  /// Receives what is under way, and ends the other ranks' part.
  private func end(_ waiting: inout [TextPiece?], _ word: Int) throws {
    for rank in 1..<max(world.size, 1) {
      if waiting[rank] != nil { _ = try result(of: rank) }
      try world.send(bytes(word), to: rank)
    }
  }

  private func bytes(_ number: Int) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }

  private func number(_ bytes: [UInt8]) -> Int {
    bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
  }
}
