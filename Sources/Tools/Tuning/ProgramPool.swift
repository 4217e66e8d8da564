internal import Formats
internal import Foundation
internal import Glibc
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
  func run(_ jobs: [Job], ended: (Int, Int32) throws -> Void) throws {
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
        // A program may be asked to stop before it listens.
        let code =
          process.terminationReason == .exit
          ? process.terminationStatus
          : StopRequest.isMade && process.terminationStatus == SIGTERM
            ? ExitStatus.resumable : ExitStatus.software
        try ended(job, code)
      }
    }
  }

  private func start(_ job: Job) throws -> Process {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = job.arguments
    try createFolders(String(job.log[..<(job.log.lastIndex(of: "/") ?? job.log.startIndex)]))
    let descriptor = open(job.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileError.writing(job.log) }
    let log = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = log
    process.standardError = log
    try process.run()
    return process
  }

  /// Returns the sentence with which a program has ended; nil if its last line is none.
  static func reason(in log: String) -> String? {
    guard let data = FileManager.default.contents(atPath: log) else { return nil }
    let line = String(decoding: data.suffix(4096), as: UTF8.self).split(separator: "\n").last ?? ""
    return line.hasPrefix("unroll: ") ? String(line.dropFirst(8)) : nil
  }
}
