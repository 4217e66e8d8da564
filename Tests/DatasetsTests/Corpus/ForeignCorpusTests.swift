import Datasets
import Foundation
import TestSupport
import Testing

@Suite struct `Files of tokens of other programs` {
  let folder = TemporaryFolder()
  let vocabulary = Vocabulary(names: (0..<70_000).map { "n\($0)" })

  func tokens(_ corpus: Corpus) -> [Int] { (0..<corpus.count).map { Int(corpus[$0]) } }

  func open(_ path: String, _ vocabulary: Vocabulary? = nil) throws -> Corpus {
    try Corpus(contentsOf: path, vocabulary: vocabulary ?? self.vocabulary)
  }

  @Test(arguments: [(20_240_520, 1, 2), (20_240_801, 7, 4)])
  func `Both versions of llm.c are read`(_ magic: Int, _ version: Int, _ width: Int) throws {
    let numbers = [0, 7, 65_535, 300, 1]
    let path = folder.write("a.bin", llmC(numbers, magic: magic, version: version, width: width))
    let corpus = try open(path)
    #expect(tokens(corpus) == numbers)
    #expect(corpus.documentCount == 0 && corpus.files == [0..<5] && corpus.byteCount == nil)
    #expect(tokens(corpus.part(2..<4, name: "part")) == [65_535, 300])
    let other = folder.write(
      "b.bin", llmC([0, 7, 65_535, 300, 2], magic: magic, version: version, width: width))
    #expect(try open(other).hash != corpus.hash)
    let small = Vocabulary(names: ["a", "b"])
    let error = #expect(throws: DataError.self) { try open(path, small) }
    #expect(try #require(error).message.contains("65535, but the vocabulary has 2"))
  }

  @Test func `Headers of llm.c that do not fit their files are refused`() throws {
    let good = llmC([1, 2, 3], magic: 20_240_520, version: 1, width: 2)
    for (place, value) in [(4, 2), (8, 4), (8, 2), (11, 0x80), (0, 9)] {
      var bytes = good
      bytes[place] = UInt8(value)
      #expect(throws: DataError.self) { try open(folder.write("bad.bin", bytes)) }
    }
    for count in [0, 7, 8, 1023, 1024, good.count - 1] {
      #expect(throws: DataError.self) {
        try open(folder.write("bad.bin", Array(good.prefix(count))))
      }
    }
  }

  /// The codes of whole numbers, their widths, and their greatest token here.
  static let kinds: [(UInt8, Int, Int)] = [
    (1, 1, 255), (2, 1, 127), (3, 2, 32_767), (4, 4, 69_999), (5, 8, 69_999), (8, 2, 65_535),
  ]

  @Test(arguments: kinds)
  func `Megatron's files of every kind of whole numbers are read`(
    _ code: UInt8, _ width: Int, _ greatest: Int
  ) throws {
    let sequences = [[1, greatest], [], [3], [4, 5, 6], [0]]
    let (bin, idx) = megatron(
      sequences, documents: [0, 2, 2, 4, 5], code: code, width: width, modes: code == 8)
    folder.write("m.idx", idx)
    let path = folder.write("m.bin", bin)
    let corpus = try open(path)
    #expect(tokens(corpus) == [1, greatest, 3, 4, 5, 6, 0])
    #expect(corpus.documentStarts == [0, 2, 2, 6])
    #expect(corpus.part(1..<5, name: "part").documentStarts == [1, 1])
    usleep(40_000)
    let hash = try open(path).hash
    // With the mark that the last reading left.
    #expect(FileManager.default.fileExists(atPath: path + ".checked"))
    #expect(try open(path).hash == hash && corpus.hash == hash)
    // The same tokens in other documents are another corpus.
    folder.write("m.idx", megatron(sequences, documents: [0, 3, 5], code: code, width: width).idx)
    #expect(try open(path).hash != hash)
  }

  @Test func `Damaged indices of Megatron are refused`() throws {
    let sequences = [[1, 2], [3], [4, 5, 6]]
    let (bin, idx) = megatron(sequences, documents: [0, 1, 3], code: 8, width: 2)
    let path = folder.write("m.bin", bin)
    // Version, kind, counts, a length, a place that is odd, one that is out of order, documents.
    for (place, value) in [
      (9, 2), (17, 6), (17, 4), (18, 4), (26, 0), (34, 3), (37, 0x80), (46, 1), (54, 2), (70, 1),
      (78, 4), (86, 2), (93, 0x80),
    ] {
      var bytes = idx
      bytes[place] = UInt8(value)
      folder.write("m.idx", bytes)
      #expect(throws: DataError.self, "\(value) at \(place)") { try open(path) }
    }
    for count in 10..<idx.count {
      folder.write("m.idx", Array(idx.prefix(count)))
      #expect(throws: DataError.self, "\(count) bytes") { try open(path) }
    }
    folder.write("m.idx", idx)
    for bytes in [bin + [0], bin + [0, 0], Array(bin.dropLast(2))] {
      #expect(throws: DataError.self) { try open(folder.write("m.bin", bytes)) }
    }
    folder.write("m.bin", bin)
    #expect(try open(path).count == 6)
    var negative = bin
    negative[1] = 0x80
    folder.write("m.idx", megatron(sequences, documents: [0, 3], code: 3, width: 2).idx)
    let error = #expect(throws: DataError.self) { try open(folder.write("m.bin", negative)) }
    #expect(try #require(error).message.contains("negative"))
  }
}

/// Random changes of files. A process that ends in a trap fails every test. UNROLL_TEST_MUTATIONS sets their
/// number.
@Suite struct `Mutated files of tokens and texts` {
  let folder = TemporaryFolder()

  static let count = RandomDamage.count(usually: 300)

  /// Opens a file and reads all of it.
  func read(_ path: String, _ vocabulary: Vocabulary) {
    guard let corpus = try? Corpus(contentsOf: path, vocabulary: vocabulary) else { return }
    for i in 0..<corpus.count { precondition((0..<Int32(vocabulary.count)).contains(corpus[i])) }
    precondition(corpus.documentStarts.allSatisfy { (0...corpus.count).contains($0) })
    precondition(corpus.files.allSatisfy { $0.upperBound <= corpus.count })
    _ = (corpus.hash, corpus.byteCount)
  }

  @Test func `Files of tokens`() throws {
    let vocabulary = Vocabulary(names: (0..<300).map { "n\($0)" })
    let numbers = (0..<60).map { $0 * 7 % 300 }
    let sequences = stride(from: 0, to: 60, by: 6).map { Array(numbers[$0..<$0 + 6]) }
    let (bin, idx) = megatron(sequences, documents: [0, 2, 5, 10], code: 8, width: 2)
    let text = folder.write("t.txt", (0..<60).map { "n\($0)\n" }.joined())
    _ = try Corpus(
      TextFiles([text]), vocabulary: vocabulary, document: .line, cache: folder.cache, writing: true
    )
    let own = folder.read(folder.cached(".tokens"))
    var random = RandomDamage(seed: 1)
    for i in 0..<Self.count {
      switch i % 3 {
      case 0: read(folder.write("x.tokens", random.damaged(own)), vocabulary)
      case 1:
        let bytes = llmC(
          numbers, magic: i % 2 == 0 ? 20_240_520 : 20_240_801, version: i % 2 == 0 ? 1 : 7,
          width: i % 2 == 0 ? 2 : 4)
        read(folder.write("l.bin", random.damaged(bytes)), vocabulary)
      default:
        folder.write("m.idx", random.damaged(idx))
        read(folder.write("m.bin", random.below(4) == 0 ? random.damaged(bin) : bin), vocabulary)
      }
    }
  }

  /// Encodes a file as `unroll prepare` does; returns true if it was refused.
  func isRefused(_ path: String, _ settings: PreparationSettings) throws -> Bool {
    let encoder = PieceEncoder(settings, .bytes)
    do throws(DataError) {
      let pieces = try PieceCutter(PreparedInputs([path], jsonLines: false), settings)
      while let piece = try pieces.next() { _ = try encoder.encode(piece) }
    } catch {
      #expect(error.message.contains(folder.path), "\(error)")
      return true
    }
    return false
  }

  @Test func `JSON lines, and packed ones`() throws {
    let lines = (0..<12).map { i in
      "{\"id\": \(i), \"text\": \"l\\u00e9\\ud83d\\ude00 \\n é \(i)\", \"x\": [1.5e3, {\"y\": null}, true]}"
    }
    let plain = folder.write("a.jsonl", lines.joined(separator: "\n") + "\n")
    var bases = [("x.jsonl", folder.read("a.jsonl"))]
    for (program, ending) in [("gzip", "gz"), ("zstd", "zst")] {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = [program, "-k", "-q", plain]
      guard (try? process.run()) != nil else { continue }
      process.waitUntilExit()
      guard process.terminationStatus == 0 else { continue }
      bases.append(("x.jsonl." + ending, folder.read("a.jsonl." + ending)))
    }
    var random = RandomDamage(seed: 2)
    var settings = PreparationSettings()
    settings.pieceSize = 200
    for (name, bytes) in bases {
      #expect(try !isRefused(folder.write(name, bytes), settings))
      var refused = 0
      for _ in 0..<Self.count
      where try isRefused(folder.write(name, random.damaged(bytes)), settings) { refused += 1 }
      #expect(refused > Self.count / 4, "\(name): \(refused)")
    }
  }
}
