package import Formats
internal import Foundation
internal import Glibc

/// The folder of a run: its configuration, its metrics and its checkpoints.
public struct RunFolder: Sendable {
  public let path: String

  public init(_ path: String) { self.path = path }

  /// The configuration as it was given.
  public var givenConfiguration: String { path + "/config.yaml" }
  /// The configuration with every default filled in.
  public var resolvedConfiguration: String { path + "/config.json" }
  public var metrics: String { path + "/metrics.jsonl" }
  public var checkpoints: String { path + "/checkpoints" }
  /// The folder of the event files of TensorBoard.
  public var eventFiles: String { path + "/tensorboard" }
  /// The folder of encoded texts, unless the configuration names another.
  public var cache: String { path + "/data" }

  /// True if a run was begun here.
  public var isUsed: Bool {
    FileManager.default.fileExists(atPath: metrics)
      || (try? CheckpointStore(checkpoints).list())?.isEmpty == false
  }

  /// Creates the folder and writes the configuration into it.
  /// - Parameter given: The text of the configuration.
  package func prepare(given: String, resolved: [UInt8]) throws(FileError) {
    try createFolders(path)
    for (file, text) in [
      (givenConfiguration, Array(given.utf8)), (resolvedConfiguration, resolved),
    ] {
      try replaceFile(file, temporary: file + ".tmp") { (writer) throws(FileError) in
        try writer.write(text)
      }
    }
  }
}

extension RunFolder {
  /// Keeps every other process from training in this folder for as long as the lock lives.
  /// - Throws: `FolderInUse` where another process has it; `FileError` where the folder cannot be
  ///   made.
  package func lock() throws -> FolderLock {
    try createFolders(path)
    let file = path + "/.lock"
    let descriptor = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileError.writing(file) }
    // The kernel releases the lock when the process ends, however it ends. A file system without
    // locks is accepted.
    // A program that asks whether the folder is in use has the lock for a moment.
    for attempt in 0..<3 {
      if attempt > 0 { usleep(100_000) }
      guard flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK else {
        return FolderLock(descriptor)
      }
    }
    close(descriptor)
    throw FolderInUse(path: path)
  }

  /// True if another process trains in the folder.
  package var isInUse: Bool {
    let descriptor = open(path + "/.lock", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    guard flock(descriptor, LOCK_SH | LOCK_NB) == 0 else { return errno == EWOULDBLOCK }
    flock(descriptor, LOCK_UN)
    return false
  }
}

/// The error for a run's folder in which another process trains.
public struct FolderInUse: Error, CustomStringConvertible {
  public let path: String

  package init(path: String) { self.path = path }

  public var description: String {
    "\(path) is in use by another run: wait for its end, or choose another --run folder"
  }
}

/// A lock on a run's folder, released when the object is destroyed.
package final class FolderLock {
  private let descriptor: Int32
  fileprivate init(_ descriptor: Int32) { self.descriptor = descriptor }
  deinit {
    // Closing is not enough while a process that this one has just forked still holds the file
    // open.
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }
}
