/// A failure of the communication between ranks. Each description is one sentence.
public enum CommunicationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The launcher and the message passing library do not match.
  case launcher(String)
  /// The message passing library refused a call.
  case failed(operation: String, rank: Int, size: Int, host: String, reason: String)
  /// Another rank returned or threw before it took part in a collective.
  case left(rank: Int)
  /// A rank ended the whole job.
  case aborted(rank: Int, code: Int32)
  /// Two ranks took part in different collectives, or in the same one with different counts.
  case mismatch(rank: Int, other: Int, operations: String)

  /// The ranks of a node cannot share memory; `reason` says why.
  case noSharedMemory(host: String, reason: String)

  public var description: String {
    switch self {
    case .launcher(let sentence):
      sentence
    case .failed(let operation, let rank, let size, let host, let reason):
      "\(operation) failed on rank \(rank) of \(size) (\(host)) with “\(reason)”, so the ranks can no"
        + " longer work together: start the run again."
    case .noSharedMemory(let host, let reason):
      "The ranks on \(host) cannot share memory, because \(reason): set communication.node to separate."
    case .left(let rank):
      "Rank \(rank) ended while others waited for it in a collective: let every rank take part in"
        + " the same collectives in the same order."
    case .aborted(let rank, let code):
      "Rank \(rank) ended the job with code \(code): see its message for the cause."
    case .mismatch(let rank, let other, let operations):
      "Ranks \(rank) and \(other) met in different collectives (\(operations)): let every rank take"
        + " part in the same collectives in the same order."
    }
  }
}
