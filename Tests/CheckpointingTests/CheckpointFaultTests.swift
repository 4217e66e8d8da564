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

/// Faults of the disk, made by the system itself.
@Suite struct `Checkpoints on a disk with faults` {
  /// Saves step 1, lets the disk fail, and expects a sentence and nothing changed.
  private func expectFailure(
    in folder: String, kind: FileError.Kind, saying words: String, numbers: Int = 300,
    isRoot: Bool = true, fault: (String) throws -> Void,
    repair: (String) throws -> Void = { _ in }
  ) throws {
    let directory = folder + "/checkpoints"
    let store = CheckpointStore(directory)
    try store.prepare()
    _ = try store.save(state(step: 1), files: files(step: 1))
    let before = try contents(directory)
    try fault(directory)
    let error = #expect(throws: FileError.self) {
      func save() throws {
        _ = try store.save(state(step: 2), files: files(step: 2, numbers: numbers))
      }
      if isRoot { try save() } else { try withoutRootsRights(save) }
    }
    try repair(directory)
    #expect(error?.kind == kind && error?.description.contains(words) == true, "\(error as Any)")
    #expect(error?.description.contains(directory) == true)
    #expect(error?.description.contains("\n") == false)
    #expect(try contents(directory).filter { $0 != "step-00000002" } == before)
    #expect(try store.resume()?.checkpoint.state.step == 1)
  }

  @Test(.enabled(if: canMount, "mounting a small disk needs root and leave to mount"))
  func `a full disk leaves the checkpoint before untouched`() throws {
    try withMount("size=300k") { folder in
      try expectFailure(
        in: folder, kind: .cannotWrite, saying: "the disk is full", numbers: 100_000,
        fault: { _ in })
    }
  }

  @Test(.enabled(if: canMount, "mounting a small disk needs root and leave to mount"))
  func `a disk without room for another file is full too`() throws {
    try withMount("nr_inodes=14") { folder in
      try expectFailure(
        in: folder, kind: .cannotWrite, saying: "the disk is full",
        fault: { directory in
          var number = 0
          while mkdir(folder + "/\(number)", 0o777) == 0 { number += 1 }
          for last in 0..<2 { rmdir(folder + "/\(number - 1 - last)") }
        })
    }
  }

  @Test(.enabled(if: canMount, "mounting a small disk needs root and leave to mount"))
  func `a read-only disk is one sentence`() throws {
    try withMount("size=300k") { folder in
      try expectFailure(
        in: folder, kind: .cannotCreate, saying: "read-only",
        fault: { _ in try run("mount", "-o", "remount,ro", folder) },
        repair: { _ in try run("mount", "-o", "remount,rw", folder) })
    }
  }

  @Test func `a folder without permission is one sentence`() throws {
    try withTemporaryFolder { folder in
      try expectFailure(
        in: folder, kind: .cannotCreate, saying: "may not write there", isRoot: false,
        fault: { chmod($0, 0o555) }, repair: { chmod($0, 0o755) })
    }
  }

  @Test func `a name taken by a file is one sentence`() throws {
    try withTemporaryFolder { folder in
      try expectFailure(
        in: folder, kind: .cannotCreate, saying: "a file or folder of another kind",
        fault: { try put([1], at: $0 + "/step-00000002") },
        repair: { directory in
          let untouched = try bytes(at: directory + "/step-00000002")
          #expect(untouched == [1])
        })
      try put([1], at: folder + "/file")
      for path in [folder + "/file", folder + "/file/checkpoints"] {
        let error = #expect(throws: FileError.self) { try CheckpointStore(path).prepare() }
        #expect(error?.exitCode == 73 && error?.description.contains("move it away") == true)
      }
    }
  }

  @Test func `a folder that was deleted meanwhile is one sentence`() throws {
    try withTemporaryFolder { folder in
      let store = CheckpointStore(folder + "/checkpoints")
      try store.prepare()
      try FileManager.default.removeItem(atPath: store.directory)
      let error = #expect(throws: FileError.self) {
        try store.save(state(step: 1), files: files(step: 1))
      }
      #expect(error?.exitCode == 73 && error?.description.contains("folder is gone") == true)
    }
  }

  @Test func `a pointer that cannot be replaced fails the save and keeps both checkpoints`() throws
  {
    try withTemporaryFolder { folder in
      let store = CheckpointStore(folder)
      try store.prepare()
      _ = try store.save(state(step: 1), files: files(step: 1))
      try FileManager.default.removeItem(atPath: folder + "/latest")
      try FileManager.default.createDirectory(
        atPath: folder + "/latest/x", withIntermediateDirectories: true)
      let error = #expect(throws: FileError.self) {
        try store.save(state(step: 2), files: files(step: 2))
      }
      #expect(error?.kind == .cannotCreate)
      #expect(try contents(folder) == ["latest", "step-00000001", "step-00000002"])
      #expect(try store.resume()?.checkpoint.state.step == 2)
    }
  }

  private func withMount(_ options: String, _ body: (String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try run("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder)
      defer { try? run("umount", folder) }
      try body(folder)
    }
  }
}

/// This user may mount a small disk of memory.
private let canMount: Bool = {
  guard getuid() == 0 else { return false }
  do {
    try withTemporaryFolder { folder in
      try run("mount", "-t", "tmpfs", "tmpfs", folder)
      try run("umount", folder)
    }
    return true
  } catch {
    return false
  }
}()

private struct CommandFailure: Error { let status: Int32 }

private func run(_ command: String...) throws {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = command
  process.standardError = FileHandle.nullDevice
  try process.run()
  process.waitUntilExit()
  if process.terminationStatus != 0 { throw CommandFailure(status: process.terminationStatus) }
}
