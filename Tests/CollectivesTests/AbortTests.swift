import Collectives
import Foundation
import TestSupport
import Testing

/// The tests start themselves once more, under `mpirun` and with one rank that aborts.
@Suite(.serialized) struct `A rank that aborts` {
  static let variable = "UNROLL_TEST_ABORTING_RANK"
  static let abortingRank = ProcessInfo.processInfo.environment[variable].flatMap { Int($0) }
  static let mpirun = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    .map { "\($0)/mpirun" }.first { FileManager.default.isExecutableFile(atPath: $0) }

  @Test(
    .enabled(if: mpirun != nil && !World.isLaunched), arguments: [0, 1])
  func `A rank that aborts ends all ranks, and mpirun returns its code`(_ rank: Int) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try #require(Self.mpirun))
    process.arguments =
      ["--oversubscribe", "--bind-to", "none", "-np", "2"]
      + [try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")]
      + ["--testing-library", "swift-testing", "--no-parallel"]
      + ["--filter", "One rank aborts while the others wait"]
    process.environment = ProcessInfo.processInfo.environment.merging([
      Self.variable: "\(rank)", "OMPI_ALLOW_RUN_AS_ROOT": "1",
      "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    ]) { $1 }
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == 71 + Int32(rank))
  }

  @Test(.enabled(if: abortingRank != nil, "only inside of other tests"))
  func `One rank aborts while the others wait`() throws {
    let world = try MPI.start()
    if world.rank == Self.abortingRank { world.abort(code: 71 + Int32(world.rank)) }
    try world.barrier()
  }
}
