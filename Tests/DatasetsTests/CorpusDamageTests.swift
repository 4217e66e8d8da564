import Datasets
import Foundation
import LinearAlgebra
import Recurrence
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// Encoded texts with wrong numbers and right checksums. A process that ends in a trap fails every test.
@Suite struct `Damaged corpora` {
  let folder = TemporaryFolder()

  /// A text of two files with documents, encoded: the vocabulary, the path and the bytes.
  func encoded(words: Int) throws -> (vocabulary: Vocabulary, path: String, bytes: [UInt8]) {
    let line = (0..<words).map { "w\($0)" }.joined(separator: " ")
    let paths = [
      folder.write("a.txt", "\(line)\nw1 w2\n\nw3 w4 w5\n"), folder.write("b.txt", "w2\nw0 w1\n"),
    ]
    let text = try TextFiles(paths)
    let vocabulary = try Vocabulary(countedIn: text, by: .word)
    _ = try Corpus(
      text, vocabulary: vocabulary, document: .line, cache: folder.cache, writing: true)
    let name = folder.cached(".tokens")
    return (vocabulary, folder.path + "/" + name, folder.read(name))
  }

  /// Returns true if a file can be opened; it is then read from end to end, as in training.
  func opens(_ bytes: [UInt8], _ path: String, _ vocabulary: Vocabulary) throws -> Bool {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let corpus: Corpus
    do throws(DataError) {
      corpus = try Corpus(contentsOf: path, vocabulary: vocabulary)
    } catch {
      #expect(error.message.contains("is written again from the text"), "\(error)")
      return false
    }
    for i in 0..<corpus.count {
      #expect(corpus[i] >= 0 && corpus[i] < vocabulary.count)
    }
    #expect(corpus.documentStarts.allSatisfy { $0 >= 0 && $0 <= corpus.count })
    #expect(corpus.files.allSatisfy { $0.lowerBound >= 0 && $0.upperBound <= corpus.count })
    guard corpus.count > 8 else { return true }
    let streams = try Streams(corpus, batchSize: 3, bptt: 2, seed: 1)
    let batch = streams.makeBatch()
    for _ in 0..<streams.windowsPerEpoch + 1 { streams.next(into: batch) }
    return true
  }

  static let values: [UInt64] = [
    0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 300, 65_535, 65_536, 1 << 31, 1 << 32 - 1, 1 << 40, 1 << 60,
    1 << 61, 1 << 62, 1 << 63, .max,
  ]

  @Test(arguments: [9, 290, 66_000])
  func `Every number of the header is checked before it is used`(_ words: Int) throws {
    let (vocabulary, path, bytes) = try encoded(words: words)
    var refused = 0
    // The token width, the counts of tokens, files and documents, the kind of documents, and the bytes.
    for (place, size) in [(12, 4), (16, 8), (48, 8), (56, 8), (72, 4), (80, 8)] {
      for value in Self.values {
        var changed = bytes
        put(value, size, at: place, in: &changed)
        seal(&changed)
        if try !opens(changed, path, vocabulary) { refused += 1 }
      }
    }
    #expect(refused > 80)
    #expect(try opens(bytes, path, vocabulary))
  }

  @Test func `Places that are out of order or out of the text are refused`() throws {
    let (vocabulary, path, bytes) = try encoded(words: 9)
    let header = bytes[16..<24].enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    let start = 128 + (header + 7) / 8 * 8
    let entries = (bytes.count - start) / 8
    #expect(entries == 2 + 6)
    for entry in 0..<entries {
      for value in Self.values + [UInt64(header) + 1] {
        var changed = bytes
        put(value, 8, at: start + 8 * entry, in: &changed)
        put(UInt64(checksum(changed[start...])), 4, at: 68, in: &changed)
        seal(&changed)
        let isOpened = try opens(changed, path, vocabulary)
        #expect(value <= header || !isOpened, "place \(value) as entry \(entry)")
      }
    }
    var swapped = bytes
    swapped.swapAt(start + 24, start + 32)
    put(UInt64(checksum(swapped[start...])), 4, at: 68, in: &swapped)
    seal(&swapped)
    #expect(try !opens(swapped, path, vocabulary))
  }

  @Test(arguments: [(9, 1), (290, 2), (66_000, 4)])
  func `Symbols that the vocabulary lacks are refused, and made anew from the text`(
    _ words: Int, _ width: Int
  ) throws {
    let (vocabulary, path, bytes) = try encoded(words: words)
    for value in [vocabulary.count, vocabulary.count + 1, 1 << (8 * width) - 1] {
      for token in [0, 5, 17] {
        var changed = bytes
        put(UInt64(value), width, at: 128 + width * token, in: &changed)
        let count = changed[16..<24].enumerated()
          .reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        put(UInt64(checksum(changed[128..<128 + width * count])), 4, at: 64, in: &changed)
        seal(&changed)
        #expect(try !opens(changed, path, vocabulary), "symbol \(value) at \(token)")
        let text = try TextFiles([folder.path + "/a.txt", folder.path + "/b.txt"])
        let corpus = try Corpus(
          text, vocabulary: vocabulary, document: .line, cache: folder.cache, writing: true)
        #expect(corpus.note?.contains("written again") == true)
        #expect(folder.read(folder.cached(".tokens")) == bytes)
      }
    }
  }

  @Test func `A cache that was found right is not read again until it changes`() throws {
    let (vocabulary, path, bytes) = try encoded(words: 9)
    let text = try TextFiles([folder.path + "/a.txt", folder.path + "/b.txt"])
    func open() throws -> Corpus {
      try Corpus(text, vocabulary: vocabulary, document: .line, cache: folder.cache, writing: true)
    }
    usleep(40_000)
    #expect(try open().note == nil)
    let mark = folder.read(folder.cached(".checked"))
    #expect(mark.count > 40)
    // A changed byte under the same size and time is another file all the same.
    let times = try #require(status(path))
    let file = Glibc.open(path, O_WRONLY)
    #expect(pwrite(file, [bytes[130] ^ 3], 1, 130) == 1)
    futimens(file, [times.st_atim, times.st_mtim])
    close(file)
    #expect(try #require(status(path)).st_mtim.tv_nsec == times.st_mtim.tv_nsec)
    usleep(40_000)
    #expect(try open().note?.contains("written again") == true)
    #expect(folder.read(folder.cached(".tokens")) == bytes)
    // With a mark of its own, the wrong byte is not looked for.
    var changed = bytes
    changed[130] ^= 3
    try Data(changed).write(to: URL(fileURLWithPath: path))
    let now = try #require(status(path))
    func nanoseconds(_ time: timespec) -> Int { time.tv_sec * 1_000_000_000 + time.tv_nsec }
    let sum = bytes[124..<128].enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    folder.write(
      folder.cached(".checked"),
      "\(now.st_size) \(now.st_ino) \(nanoseconds(now.st_mtim)) \(nanoseconds(now.st_ctim)) \(sum)\n"
    )
    #expect(try open().note == nil)
    #expect(folder.read(folder.cached(".tokens")) == changed)
  }

  @Test func `Pipes and devices are refused and not waited for`() throws {
    let pipe = folder.path + "/pipe"
    #expect(mkfifo(pipe, 0o666) == 0)
    for path in [pipe, "/dev/zero", "/dev/null"] {
      for attempt in [
        { _ = try Vocabulary(contentsOf: path) }, { _ = try TextFiles([path]) },
        { _ = try Corpus(contentsOf: path, vocabulary: .bytes) },
      ] {
        let error = #expect(throws: DataError.self) { try attempt() }
        #expect(error?.message.contains(path) == true)
      }
    }
  }

  private func status(_ path: String) -> stat? {
    var status = stat()
    return stat(path, &status) == 0 ? status : nil
  }

  private func put(_ value: UInt64, _ size: Int, at place: Int, in bytes: inout [UInt8]) {
    for i in 0..<size { bytes[place + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i)) }
  }

  /// Puts the right checksum on a header.
  private func seal(_ bytes: inout [UInt8]) {
    put(UInt64(checksum(bytes[..<124])), 4, at: 124, in: &bytes)
  }

  /// CRC-32 as its definition has it.
  private func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var sum = UInt32.max
    for byte in bytes { sum = sum >> 8 ^ Self.table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] }
    return ~sum
  }

  private static let table = (0..<256).map { byte -> UInt32 in
    (0..<8).reduce(UInt32(byte)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
  }
}
