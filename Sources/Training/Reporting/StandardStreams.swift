public import Formats
public import Foundation

/// Standard error and standard output, which may be gone or full.
public enum StandardStreams {
  /// Tells whoever watches. What cannot be written is lost: no run ends for want of a reader.
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
