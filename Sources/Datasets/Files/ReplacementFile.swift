internal import Glibc

/// A file that is written beside the file it replaces and takes its place at the end, completely or
/// not at all.
///
/// It is written under a temporary name, synced and renamed, and the folder is synced. A reader of
/// the path sees the old contents or the new ones, also after a crash.
final class ReplacementFile {
  let path: String
  private let temporary: String
  private var descriptor: Int32
  /// True if the file has no name yet, so that it vanishes if the process is killed.
  private let isNameless: Bool
  private var isCommitted = false

  /// Creates the folder if it is missing, and the temporary file.
  init(_ path: String) throws(DataError) {
    self.path = path
    try Self.createFolder(Self.folder(of: path))
    temporary = "\(path).tmp-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    let nameless = open(Self.folder(of: path), Self.nameless | O_WRONLY | O_CLOEXEC, 0o666)
    isNameless = nameless >= 0
    // Network file systems do not support files without names.
    descriptor =
      isNameless
      ? nameless : open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .unwritable(path) }
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    if !isCommitted && !isNameless { unlink(temporary) }
  }

  /// O_TMPFILE, which Swift does not import.
  private static let nameless: Int32 = 0o20000000 | O_DIRECTORY

  /// Appends bytes, or overwrites those from `offset` on.
  func write(_ bytes: RawSpan, at offset: Int? = nil) throws(DataError) {
    var done = 0
    while done < bytes.byteCount {
      let written = bytes.withUnsafeBytes { all in
        let rest = UnsafeRawBufferPointer(rebasing: all[done...])
        return if let offset {
          pwrite(descriptor, rest.baseAddress, rest.count, offset + done)
        } else {
          Glibc.write(descriptor, rest.baseAddress, rest.count)
        }
      }
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { throw .unwritable(path) }
      done += written
    }
  }

  /// Moves the file to its path.
  func commit() throws(DataError) {
    guard fsync(descriptor) == 0 else { throw .unwritable(path) }
    if isNameless {
      // Only a file with a name can be renamed over another one.
      let open = "/proc/self/fd/\(descriptor)"
      guard linkat(AT_FDCWD, open, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) == 0 else {
        throw .unwritable(path)
      }
    }
    let closed = close(descriptor)
    descriptor = -1
    guard closed == 0, rename(temporary, path) == 0 else {
      unlink(temporary)
      throw .unwritable(path)
    }
    isCommitted = true
    let folder = open(Self.folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw .unwritable(path) }
    defer { close(folder) }
    // Some network file systems cannot sync a folder (EINVAL); nothing more can be done then.
    guard fsync(folder) == 0 || errno == EINVAL else { throw .unwritable(path) }
  }

  private static func folder(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func createFolder(_ path: String) throws(DataError) {
    if mkdir(path, 0o777) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, folder(of: path) != path else { throw .unwritable(path) }
    try createFolder(folder(of: path))
    guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw .unwritable(path) }
  }
}
