import Collectives
import Datasets
import Foundation
import TestSupport
import Testing
import Tools

@Suite struct `Preparation of shards` {
  let folder = TemporaryFolder()

  /// Texts of several files: words, blank lines, long lines, characters of several bytes.
  func texts() -> [String] {
    var random = SplitMix(state: 7)
    return (0..<5).map { file in
      var text = ""
      for line in 0..<(file == 3 ? 1 : 30 + 20 * file) {
        let words = (0..<Int(random.next() % 9)).map { _ in
          ["a", "bé", "cat😀", "dog", "ünder"][Int(random.next() % 5)]
        }
        text += words.joined(separator: " ") + (file == 4 && line > 80 ? " " : "\n")
      }
      return folder.write("texts/\(file).txt", text + (file == 2 ? "end" : ""))
    }
  }

  func settings(_ change: (inout PreparationSettings) -> Void = { _ in }) -> PreparationSettings {
    var settings = PreparationSettings()
    settings.pieceSize = 160
    settings.shardTokens = 400
    change(&settings)
    return settings
  }

  @discardableResult
  func prepare(
    _ paths: [String], _ out: String, _ settings: PreparationSettings,
    tokenizer: String = "character", in world: World = .singleProcess
  ) throws -> PreparationManifest {
    var request = PreparationRequest(
      paths, tokenizer: tokenizer, folder: folder.path + "/" + out, settings: settings)
    request.saveEvery = 0
    let ready = request
    let results = try world.run { world -> PreparationManifest? in
      do {
        return try Preparation(ready, world: world) { _ in }.run()?.manifest
      } catch is FailedElsewhere {
        // The root throws the cause.
        return nil
      }
    }
    return try #require(results.first { $0.rank == 0 }?.value)
  }

  /// The contents of all files of a folder, by their names.
  func contents(_ out: String) throws -> [String: [UInt8]] {
    let root = folder.path + "/" + out
    let names = try FileManager.default.subpathsOfDirectory(atPath: root)
    return Dictionary(
      uniqueKeysWithValues: names.filter {
        var isFolder: ObjCBool = false
        _ = FileManager.default.fileExists(atPath: root + "/" + $0, isDirectory: &isFolder)
        return !isFolder.boolValue && $0 != ".lock" && !$0.hasSuffix(".checked")
      }.map { ($0, folder.read(out + "/" + $0)) })
  }

  /// The tokens of the shards of one part, and the places of documents in them.
  func shards(
    _ out: String, _ manifest: PreparationManifest, part: String = "train"
  ) throws -> (tokens: [Int32], documents: [Int], bytes: Int) {
    let vocabulary = try Vocabulary(contentsOf: folder.path + "/" + out + "/vocabulary.json")
    var (tokens, documents, bytes): ([Int32], [Int], Int) = ([], [], 0)
    for shard in manifest.parts[part]!.shards {
      let corpus = try Corpus(
        contentsOf: folder.path + "/" + out + "/" + shard.name, vocabulary: vocabulary)
      #expect(corpus.count == shard.tokens && corpus.documentCount == shard.documents)
      documents += corpus.documentStarts.map { $0 + tokens.count }
      tokens += (0..<corpus.count).map { corpus[$0] }
      bytes += corpus.byteCount ?? 0
    }
    return (tokens, documents, bytes)
  }

  @Test(arguments: [DocumentBoundary.none, .file, .blankLine, .line])
  func `Shards have the tokens and documents of the texts`(_ boundary: DocumentBoundary) throws {
    let paths = texts()
    for tokenizer in ["byte", "character", "word"] {
      let out = "\(tokenizer)-\(boundary)"
      let manifest = try prepare(
        paths, out, settings { $0.document = boundary }, tokenizer: tokenizer)
      let found = try shards(out, manifest)
      let vocabulary = try Vocabulary(countedIn: TextFiles(paths), by: tokenizers[tokenizer]!)
      let corpus = try Corpus(
        TextFiles(paths), vocabulary: vocabulary, document: boundary, cache: folder.cache,
        writing: true)
      #expect(found.tokens == (0..<corpus.count).map { corpus[$0] }, "\(out)")
      #expect(found.documents == corpus.documentStarts, "\(out)")
      #expect(found.bytes == corpus.byteCount)
      #expect(manifest.parts["train"]!.shards.count > 2)
      #expect(
        manifest.parts["train"]!.shards.dropLast().allSatisfy { (400...500).contains($0.tokens) })
    }
  }

  @Test(arguments: [World.threads(2), .threads(3), .threads(5)])
  func `The bytes do not depend on the number of ranks`(_ world: World) throws {
    guard !World.isLaunched else { return }
    let paths = texts()
    let settings = settings {
      $0.document = .line
      $0.split = [DocumentShare("valid", 0.2), DocumentShare("test", 0.1)]
    }
    try prepare(paths, "alone", settings, tokenizer: "word")
    try prepare(paths, "together", settings, tokenizer: "word", in: world)
    #expect(try contents("alone") == contents("together"))
    #expect(try contents("alone").keys.contains("valid-000000.tokens"))
  }

  @Test(arguments: [ShardFormat.unroll, .llmC, .megatron])
  func `A preparation goes on after any piece to the same bytes`(_ format: ShardFormat) throws {
    guard !World.isLaunched else { return }
    let paths = texts()
    let settings = settings {
      $0.document = .line
      $0.shardTokens = 150
      $0.format = format
      $0.split = [DocumentShare("valid", 0.3)]
    }
    try prepare(paths, "whole", settings)
    let whole = try contents("whole")
    for stop in [1, 5, 14] {
      for saveEvery in [0, 1e9] {
        let out = "killed-\(stop)-\(saveEvery)"
        // A thrown error in the display of progress is not possible: the copy of the folder at that
        // moment is what a killed process leaves.
        var request = PreparationRequest(
          paths, tokenizer: "character", folder: folder.path + "/run-" + out, settings: settings)
        request.saveEvery = saveEvery
        var pieces = 0
        let (from, to) = (folder.path + "/run-" + out, folder.path + "/" + out)
        _ = try Preparation(request, world: SingleProcess()) { progress in
          if progress.isCounting { return }
          pieces += 1
          if pieces == stop { try! FileManager.default.copyItem(atPath: from, toPath: to) }
        }.run()
        #expect(pieces > stop)
        #expect(try contents(out)["manifest.json"] == nil)
        try prepare(paths, out, settings, in: .threads(2))
        #expect(try contents(out) == whole, "\(out)")
      }
    }
  }

  @Test func `A document is in one part, and shares are about right`() throws {
    let lines = (0..<4000).map { "line \($0)" }
    let path = folder.write("lines.txt", lines.joined(separator: "\n") + "\n")
    let settings = settings {
      $0.document = .line
      $0.pieceSize = 900
      $0.shardTokens = 1 << 20
      $0.split = [DocumentShare("valid", 0.1)]
    }
    let manifest = try prepare([path], "split", settings)
    let vocabulary = try Vocabulary(contentsOf: folder.path + "/split/vocabulary.json")
    let parts = try ["train", "valid"].map {
      vocabulary.decode(try shards("split", manifest, part: $0).tokens)
        .split(separator: "\n").map(String.init)
    }
    #expect(parts[0].count + parts[1].count == 4000)
    #expect(Set(parts[0] + parts[1]) == Set(lines))
    #expect((320...480).contains(parts[1].count))
    var other = settings
    other.seed = 2
    let again = try prepare([path], "other", other)
    #expect(
      try shards("other", again, part: "valid").tokens
        != shards("split", manifest, part: "valid").tokens)
  }

  @Test func `Texts in JSON lines and packed files are read as they are`() throws {
    let documents = ["one \"two\"\n", "", "é😀\u{7}\\", String(repeating: "long ", count: 90)]
    let lines = try documents.map {
      String(
        decoding: try JSONSerialization.data(withJSONObject: ["body": $0, "n": [1, ["x": 2]]]),
        as: UTF8.self)
    }
    let text = lines.joined(separator: "\n") + "\n\n{\"body\":null}"
    let settings = settings { $0.field = "body" }
    var found: [[UInt8]] = []
    let plain = folder.write("a.jsonl", text)
    var paths = [plain]
    for (program, ending) in [("gzip", "gz"), ("zstd", "zst")] {
      guard run(program, "-k", "-q", plain) else { continue }
      paths.append(plain + "." + ending)
    }
    for path in paths {
      let out = "json-\(found.count)"
      let manifest = try prepare([path], out, settings, tokenizer: "byte")
      let shards = try shards(out, manifest)
      #expect(shards.tokens.map { UInt8($0) } == Array(documents.joined().utf8))
      #expect(shards.documents == [0, 10, 18])
      found.append(folder.read(out + "/train-000000.tokens"))
    }
    #expect(Set(found).count == 1)
  }

  private func run(_ program: String, _ arguments: String...) -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    do { try process.run() } catch { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }

  @Test func `Other formats hold the same tokens`() throws {
    let paths = texts()
    let own = try prepare(paths, "own", settings { $0.document = .line }, tokenizer: "word")
    let expected = try shards("own", own)
    for format in [ShardFormat.llmC, .megatron] {
      let settings = settings {
        $0.document = .line
        $0.format = format
      }
      let manifest = try prepare(paths, "\(format)", settings, tokenizer: "word")
      let vocabulary = try Vocabulary(contentsOf: folder.path + "/\(format)/vocabulary.json")
      var (tokens, documents): ([Int32], [Int]) = ([], [])
      for shard in manifest.parts["train"]!.shards {
        let corpus = try Corpus(
          contentsOf: folder.path + "/\(format)/" + shard.name, vocabulary: vocabulary)
        documents += corpus.documentStarts.map { $0 + tokens.count }
        tokens += (0..<corpus.count).map { corpus[$0] }
        #expect(corpus.byteCount == nil && corpus.vocabularyHash == 0)
      }
      #expect(tokens == expected.tokens)
      // llm.c's files say nothing of documents.
      #expect(documents == (format == .llmC ? [] : expected.documents))
    }
  }

  @Test func `A folder of other settings or other files is refused`() throws {
    let paths = texts()
    try prepare(paths, "out", settings(), tokenizer: "byte")
    let before = try contents("out")
    func refusal(_ words: String, _ body: () throws -> Void) throws {
      let error = #expect(throws: DataError.self) { try body() }
      #expect(try #require(error).message.contains(words), "\(String(describing: error))")
    }
    try refusal("another --shard-tokens") {
      try prepare(paths, "out", settings { $0.shardTokens = 9 }, tokenizer: "byte")
    }
    try refusal("another tokenizer") { try prepare(paths, "out", settings(), tokenizer: "word") }
    try refusal("other texts") {
      try prepare([paths[0]], "out", settings(), tokenizer: "byte")
    }
    #expect(try contents("out") == before)
    folder.write("mine/train-000000.tokens", "precious")
    try refusal("is there without a manifest") {
      try prepare(paths, "mine", settings(), tokenizer: "byte")
    }
    #expect(folder.read("mine/train-000000.tokens") == Array("precious".utf8))
  }

  @Test func `A wrong byte or line is refused with its place, on any rank`() throws {
    guard !World.isLaunched else { return }
    let good = (0..<80).map { "line \($0)\n" }.joined()
    let vocabulary = folder.write("words.txt", "line\n1\n")
    let bad = folder.write("bad.txt", Array(good.utf8) + [0x66, 0xFF, 0x0A])
    let json = folder.write(
      "bad.jsonl", String(repeating: "{\"text\":\"x\"}\n", count: 40) + "{\"text\":3}\n")
    for world in [World.singleProcess, .threads(2), .threads(3)] {
      for (path, words) in [
        (bad, "bad.txt, line 81 (byte"), (json, "bad.jsonl, line 41 is not JSON"),
      ] {
        let error = #expect(throws: (any Error).self) {
          try prepare([path], "refused-\(world)", settings(), tokenizer: vocabulary, in: world)
        }
        #expect("\(try #require(error))".contains(words), "\(String(describing: error))")
        try? FileManager.default.removeItem(atPath: folder.path + "/refused-\(world)")
      }
    }
    let manifest = try prepare(
      [bad], "replaced", settings { $0.invalid = .replace }, tokenizer: "character")
    #expect(
      try Vocabulary(contentsOf: folder.path + "/replaced/vocabulary.json")
        .decode(try shards("replaced", manifest).tokens) == good + "f\u{FFFD}\n")
  }
}

/// A generator of the same numbers in every run.
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
