internal import Foundation
internal import Training

/// Several programs that run at once, each with one core.
struct ProgramPool {
  /// A program to run, and the file for all that it says.
  struct Job {
    let arguments: [String]
    let log: String
  }

  /// The most programs at once.
  let width: Int
  let program: String

  /// Runs programs, those given first, first. A request to stop is passed on to those that run; the others are
  /// not begun.
  /// - Parameter ended: Called when one has ended, with its place and its exit code.
  /// - Throws: If a program cannot be started.
  func run(_ jobs: [Job], ended: (Int, Int32) -> Void) throws {
    var waiting = Array(jobs.indices)[...]
    var running: [(job: Int, process: Process)] = []
    var isTold = false
    defer { for (_, process) in running { process.terminate() } }
    while !running.isEmpty || !waiting.isEmpty && !StopRequest.isMade {
      while running.count < width, !StopRequest.isMade, let next = waiting.popFirst() {
        running.append((next, try start(jobs[next])))
      }
      if StopRequest.isMade, !isTold {
        isTold = true
        for (_, process) in running { process.terminate() }
      }
      usleep(20_000)
      let over = running.filter { !$0.process.isRunning }
      running.removeAll { one in over.contains { $0.job == one.job } }
      for (job, process) in over {
        let hasExited = process.terminationReason == .exit
        ended(job, hasExited ? process.terminationStatus : ExitStatus.software)
      }
    }
  }

  private func start(_ job: Job) throws -> Process {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = job.arguments
    let folder = URL(filePath: job.log).deletingLastPathComponent()
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    if !FileManager.default.fileExists(atPath: job.log) {
      _ = FileManager.default.createFile(atPath: job.log, contents: nil)
    }
    let log = try FileHandle(forWritingTo: URL(filePath: job.log))
    try log.seekToEnd()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = log
    process.standardError = log
    try process.run()
    try log.close()
    return process
  }

  /// Returns the last line of a log, which is a failed program's reason.
  static func lastLine(of log: String) -> String? {
    guard let data = FileManager.default.contents(atPath: log) else { return nil }
    return String(decoding: data.suffix(4096), as: UTF8.self).split(separator: "\n").last
      .map { $0.hasPrefix("unroll: ") ? String($0.dropFirst(8)) : String($0) }
  }
}
