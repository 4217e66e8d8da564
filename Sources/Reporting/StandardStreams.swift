public import Formats
public import Foundation

/// Standard error and standard output, which may be closed or full.
public enum StandardStreams {
  /// Writes a message to standard error. Failures are ignored: no run ends because its messages
  /// cannot be written.
  public static func tell(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }

  /// Writes a result.
  /// - Throws: `FileError` with what the system says where it cannot be written.
  public static func put(_ bytes: Data) throws(FileError) {
    do {
      try FileHandle.standardOutput.write(contentsOf: bytes)
    } catch {
      throw FileError(
        .cannotWrite, "standard output",
        "standard output cannot be written (\(error.localizedDescription)): name another file or free "
          + "space on its disk")
    }
  }
}
