import Foundation
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

private let environment = ProcessInfo.processInfo.environment
private let variable = "UNROLL_TEST_READER"
/// The reader whose files are damaged, in the process that may be ended by one.
private let readerName = environment[variable]

/// Damaged files, in a process of its own whose memory and time are limited.
///
/// Before each file its number is written to the file that UNROLL_TEST_NOTE names, so that the parent knows
/// which one ended the process. UNROLL_TEST_MUTATIONS sets their number, and UNROLL_TEST_FIRST the first.
@Suite(.enabled(if: readerName != nil, "only inside of other tests")) struct ReadingProcess {
  /// The memory that reading may take beyond what the process had before, in bytes: a small multiple of the
  /// greatest file, and what the allocator and a model of a checkpoint take at least.
  static let memory = 512 << 20
  /// The seconds for one file, on a busy machine and without the optimizer.
  static let seconds = 20

  @Test func `read damaged files`() throws {
    let reader = try #require(Reader.all.first { $0.name == readerName })
    let first = environment["UNROLL_TEST_FIRST"].flatMap { Int($0) } ?? 0
    let count = RandomDamage.count(usually: 100)
    let note = Note(path: environment["UNROLL_TEST_NOTE"])
    // A parent removes the folder that it gave, whatever becomes of this process.
    let folder = environment["UNROLL_TEST_FOLDER"] ?? Self.folder("\(getpid())")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let subjects = try reader.subjects(folder + "/whole")
    limitMemory()
    note.watch(seconds: Self.seconds)
    for (place, subject) in subjects.enumerated() {
      try subject.place(in: folder + "/\(place)")
      // What is not damaged is read, or nothing that is damaged was tested.
      try subject.read(folder + "/\(place)")
    }
    var (read, refused) = (0, 0)
    for number in first..<first + count {
      note.write(number, read, refused)
      var random = RandomDamage(
        seed: UInt64(number) << 8
          ^ UInt64(reader.name.utf8.reduce(0) { $0 &* 31 &+ Int($1) } & 0xFFFF))
      let place = number % subjects.count
      let (subject, home) = (subjects[place], folder + "/\(place)")
      let names = try subject.damage(in: home, &random)
      do {
        try subject.read(home)
        read += 1
        try keep(names, of: home, number, "accepted")
      } catch {
        refused += 1
        try keep(names, of: home, number, "rejected")
        let words = "\(error)"
        #expect(
          !words.isEmpty && !words.contains("\n") && !words.contains("Context("),
          "\(reader.name) \(number): \(words)")
      }
      try subject.restore(names, in: home)
    }
    note.write(first + count, read, refused)
  }

  /// Keeps damaged files and the verdicts on them in the folder UNROLL_TEST_KEEP, for Oracles/safetensors_check.py.
  private func keep(_ names: [String], of home: String, _ number: Int, _ verdict: String) throws {
    guard let folder = environment["UNROLL_TEST_KEEP"] else { return }
    for name in names {
      let kept = "\(number)-\((name as NSString).lastPathComponent)"
      try put(bytes(at: home + "/" + name), at: folder + "/" + kept)
      let line = Array("\(verdict) \((kept as NSString).deletingPathExtension)\n".utf8)
      let list = folder + "/verdicts.txt"
      let known = FileManager.default.fileExists(atPath: list) ? try bytes(at: list) : []
      try put(known + line, at: list)
    }
  }

  /// A folder in that of launch/faults, which removes it even if all processes of the tests are ended, or in memory
  /// where that is possible, so that the speed of a disk decides nothing.
  static func folder(_ name: String) -> String {
    let memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NSTemporaryDirectory()
    return (environment["UNROLL_TEST_NOTES"] ?? memory) + "/unroll-reading-" + name
  }

  private func limitMemory() {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8),
      let pages = text.split(separator: " ").first.flatMap({ Int($0) })
    else { return }
    let limit = rlim_t(pages * Int(getpagesize()) + Self.memory)
    var sizes = rlimit(rlim_cur: limit, rlim_max: limit)
    setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &sizes)
  }

  /// A file with the number of what is being read, and of what was read and refused before.
  private final class Note: Sendable {
    private let descriptor: Int32

    init(path: String?) {
      descriptor = path.map { open($0, O_RDWR | O_CREAT | O_TRUNC, 0o666) } ?? -1
    }

    func write(_ number: Int, _ read: Int, _ refused: Int) {
      guard descriptor >= 0 else { return }
      let text = "\(number) \(read) \(refused)\n"
      let line = text + String(repeating: " ", count: max(0, 64 - text.utf8.count))
      _ = line.withCString { pwrite(descriptor, $0, strlen($0), 0) }
    }

    private var contents: String {
      var bytes = [UInt8](repeating: 0, count: 64)
      let count = pread(descriptor, &bytes, 64, 0)
      return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    }

    /// Ends the process if one file takes longer than so many seconds.
    func watch(seconds: Int) {
      guard descriptor >= 0 else { return }
      Thread.detachNewThread {
        var (last, waited) = ("", 0)
        while true {
          sleep(1)
          let now = self.contents
          (last, waited) = now == last ? (now, waited + 1) : (now, 0)
          if waited >= seconds { _exit(99) }
        }
      }
    }
  }
}

@Suite(.serialized) struct `Damaged files of every kind that is read` {
  @Test(arguments: Reader.all.map(\.name))
  func `end no process, take no time and no memory`(_ name: String) throws {
    try withTemporaryFolder { folder in
      // launch/faults reads the notes of all.
      let note = (environment["UNROLL_TEST_NOTES"] ?? folder) + "/" + name
      let files = ReadingProcess.folder("\(getpid())-\(name)")
      try FileManager.default.createDirectory(atPath: files, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: files) }
      let process = Process()
      process.executableURL = URL(
        fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(
          atPath: "/proc/self/exe"))
      process.arguments = ["--testing-library", "swift-testing", "--filter", "ReadingProcess"]
      process.environment = environment.merging([
        variable: name, "UNROLL_TEST_NOTE": note, "UNROLL_TEST_FOLDER": files,
        "OPENBLAS_NUM_THREADS": "1",
      ]) { $1 }
      let log = folder + "/log"
      #expect(FileManager.default.createFile(atPath: log, contents: nil))
      let file = try #require(FileHandle(forWritingAtPath: log))
      process.standardOutput = file
      process.standardError = file
      try process.run()
      process.waitUntilExit()
      let numbers = String(decoding: (try? bytes(at: note)) ?? [], as: UTF8.self)
        .split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
      let number = numbers.first ?? -1
      let words = String(decoding: (try? bytes(at: log)) ?? [], as: UTF8.self)
        .split(separator: "\n").filter { $0.contains("rror") || $0.contains("issue") }.prefix(4)
      #expect(
        process.terminationStatus == 0 && process.terminationReason == .exit,
        """
        file \(number) of \(name): \(process.terminationReason) \(process.terminationStatus); \
        UNROLL_TEST_READER=\(name) UNROLL_TEST_FIRST=\(number) UNROLL_TEST_MUTATIONS=1 repeats it. \
        \(words.joined(separator: " "))
        """)
      #expect(numbers.count == 3 && numbers[2] > 0, "nothing was refused")
    }
  }
}
