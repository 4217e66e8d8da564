internal import Formats
internal import Glibc

/// The size and the free space of a file system, in bytes.
public struct DiskSpace: Codable, Equatable, Sendable {
  public var size: Int
  public var free: Int

  public init(size: Int, free: Int) {
    self.size = size
    self.free = free
  }

  /// Measures the file system that contains a path; nil if there is none.
  package init?(of path: String) {
    var info = statvfs()
    guard statvfs(path, &info) == 0 else { return nil }
    // Some file systems report unlimited space by the largest numbers.
    func bytes(_ blocks: fsblkcnt_t) -> Int {
      let (bytes, isMore) = Int(clamping: blocks).multipliedReportingOverflow(
        by: Int(clamping: info.f_frsize))
      return isMore ? .max : bytes
    }
    size = bytes(info.f_blocks)
    free = bytes(info.f_bavail)
  }
}
