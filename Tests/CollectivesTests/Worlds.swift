internal import Collectives
internal import Foundation
internal import Testing

/// A way to run some ranks; the suite runs over all of them.
enum World: Sendable, CustomTestStringConvertible {
  case singleProcess
  case threads(Int)
  case mpi

  /// MPI takes part when these tests were started by a launcher.
  static let all: [World] =
    [.singleProcess] + (1...4).map { .threads($0) } + (isLaunched ? [.mpi] : [])

  static let isLaunched = Launch().launcher != .none

  var testDescription: String {
    switch self {
    case .singleProcess: "one process"
    case .threads(let size): "\(size) threads"
    case .mpi: "MPI"
    }
  }

  /// The results of those ranks that run in this process: all threads, or one rank of MPI.
  func run<Value: Sendable>(
    _ body: @escaping @Sendable (any Communicator) throws -> Value
  ) throws -> [Local<Value>] {
    switch self {
    case .singleProcess:
      return [Local(rank: 0, size: 1, value: try body(SingleProcess()))]
    case .threads(let size):
      return try ThreadCommunicator.run(size, body).enumerated().map {
        Local(rank: $0, size: size, value: $1)
      }
    case .mpi:
      let world = try startedMPI.get()
      return [Local(rank: world.rank, size: world.size, value: try body(world))]
    }
  }
}

struct Local<Value: Sendable>: Sendable {
  let rank: Int
  let size: Int
  let value: Value
}

/// MPI is started once per process and has to be finished before the process ends, whether the
/// tests pass or not, since the launcher takes a missing end for a crash.
private let startedMPI = Result { () throws(CommunicationError) in
  let world = try MPI.start()
  atexit {
    do { try MPI.start().finish() } catch {
      FileHandle.standardError.write(Data("\(error)\n".utf8))
    }
  }
  return world
}
