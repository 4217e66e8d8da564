/// The result of comparing a value over all ranks.
public enum Agreement: Equatable, Sendable {
  case unanimous
  /// The lowest rank whose value differs from the root's.
  case dissent(rank: Int)
}

/// The error that a rank throws because another rank failed.
public struct FailedElsewhere: Error, Equatable, Sendable, CustomStringConvertible {
  /// The lowest rank that failed; its error is the one to print.
  public let rank: Int
  /// The description of that rank's error.
  public let message: String

  package init(rank: Int, message: String) {
    self.rank = rank
    self.message = message
  }

  public var description: String { "Rank \(rank) failed: \(message)" }
}

extension Communicator {
  /// Compares a digest of everything that must be the same on all ranks: configuration, model and
  /// data.
  ///
  /// Call it before the first step. Otherwise ranks with models of different sizes would all-reduce
  /// gradients of different lengths, which ends in a segmentation fault. Collective; digests may
  /// differ in length.
  public func agree(on digest: [UInt8]) throws(CommunicationError) -> Agreement {
    let digests = try allGather(digest)
    guard let rank = digests.firstIndex(where: { $0 != digests[0] }) else { return .unanimous }
    return .dissent(rank: rank)
  }

  /// Runs `body`, which may fail on some ranks only, and fails on all ranks if it fails on any.
  ///
  /// Collective. The lowest failing rank throws its own error, and every other rank throws
  /// `FailedElsewhere`. Code that prints all errors except `FailedElsewhere` therefore prints each
  /// cause once. `body` may contain collectives only if it cannot fail before the last of them.
  public func unanimous<Value>(_ body: () throws -> Value) throws -> Value {
    let outcome = Result { try body() }
    // A failing rank votes size − rank, so that the lowest failing rank has the maximum; the others
    // vote 0.
    var votes: [Int32] = [0]
    if case .failure = outcome { votes[0] = Int32(size - rank) }
    try max(&votes)
    if votes[0] == 0 { return try outcome.get() }

    let speaker = size - Int(votes[0])
    var message = ""
    if case .failure(let error) = outcome { message = "\(error)" }
    let told = try broadcast(Array(message.utf8), from: speaker)
    if rank == speaker { return try outcome.get() }
    throw FailedElsewhere(rank: speaker, message: String(decoding: told, as: UTF8.self))
  }
}
