internal import Glibc
internal import Names

/// An error in writing or reading a checkpoint: one sentence that names the file and says what to
/// do.
public struct FileError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The kind of error, which decides the exit code of the command.
  public enum Kind: Sendable {
    /// The file or folder does not exist.
    case missing
    /// The file exists, but is not what was written, or does not fit this model.
    case damaged
    /// A file or folder could not be created: permissions, a read-only disk, or a name that is
    /// taken.
    case cannotCreate
    /// The bytes did not reach the disk: it is full, over quota, or failing.
    case cannotWrite
  }

  public let kind: Kind
  public let path: String
  public let description: String

  public init(_ kind: Kind, _ path: String, _ description: String) {
    self.kind = kind
    self.path = path
    self.description = oneLine(description)
  }

  /// The exit code of sysexits.h: 65 bad data, 73 cannot create, 74 cannot write.
  public var exitCode: Int32 {
    switch kind {
    case .missing, .damaged: 65
    case .cannotCreate: 73
    case .cannotWrite: 74
    }
  }

  /// Makes the error for a system call that failed in writing.
  package static func writing(_ path: String, _ code: Int32 = errno) -> FileError {
    switch code {
    case ENOSPC:
      FileError(
        .cannotWrite, path,
        "cannot write \(path) because the disk is full: free space on that disk and start "
          + "again; nothing saved before is lost")
    case EDQUOT:
      FileError(
        .cannotWrite, path,
        "cannot write \(path) because the disk quota is used up: delete files or ask for more "
          + "and start again; nothing saved before is lost")
    case EFBIG:
      FileError(
        .cannotWrite, path,
        "cannot write \(path) because it would exceed the largest file allowed: raise `ulimit -f` "
          + "and start again; nothing saved before is lost")
    case EROFS:
      FileError(
        .cannotCreate, path,
        "cannot create \(path) because the disk is mounted read-only: choose another folder, "
          + "or mount it for writing")
    case EACCES, EPERM:
      FileError(
        .cannotCreate, path,
        "cannot create \(path) because this user may not write there: choose another folder, "
          + "or change its permissions")
    case EEXIST, ENOTDIR, EISDIR:
      FileError(
        .cannotCreate, path,
        "cannot create \(path) because a part of that path is a file or folder of another kind: "
          + "move it away, or choose another folder")
    case ENOENT:
      FileError(
        .cannotCreate, path,
        "cannot create \(path) because its folder is gone: create it again, or choose another "
          + "folder")
    default:
      FileError(
        .cannotWrite, path,
        "cannot write \(path) (\(reason(code))): check that disk and start again; nothing saved "
          + "before is lost")
    }
  }

  /// Makes the error for a system call that failed in reading.
  package static func reading(_ path: String, _ code: Int32 = errno) -> FileError {
    code == ENOENT || code == ENOTDIR
      ? FileError(.missing, path, "there is no \(path): check the path")
      : FileError(
        .damaged, path,
        "cannot read \(path) (\(reason(code))): check its permissions and the disk")
  }

  private static func reason(_ code: Int32) -> String {
    guard let text = strerror(code) else { return "error \(code)" }
    return String(cString: text)
  }
}
