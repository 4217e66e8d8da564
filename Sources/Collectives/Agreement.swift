/// Whether all ranks hold the same value.
public enum Agreement: Equatable, Sendable {
  case unanimous
  /// The lowest rank whose value is not the root's.
  case dissent(rank: Int)
}

/// What a rank throws when it could have gone on, but another rank could not.
public struct FailedElsewhere: Error, Equatable, Sendable, CustomStringConvertible {
  /// The lowest rank that failed: the one whose error is worth printing.
  public let rank: Int
  /// What that rank's error says.
  public let message: String

  public var description: String { "Rank \(rank) failed: \(message)" }
}

extension Communicator {
  /// Compares a digest of what must be the same everywhere: configuration, model and data.
  ///
  /// To be called before the first step, since ranks with models of different sizes would sum
  /// gradients of different lengths, which ends in a segmentation fault. Collective; digests may
  /// differ in length.
  public func agree(on digest: [UInt8]) throws(CommunicationError) -> Agreement {
    let digests = try allGather(digest)
    guard let rank = digests.firstIndex(where: { $0 != digests[0] }) else { return .unanimous }
    return .dissent(rank: rank)
  }

  /// Does something that may fail on some ranks only, and fails on all ranks if it does.
  ///
  /// Collective. The lowest failing rank throws its own error and every other rank, failed or not,
  /// throws `FailedElsewhere`, so that whoever prints all errors but that prints each cause once.
  /// `body` may itself contain collectives only if it cannot fail before the last of them.
  public func unanimous<Value>(_ body: () throws -> Value) throws -> Value {
    let outcome = Result { try body() }
    // A failing rank votes size − rank, which makes the lowest one win; the others vote 0.
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
