internal import Glibc

/// The system's account of the first thread of this process: bytes that it has read and written, and pages
/// that it has touched for the first time.
///
/// A thread that reads a large file or writes a checkpoint advances although it tells nothing; one that only
/// computes in an endless loop does not.
struct ThreadUse {
  private let folder = "/proc/self/task/\(getpid())"

  /// Returns a number that grows with the use; 0 if the system does not tell.
  var total: UInt64 { transferred &+ faults }

  private var transferred: UInt64 {
    text("io").split(separator: "\n").prefix(2).reduce(0) {
      $0 &+ (UInt64($1.split(separator: " ").last ?? "") ?? 0)
    }
  }

  private var faults: UInt64 {
    // The name of the program stands in parentheses and may hold blanks.
    let fields = text("stat").split(separator: ")").last?.split(separator: " ") ?? []
    return [7, 9].reduce(0) {
      $0 &+ (fields.indices.contains($1) ? UInt64(fields[$1]) ?? 0 : 0)
    }
  }

  private func text(_ name: String) -> String {
    let descriptor = open("\(folder)/\(name)", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = read(descriptor, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
  }
}
