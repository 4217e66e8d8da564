package import Collectives
internal import Foundation

/// A way to run some ranks. Under `mpirun` the world is MPI and nothing else, so that the same tests are
/// not run once for each rank; otherwise it is one process or a world of threads.
package enum World: Sendable, CustomStringConvertible {
  case singleProcess
  case threads(Int)
  /// Threads that play to be on several hosts of so many ranks.
  case hosts(threads: Int, ranksPerHost: Int)
  case mpi

  package static let isLaunched = Launch().launcher != .none

  package static let all: [World] =
    isLaunched ? [.mpi] : [.singleProcess, .threads(2), .threads(3)]

  /// Less than all, for tests of many runs.
  package static let few: [World] = isLaunched ? [.mpi] : [.singleProcess, .threads(2)]

  /// Worlds to be compared with a single process.
  package static let several: [World] =
    isLaunched ? [.mpi] : [.threads(2), .threads(3), .hosts(threads: 4, ranksPerHost: 2)]

  /// Every number of ranks up to four, a single thread as well.
  package static let upToFour: [World] =
    isLaunched ? [.mpi] : [.singleProcess] + (1...4).map { .threads($0) }

  /// Ranks on several hosts, the last of which may have fewer. Under MPI the ranks are where they are.
  package static let spread: [World] =
    isLaunched
    ? [.mpi]
    : [
      .hosts(threads: 4, ranksPerHost: 2), .hosts(threads: 5, ranksPerHost: 2),
      .hosts(threads: 3, ranksPerHost: 1),
    ]

  package var description: String {
    switch self {
    case .singleProcess: "one process"
    case .threads(let size): "\(size) threads"
    case .hosts(let size, let ranks): "\(size) threads on hosts of \(ranks)"
    case .mpi: "MPI"
    }
  }

  /// The results of those ranks that run in this process: all threads, or one rank of MPI.
  package func run<Value: Sendable>(
    _ body: @escaping @Sendable (any Communicator) throws -> Value
  ) throws -> [Local<Value>] {
    switch self {
    case .singleProcess:
      return [Local(rank: 0, size: 1, value: try body(SingleProcess()))]
    case .threads(let size):
      return try ThreadCommunicator.run(size, body).enumerated().map {
        Local(rank: $0, size: size, value: $1)
      }
    case .hosts(let size, let ranks):
      return try ThreadCommunicator.run(size, ranksPerHost: ranks, body).enumerated().map {
        Local(rank: $0, size: size, value: $1)
      }
    case .mpi:
      let world = try startedMPI.get()
      do {
        return [Local(rank: world.rank, size: world.size, value: try body(world))]
      } catch {
        // The other ranks would wait for this one for ever.
        FileHandle.standardError.write(Data("rank \(world.rank): \(error)\n".utf8))
        world.abort(code: 70)
      }
    }
  }

  /// The results of those ranks that run in this process, each of which is given a folder that all share
  /// and that is deleted afterwards.
  package func run<Value: Sendable>(
    _ body: @escaping @Sendable (any Communicator, String) throws -> Value
  ) throws -> [Value] {
    try run { world in try inSharedFolder(world, body) }.map(\.value)
  }
}

/// The result of a rank of this process.
package struct Local<Value: Sendable>: Sendable {
  package let rank: Int
  package let size: Int
  package let value: Value
}

/// In memory where there is such a folder: tests of runs save hundreds of checkpoints, and what a disk
/// does with them is tested elsewhere.
private let temporaryFolder =
  FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()

/// A world in a folder, and the folder's end.
private func inSharedFolder<Value>(
  _ world: any Communicator, _ body: (any Communicator, String) throws -> Value
) throws -> Value {
  let name = temporaryFolder + "/unroll-trainer-\(UUID().uuidString)"
  let folder = String(decoding: try world.broadcast(Array(name.utf8), from: 0), as: UTF8.self)
  if world.isRoot {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }
  defer { if world.isRoot { try? FileManager.default.removeItem(atPath: folder) } }
  try world.barrier()
  let value = try body(world, folder)
  try world.barrier()
  return value
}

/// MPI is started once per process and has to be finished before the process ends, whether the tests
/// pass or not, since the launcher takes a missing end for a crash.
private let startedMPI = Result { () throws(CommunicationError) in
  let world = try MPI.start()
  atexit {
    do { try MPI.start().finish() } catch {
      FileHandle.standardError.write(Data("\(error)\n".utf8))
    }
  }
  return world
}
