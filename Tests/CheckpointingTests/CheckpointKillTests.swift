import Checkpointing
import Configuration
import Formats
import Foundation
import TestSupport
import Testing
import Training

#if canImport(Glibc)
  import Glibc
#endif

private let environment = ProcessInfo.processInfo.environment
private let variable = "UNROLL_TEST_SAVING_PROCESS"
/// The folder to save in, in the process that will be killed.
private let savingFolder = environment[variable]

/// The part that the tests below run in a process of its own: this suite again, with its task in the
/// environment.
@Suite(.enabled(if: savingFolder != nil, "only inside of other tests")) struct SavingProcess {
  static let saves = [10, 20, 20, 30, 40]

  /// Saves five times, once over the one before, and reports every save after it.
  @Test func save() throws {
    let folder = savingFolder!
    if let limit = environment["UNROLL_TEST_FILE_LIMIT"] {
      signal(SIGXFSZ, SIG_IGN)
      var sizes = rlimit(rlim_cur: rlim_t(limit)!, rlim_max: rlim_t(limit)!)
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &sizes)
    }
    let store = CheckpointStore(folder + "/checkpoints", keep: 2)
    for (number, step) in Self.saves.enumerated() {
      do throws(FileError) {
        if number == 0 { try store.prepare() }
        _ = try store.save(
          state(step: step, bestLoss: Double(number), numbers: 3000),
          files: files(step: step, numbers: 3000), isBest: number == 0)
        report("saved \(number)", in: folder)
      } catch {
        report("failed \(error.exitCode) \(error)", in: folder)
        if !FileManager.default.fileExists(atPath: store.directory) { return }
      }
    }
  }

  private func report(_ line: String, in folder: String) {
    let path = environment["UNROLL_TEST_REPORT"] ?? folder + "/reported"
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o666)
    _ = (line + "\n").withCString { write(file, $0, strlen($0)) }
    close(file)
  }

  /// Runs the suite above and returns its exit status and what it reported.
  static func run(
    in folder: String, under tracer: [String] = [], environment more: [String: String] = [:]
  ) throws -> (status: Int32, lines: [String]) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments =
      tracer + [
        try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"),
        "--testing-library", "swift-testing", "--filter", "SavingProcess",
      ]
    process.environment = ProcessInfo.processInfo.environment
      .merging([variable: folder]) { $1 }.merging(more) { $1 }
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    let text = (try? bytes(at: folder + "/reported")).map { String(decoding: $0, as: UTF8.self) }
    return (process.terminationStatus, (text ?? "").split(separator: "\n").map(String.init))
  }
}

@Suite(.serialized) struct `Checkpoints of a process that is killed` {
  static let hasTracer: Bool = FileManager.default.isExecutableFile(atPath: "/usr/bin/strace")

  @Test func `without faults every save is reported`() throws {
    try withTemporaryFolder { folder in
      let (status, lines) = try SavingProcess.run(in: folder)
      #expect(status == 0 && lines == (0...4).map { "saved \($0)" })
      #expect(
        try contents(folder + "/checkpoints") == [
          "best", "latest", "step-00000010", "step-00000030", "step-00000040",
        ])
    }
  }

  @Test(
    .enabled(if: hasTracer, "needs strace"),
    arguments: ["fsync", "rename", "write", "mkdir", "unlink", "rmdir", "close"])
  func `killed at any system call, it resumes from a checkpoint no older than the last reported`(
    call: String
  ) throws {
    var kills = 0
    for number in 1... {
      let isLast = try withTemporaryFolder { folder in
        let (status, lines) = try SavingProcess.run(
          in: folder,
          under: tracer(call, "signal=KILL:when=\(number)"))
        try expectSound(folder, reported: lines.count, "\(call) \(number)")
        return status == 0
      }
      if isLast { break }
      kills += 1
      // A call that the rest of the program makes without end.
      if kills > 200 { break }
    }
    #expect(kills >= 2, "\(call) was never reached")
  }

  @Test(
    .enabled(if: hasTracer, "needs strace"),
    arguments: [
      ("fsync", "EIO"), ("rename", "ENOSPC"), ("mkdir", "EDQUOT"),
    ])
  func `a call that fails is reported with its path, and the checkpoint before is whole`(
    call: String, error: String
  ) throws {
    var failures = 0
    for number in 1...60 {
      let isLast = try withTemporaryFolder { folder in
        let (status, lines) = try SavingProcess.run(
          in: folder, under: tracer(call, "error=\(error):when=\(number)"))
        #expect(status == 0, "\(call) \(number)")
        let failed = lines.filter { $0.hasPrefix("failed") }
        #expect(failed.count <= 1)
        for line in failed {
          #expect(line.hasPrefix("failed 74 ") && line.contains(folder), "\(line)")
        }
        let store = CheckpointStore(folder + "/checkpoints")
        let steps = FileManager.default.fileExists(atPath: store.directory) ? try store.list() : []
        for step in steps { #expect(Checkpoint.verify(step.path).isEmpty) }
        // The save after the failing one heals everything.
        if lines.last == "saved 4" { #expect(store.latest == 40) }
        failures += failed.count
        return failed.isEmpty && number > 1
      }
      if isLast { break }
    }
    #expect(failures >= 3)
  }

  @Test func `a limit on the size of files is one sentence`() throws {
    try withTemporaryFolder { folder in
      let (status, lines) = try SavingProcess.run(
        in: folder, environment: ["UNROLL_TEST_FILE_LIMIT": "8000"])
      #expect(status == 0 && lines.count == 5)
      for line in lines {
        #expect(line.hasPrefix("failed 74 ") && line.contains("ulimit -f"), "\(line)")
      }
      #expect(try contents(folder + "/checkpoints") == [])
    }
  }

  /// For power-cut.sh: checks the folder that a power cut has left.
  @Test(.enabled(if: environment["UNROLL_TEST_CUT_FOLDER"] != nil, "only inside of power-cut.sh"))
  func `what a power cut left is whole and no older than reported`() throws {
    let folder = environment["UNROLL_TEST_CUT_FOLDER"]!
    let report = (try? bytes(at: environment["UNROLL_TEST_REPORT"]!)) ?? []
    try expectSound(folder, reported: report.count { $0 == UInt8(ascii: "\n") }, "power cut")
  }

  private func tracer(_ call: String, _ fault: String) -> [String] {
    // By their modern names too, for processors that lack the old calls.
    let calls = call == "rename" || call == "mkdir" ? "\(call),\(call)at" : call
    return [
      "strace", "-f", "-o", "/dev/null", "-e", "trace=\(calls)", "-e", "inject=\(calls):\(fault)",
    ]
  }

  private func expectSound(_ folder: String, reported: Int, _ place: Comment) throws {
    let store = CheckpointStore(folder + "/checkpoints", keep: 2)
    // What is called a checkpoint is whole, before anything was cleared away.
    if FileManager.default.fileExists(atPath: store.directory) {
      for step in try store.list() {
        #expect(Checkpoint.verify(step.path).isEmpty, "\(place): \(step.path)")
      }
    }
    try store.prepare()
    let leftovers = try contents(store.directory).filter { $0.hasPrefix(".") }
    #expect(leftovers.isEmpty, place)
    let found = try store.resume()
    #expect(found?.warning == nil || reported == 0, place)
    guard reported > 0 else { return }
    // The number of the save is in its best loss; 1 and 2 are of the same step.
    let number = Int(try #require(found, place).checkpoint.state.bestLoss ?? -1)
    #expect(number >= reported - 1, place)
    #expect(store.best == 10, place)
  }
}
