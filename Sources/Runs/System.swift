internal import Formats
internal import Foundation

/// Facts about the machine from Linux's files.
package enum System {
  /// The processor's name, such as `AMD EPYC 7763`.
  package static var processorName: String {
    line(of: "/proc/cpuinfo", named: "model name") ?? line(of: "/proc/cpuinfo", named: "CPU part")
      .map { "ARM part \($0)" } ?? "unknown processor"
  }

  /// The processors that the scheduler may run this process on.
  package static var allowedProcessors: [Int] {
    numbers(line(of: "/proc/self/status", named: "Cpus_allowed_list") ?? "")
  }

  package static var onlineProcessors: Int {
    let count = numbers(text("/sys/devices/system/cpu/online") ?? "").count
    return count > 0 ? count : ProcessInfo.processInfo.activeProcessorCount
  }

  /// Returns a name that all processors of one core share.
  package static func core(of processor: Int) -> String {
    let folder = "/sys/devices/system/cpu/cpu\(processor)/topology"
    return text(folder + "/thread_siblings_list") ?? String(processor)
  }

  /// The limit on processor time of the control group, in processors.
  package static var quota: Double? {
    let words = (text("/sys/fs/cgroup/cpu.max") ?? "").split(separator: " ").compactMap {
      Double($0)
    }
    return words.count == 2 && words[1] > 0 ? words[0] / words[1] : nil
  }

  /// Parses numbers in the form `0-3,8,10-11`.
  static func numbers(_ list: String) -> [Int] {
    list.split(separator: ",").flatMap { part -> [Int] in
      let ends = part.split(separator: "-").compactMap { Int($0) }
      guard let first = ends.first, let last = ends.last, first <= last else { return [] }
      return Array(first...last)
    }
  }

  /// Returns the path of a program that the shell would find.
  package static func program(_ name: String) -> String? {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    return folders.map { "\($0)/\(name)" }.first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }

  /// Returns the first line that a program prints with --version.
  package static func version(of program: String) -> String? {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: program)
    process.arguments = ["--version"]
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return nil }
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self).split(separator: "\n").first.map(String.init)
  }

  private static func text(_ path: String) -> String? {
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Returns the text after the colon in the first line with a name.
  private static func line(of path: String, named name: String) -> String? {
    for line in (text(path) ?? "").split(separator: "\n") where line.hasPrefix(name) {
      guard let colon = line.firstIndex(of: ":") else { continue }
      return line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    return nil
  }
}

// The resources that this process has used so far.
extension System {
  /// The resident memory at this moment, in bytes.
  package static var residentBytes: Int { kibibytes("VmRSS") * 1024 }
  /// The peak of the resident memory, in bytes.
  package static var peakResidentBytes: Int { kibibytes("VmHWM") * 1024 }

  /// Seconds since the process was started, to a hundredth.
  package static var secondsSinceStart: Double {
    // The name of the program, in parentheses, may contain blanks; fields are counted from its end.
    let fields = (text("/proc/self/stat") ?? "").split(separator: ")").last?.split(separator: " ")
    guard let fields, fields.count > 19, let ticks = Double(fields[19]) else { return .nan }
    var now = timespec()
    clock_gettime(CLOCK_BOOTTIME, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) * 1e-9
      - ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  private static func kibibytes(_ name: String) -> Int {
    let words = line(of: "/proc/self/status", named: name)?.split(separator: " ")
    return words?.first.flatMap { Int($0) } ?? 0
  }

  /// A hash of the file of this program; nil if it cannot be read.
  package static var programHash: UInt64? {
    guard let file = FileHandle(forReadingAtPath: "/proc/self/exe") else { return nil }
    defer { try? file.close() }
    var hash: UInt64 = 0
    while let piece = try? file.read(upToCount: 1 << 20), !piece.isEmpty {
      hash = hash &* 1_099_511_628_211 ^ UInt64(checksum(Array(piece)))
    }
    return hash
  }

  /// The networks that this host is in by itself, without those that only it can reach, as in `10.0.0.0/8 on eth0`.
  package static var networks: [String] {
    networks(inRoutes: text("/proc/net/route") ?? "")
  }

  /// Reads a table of routes as Linux writes it: the interface, the network and the gateway, and later the mask, in
  /// hexadecimal digits of which the last two come first.
  package static func networks(inRoutes table: String) -> [String] {
    var found: [String] = []
    for line in table.split(separator: "\n").dropFirst() {
      let words = line.split(whereSeparator: \.isWhitespace)
      guard words.count > 7, let network = UInt32(words[1], radix: 16),
        let gateway = UInt32(words[2], radix: 16), let mask = UInt32(words[7], radix: 16),
        network != 0, gateway == 0, words[0] != "lo"
      else { continue }
      let bytes = (0..<4).map { String(network >> (8 * UInt32($0)) & 0xFF) }
      let name = "\(bytes.joined(separator: "."))/\(mask.nonzeroBitCount) on \(words[0])"
      if !found.contains(name) { found.append(name) }
    }
    return found
  }
}
