internal import Formats
internal import Foundation
internal import Glibc

/// The limits on the memory of the ranks of one machine together, and of each rank.
///
/// A container or a batch system grants less than the machine has: the control groups of the
/// process, and all groups that contain them, each have a limit of their own. The kernel kills a
/// process beyond a limit without a message, or slows it down extremely (`memory.high`).
package struct MemoryLimits {
  /// A limit and its origin, in words for messages.
  package struct Limit: Equatable {
    package var bytes: Double
    package var source: String

    package init(bytes: Double, source: String) {
      self.bytes = bytes
      self.source = source
    }
  }

  /// The limit of all ranks of the machine together; the smallest of several.
  package var ofMachine: Limit
  /// The limit of one process, by `ulimit`; nil if there is none.
  package var ofProcess: Limit?

  package init(ofMachine: Limit, ofProcess: Limit? = nil) {
    self.ofMachine = ofMachine
    self.ofProcess = ofProcess
  }

  /// The limits of this process.
  package static var current: MemoryLimits {
    let installed = Double(sysconf(Int32(_SC_PHYS_PAGES))) * Double(sysconf(Int32(_SC_PAGESIZE)))
    var limits = MemoryLimits(
      ofMachine: Limit(
        bytes: installed > 0 ? installed : .infinity, source: "this machine, which has"))
    if let group = groupLimit(), group.bytes < limits.ofMachine.bytes { limits.ofMachine = group }
    limits.ofProcess = [(RLIMIT_AS, "ulimit -v"), (RLIMIT_DATA, "ulimit -d")].compactMap {
      resource, name in
      var limit = rlimit()
      guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0,
        limit.rlim_cur < rlim_t(Int64.max)
      else { return nil }
      return Limit(bytes: Double(limit.rlim_cur), source: "\(name), which grants each process")
    }.min { $0.bytes < $1.bytes }
    return limits
  }

  // MARK: Control groups

  /// Returns the smallest limit of the control groups of this process, of either version.
  /// - Parameter root: The prefix of every path, for tests.
  package static func groupLimit(root: String = "") -> Limit? {
    let memberships = lines(root + "/proc/self/cgroup").map {
      $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
    }
    var least: Limit?
    for line in lines(root + "/proc/self/mountinfo") {
      guard let mount = Mount(line) else { continue }
      let group = memberships.first {
        $0.count == 3
          && (mount.isUnified
            ? $0[0] == "0" && $0[1].isEmpty : $0[1].split(separator: ",").contains("memory"))
      }
      guard let group else { continue }
      let files = mount.isUnified ? ["memory.max", "memory.high"] : ["memory.limit_in_bytes"]
      var folder = mount.point + mount.path(of: group[2])
      while true {
        for file in files {
          let path = folder + "/" + file
          // Without a limit, `memory.max` is a word and `limit_in_bytes` exceeds any memory.
          guard let text = lines(root + path).first, let bytes = Double(text), bytes < 0x1p62,
            bytes < least?.bytes ?? .infinity
          else { continue }
          least = Limit(bytes: bytes, source: "\(path), which grants")
        }
        if folder.utf8.count <= mount.point.utf8.count { break }
        folder = parent(of: folder)
      }
    }
    return least
  }

  /// The mount point of a hierarchy of groups.
  private struct Mount {
    /// The group that is mounted at `point`; inside of a container it is not the topmost one.
    let root: String
    let point: String
    /// True for version 2, in which a single hierarchy has all controllers.
    let isUnified: Bool

    /// Parses a line of `mountinfo`; nil if it is not a hierarchy that limits memory.
    init?(_ line: String) {
      let fields = line.split(separator: " ").map(String.init)
      guard let end = fields.firstIndex(of: "-"), end >= 5, fields.count >= end + 4 else {
        return nil
      }
      isUnified = fields[end + 1] == "cgroup2"
      let options = fields[end + 3].split(separator: ",")
      guard isUnified || fields[end + 1] == "cgroup" && options.contains("memory") else {
        return nil
      }
      root = Self.unescaped(fields[3])
      point = Self.unescaped(fields[4])
    }

    /// Returns the path of a group below `point`; empty if it is not below it.
    func path(of group: String) -> String {
      if group == "/" || group == root { return "" }
      if root == "/" { return group.hasPrefix("/..") ? "" : group }
      return group.hasPrefix(root + "/") ? String(group.dropFirst(root.count)) : ""
    }

    /// Blanks in a path are written as `\040`.
    private static func unescaped(_ text: String) -> String {
      guard text.contains("\\") else { return text }
      var bytes: [UInt8] = []
      var rest = Array(text.utf8)[...]
      while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "\\"), rest.count >= 3,
          let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
        {
          bytes.append(code)
          rest = rest.dropFirst(3)
        } else {
          bytes.append(byte)
        }
      }
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  private static func lines(_ path: String) -> [String] {
    guard let data = FileManager.default.contents(atPath: path) else { return [] }
    return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
