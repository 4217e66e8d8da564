import Configuration
import Datasets
import Formats
import Foundation
import NumericalTestSupport
import TestSupport

extension Reader {
  /// The tiny files of tokenizers that `Oracles/tokenizers.py` made.
  private struct TokenizerFiles: Decodable {
    struct Case: Decodable {
      var name: String
      var file: String
      var isBinary: Bool
    }
    var cases: [Case]
  }

  private static let sample = "Hello, wörld! 123 e\u{301}\n\tfoo() 日本語 <|endoftext|>'ll\u{0}"

  /// Reads a vocabulary, and encodes and decodes with it.
  private static func use(_ path: String) throws {
    let vocabulary = try Vocabulary(contentsOf: path)
    let ids = vocabulary.encode(sample)
    precondition(ids.allSatisfy { $0 >= 0 && $0 < vocabulary.count })
    _ = (vocabulary.decode(ids), ids.map { vocabulary.byteLength(of: $0) }, vocabulary.hash)
  }

  static let tokenizers = Reader(name: "tokenizers") { _ in
    let known: TokenizerFiles = oracle("tokenizers")
    return known.cases.map { file in
      let bytes =
        file.isBinary ? Array(Data(base64Encoded: file.file)!) : Array(file.file.utf8)
      return Subject(files: [file.name: bytes], damaged: Subject.anyFile) {
        try use($0 + "/" + file.name)
      }
    }
  }

  static let vocabularies = Reader(name: "vocabularies") { folder in
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let text = try TextFiles([try put("a b  c\nd é a\n", folder + "/text.txt")])
    var subjects: [Subject] = []
    let tokenizers: [any CountedTokenizer] = [WordTokenizer(), CharacterTokenizer()]
    for tokenizer in tokenizers {
      try Vocabulary(countedIn: text, by: tokenizer).write(to: folder + "/vocabulary.json")
      subjects.append(
        Subject(
          files: ["vocabulary.json": try bytes(at: folder + "/vocabulary.json")],
          damaged: Subject.anyFile
        ) { try use($0 + "/vocabulary.json") })
    }
    subjects.append(
      Subject(files: ["words.txt": Array("the\na\ncat\n<unk>\n".utf8)], damaged: Subject.anyFile) {
        try use($0 + "/words.txt")
      })
    return subjects
  }

  private static func put(_ text: String, _ path: String) throws -> String {
    try TestSupport.put(Array(text.utf8), at: path)
    return path
  }

  /// Encoded texts, of this program with right checksums, of llm.c and of Megatron.
  static let tokens = Reader(name: "tokens") { folder in
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let vocabulary = Vocabulary(names: (0..<300).map { "n\($0)" })
    let numbers = (0..<60).map { $0 * 7 % 300 }
    let text = try put(numbers.map { "n\($0)\n" }.joined(), folder + "/t.txt")
    _ = try Corpus(
      TextFiles([text]), vocabulary: vocabulary, document: .line, cache: folder + "/cache",
      writing: true)
    let name = try contents(folder + "/cache").first { $0.hasSuffix(".tokens") }!
    let own = try bytes(at: folder + "/cache/" + name)
    let sequences = stride(from: 0, to: 60, by: 6).map { Array(numbers[$0..<$0 + 6]) }
    let (bin, idx) = megatron(sequences, documents: [0, 2, 5, 10], code: 8, width: 2)
    let foreign: [(String, Subject.Files)] = [
      ("l.bin", ["l.bin": llmC(numbers, magic: 20_240_520, version: 1, width: 2)]),
      ("l.bin", ["l.bin": llmC(numbers, magic: 20_240_801, version: 7, width: 4)]),
      ("m.bin", ["m.bin": bin, "m.idx": idx]),
    ]
    return [
      Subject(files: ["x.tokens": own], damaged: damagedTokens) {
        try read($0 + "/x.tokens", vocabulary)
      }
    ]
      + foreign.map { path, files in
        Subject(files: files, damaged: { damagedBytes($0, &$1) }) {
          try read($0 + "/" + path, vocabulary)
        }
      }
  }

  private static func damagedBytes(
    _ files: Subject.Files, _ random: inout RandomDamage
  ) -> Subject.Files {
    let name = files.keys.sorted()[random.below(files.count)]
    return [name: random.damaged(files[name]!)]
  }

  /// Most times a number of the header or any byte, and right checksums.
  private static func damagedTokens(
    _ files: Subject.Files, _ random: inout RandomDamage
  ) -> Subject.Files {
    var bytes = files["x.tokens"]!
    guard random.below(4) > 0 else { return ["x.tokens": random.damaged(bytes)] }
    for _ in 0...random.below(3) {
      let place = random.below(2) == 0 ? random.below(16) * 8 : random.below(bytes.count - 8)
      let value: UInt64 = [
        0, 1, 2, 7, 8, 255, 300, 65_536, 1 << 32 - 1, 1 << 40, 1 << 61, 1 << 62, 1 << 63, .max,
      ][random.below(14)]
      for i in 0..<[1, 4, 8][random.below(3)] {
        bytes[place + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i))
      }
    }
    let count = bytes[16..<24].enumerated().reduce(UInt64(0)) {
      $0 | UInt64($1.element) << UInt64(8 * $1.offset)
    }
    let width = UInt64(bytes[12])
    // Sums of the parts that the header speaks of, if they are in the file.
    let (size, overflow) = count.multipliedReportingOverflow(by: width)
    if !overflow, size < 1 << 40, 128 + (Int(size) + 7) / 8 * 8 <= bytes.count {
      seal(bytes[128..<128 + Int(size)], at: 64, in: &bytes)
      seal(bytes[(128 + (Int(size) + 7) / 8 * 8)...], at: 68, in: &bytes)
    }
    seal(bytes[..<124], at: 124, in: &bytes)
    return ["x.tokens": bytes]
  }

  private static func seal(_ part: ArraySlice<UInt8>, at place: Int, in bytes: inout [UInt8]) {
    let sum = checksum(Array(part))
    for i in 0..<4 { bytes[place + i] = UInt8(truncatingIfNeeded: sum >> (8 * UInt32(i))) }
  }

  private static func read(_ path: String, _ vocabulary: Vocabulary) throws {
    let corpus = try Corpus(contentsOf: path, vocabulary: vocabulary)
    for i in 0..<corpus.count { precondition((0..<Int32(vocabulary.count)).contains(corpus[i])) }
    precondition(corpus.documentStarts.allSatisfy { (0...corpus.count).contains($0) })
    precondition(corpus.files.allSatisfy { $0.upperBound <= corpus.count })
    _ = (corpus.hash, corpus.byteCount)
  }

  /// Files of sequences of every format.
  static let sequences = Reader(name: "sequences") { _ in
    let lines = "the cat sat\na dog\nthe end of it\n"
    let frames = "run,x,y,state\n1,0.5,2,up\n1,1.5,3,down\n2,-1e3,4,up\n2,0,5,up\n"
    let kinds: [(String, Subject.Files)] = [
      ("{format: lines, train: F/a.txt, valid: 0.4}", ["a.txt": Array(lines.utf8)]),
      (
        "{format: labels, train: F/a.txt, valid: F/b.txt, tokenizer: character}",
        ["a.txt": Array("good\ta day\nbad\train é\n".utf8), "b.txt": Array("good\tday\n".utf8)]
      ),
      (
        "{format: tags, train: F/a.txt, valid: 0.4}",
        ["a.txt": Array("Karl|I-PER wrote|O .|O\na|O\nB|I-PER c|O\n".utf8)]
      ),
      (
        "{format: trees, train: F/a.txt, valid: 0.4}",
        ["a.txt": Array("(3 (2 It) (4 (4 (2 's) (4 fine)) (2 .)))\n(2 (2 a) (3 b))\n(2 x)\n".utf8)]
      ),
      (
        "{format: pairs, train: F/a.txt, valid: 0.4, source: {train: F/b.txt}}",
        ["a.txt": Array(lines.utf8), "b.txt": Array("1 2 3\n4 5\n6\n".utf8)]
      ),
      (
        """
        {format: csv, train: F/a.csv, valid: 0.4, columns: {inputs: [x, y], tag: state, id: run}}
        """, ["a.csv": Array(frames.utf8)]
      ),
      (
        "{format: piano, train: F/a.txt, valid: F/b.txt}",
        [
          "a.txt": Array("60,64|67|21\n21|87\n".utf8),
          "b.txt": Array("60,64|67\n".utf8),
        ]
      ),
    ]
    return kinds.map { section, files in
      Subject(files: files, damaged: Subject.anyFile) { folder in
        _ = try Dataset(
          dataOptions(section, folder), cache: folder + "/cache", writing: true)
      }
    }
  }

  private static func dataOptions(_ section: String, _ folder: String) throws -> DataOptions {
    try Configuration(yaml: section.replacing("F/", with: folder + "/"), file: "test")
      .decode(DataOptions.self)
  }

  /// Running texts, and JSON lines as `unroll prepare` reads them, packed or not.
  static let texts = Reader(name: "texts") { folder in
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let text = (0..<30).map { "line \($0) é\u{301} 日本\r\n\n" }.joined()
    var subjects = ["byte", "character", "word"].map { tokenizer in
      Subject(files: ["a.txt": Array(text.utf8)], damaged: Subject.anyFile) { folder in
        let options = try dataOptions(
          "{train: F/a.txt, valid: 0.2, tokenizer: \(tokenizer)}", folder)
        let cache = folder + "/cache"
        try? FileManager.default.removeItem(atPath: cache)
        try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
        _ = try Dataset(options, cache: cache, writing: true)
      }
    }
    let lines = (0..<12).map { i in
      "{\"id\": \(i), \"text\": \"l\\u00e9\\ud83d\\ude00 \\n é \(i)\", \"x\": [1.5e3, {\"y\": null}, true]}\n"
    }
    let plain = try put(lines.joined(), folder + "/a.jsonl")
    var bases = [("a.jsonl", try bytes(at: plain))]
    for (program, ending) in [("gzip", "gz"), ("zstd", "zst")] {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = [program, "-k", "-q", plain]
      guard (try? process.run()) != nil else { continue }
      process.waitUntilExit()
      guard process.terminationStatus == 0 else { continue }
      bases.append(("a.jsonl." + ending, try bytes(at: plain + "." + ending)))
    }
    subjects += bases.map { name, bytes in
      Subject(files: [name: bytes], damaged: { damagedBytes($0, &$1) }) { folder in
        var settings = PreparationSettings()
        settings.pieceSize = 200
        let encoder = PieceEncoder(settings, .bytes)
        let pieces = try PieceCutter(
          PreparedInputs([folder + "/" + name], jsonLines: false), settings)
        while let piece = try pieces.next() { _ = try encoder.encode(piece) }
      }
    }
    return subjects
  }
}
