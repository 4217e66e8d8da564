internal import Formats
internal import Glibc
internal import Runs

// The findings about the folder for runs.
extension HealthReport {
  static func disk(_ folder: String) -> Finding {
    let probe = folder + "/.unroll-doctor-" + nonce()
    defer { try? removeTree(probe) }
    guard FileKind(folder) == .folder else {
      return .failure("disk", "there is no folder \(folder)", "create it, or give another --folder")
    }
    do {
      try createFolder(probe)
      // As a checkpoint is saved: files of a folder that gets its name once they are whole, and a file
      // that takes the place of another.
      try createFolder(probe + "/.tmp")
      for name in ["/.tmp/file", "/latest", "/.tmp-latest"] {
        let writer = try FileWriter(creating: probe + name)
        try writer.write([UInt8](repeating: UInt8(name.utf8.count), count: 4096))
        try writer.finish()
      }
      try syncFolder(probe + "/.tmp")
      try rename(probe + "/.tmp", to: probe + "/whole")
      try rename(probe + "/.tmp-latest", to: probe + "/latest")
      try syncFolder(probe)
    } catch {
      return .failure(
        "disk", "checkpoints cannot be written in \(folder)",
        error.description.replacing(error.path, with: folder))
    }
    guard FileKind(probe + "/whole/file") == .file, FileKind(probe + "/.tmp-latest") == .nothing
    else {
      return .failure(
        "disk", "a renamed file has not the place of the one before in \(folder)",
        "checkpoints need a file system that renames at once: choose another folder for runs")
    }
    guard let space = DiskSpace(of: folder) else {
      return .fine("disk", "\(folder) can be written and synced")
    }
    let value =
      "\(folder) can be written and synced, \(bytes(space.free)) free of "
      + bytes(space.size)
    return space.free < 1 << 30
      ? .warning("disk", value, "a run keeps several checkpoints: free some space")
      : .fine("disk", value)
  }

  /// Finds a file system without locks, which keep two jobs from training in one folder; nil if the folder cannot
  /// be written.
  /// - Parameter lock: Locks an open file, and returns 0 or the system's error.
  package static func locks(
    _ folder: String,
    by lock: (Int32) -> Int32 = { flock($0, LOCK_EX | LOCK_NB) == 0 ? 0 : errno }
  ) -> Finding? {
    let path = folder + "/.unroll-doctor-" + nonce()
    let first = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard first >= 0 else { return nil }
    defer {
      close(first)
      unlink(path)
    }
    let second = open(path, O_RDWR | O_CLOEXEC)
    guard second >= 0 else { return nil }
    defer { close(second) }
    let advice =
      "nothing keeps two jobs from training in one folder here: never start one twice, or choose a file "
      + "system with locks (Lustre: mount it with -o flock)"
    let code = lock(first)
    if code != 0 {
      return .warning(
        "locks", "files cannot be locked (\(String(cString: strerror(code))))", advice)
    }
    return lock(second) == 0
      ? .warning("locks", "a locked file can be locked again", advice)
      : .fine("locks", "a run's folder is kept from other jobs")
  }
}
