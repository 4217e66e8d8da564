internal import Glibc
internal import Names

/// An error in a text, a vocabulary or a cached corpus: one sentence that names the file and ends
/// with what to do.
public struct DataError: Error, Equatable, CustomStringConvertible {
  public let message: String
  /// True if the data is fine, but a file made from it cannot be written.
  public let isUnwritable: Bool

  public init(_ message: String, isUnwritable: Bool = false) {
    self.message = oneLine(message)
    self.isUnwritable = isUnwritable
  }

  public var description: String { message }

  /// Makes the error for a failed system call on a file to be read.
  static func unreadable(_ path: String, _ code: Int32 = errno) -> DataError {
    if code == ENOENT {
      return DataError(
        "\(path) does not exist: check the path, which is relative to the folder where the command "
          + "was started")
    }
    return DataError(
      "\(path) cannot be read (\(reason(code))): check the path and its permissions")
  }

  /// Makes the error for a failed system call on a file to be written.
  static func unwritable(_ path: String, _ code: Int32 = errno) -> DataError {
    DataError(
      "\(path) cannot be written (\(reason(code))): free some space or choose another folder, for "
        + "a corpus with data.cache", isUnwritable: true)
  }

  private static func reason(_ code: Int32) -> String {
    String(cString: strerror(code))
  }
}
