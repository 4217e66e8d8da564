import Datasets
internal import Foundation
import LinearAlgebra
internal import TestSupport
import Testing

private func tokens(_ corpus: Corpus) -> [Int32] { (0..<corpus.count).map { corpus[$0] } }

@Suite struct `Token shards as data` {
  let folder = TemporaryFolder()
  static let texts = ["ab\ncde\n", "f\n", "gh\ni\n"]

  /// Three shards in a folder, with their vocabulary.
  func shards(_ name: String = "shards", _ vocabulary: Vocabulary = .bytes) throws -> String {
    let path = folder.path + "/" + name
    for (number, text) in Self.texts.enumerated() {
      try writeShard(path + "/\(number).tokens", of: text, vocabulary)
    }
    return path
  }

  func open(
    _ train: Paths, _ document: DocumentBoundary = .none, valid: HeldOut? = nil,
    tokenizer: TokenizerChoice = .character
  ) throws -> Dataset {
    try Dataset(
      DataOptions(train: train, valid: valid, tokenizer: tokenizer, document: document),
      cache: folder.cache, writing: true)
  }

  func message(_ body: () throws -> Dataset) throws -> String {
    let error = #expect(throws: DataError.self) { try body() }
    return try #require(error).message
  }

  @Test func `A folder, a pattern and a list of shards are one corpus`() throws {
    let path = try shards()
    let all = Self.texts.joined()
    for train in [
      Paths([path]), Paths([path + "/*"]), Paths((0..<3).map { "\(path)/\($0).tokens" }),
    ] {
      let dataset = try open(train)
      let corpus = try #require(dataset.train.corpus)
      #expect(tokens(corpus) == all.utf8.map { Int32($0) })
      #expect(corpus.files == [0..<7, 7..<9, 9..<14])
      #expect(corpus.byteCount == all.utf8.count && corpus.documentCount == 0)
      let buffer = Buffer<Int32>(count: 20)
      corpus.copy(5..<11, to: buffer, at: 3)
      #expect(Array(buffer.elements()[3..<9]) == Array(tokens(corpus)[5..<11]))
    }
    let reset = try #require(try open(Paths([path]), .reset).train.corpus)
    #expect(reset.documentStarts == [0, 3, 7, 9, 12])
    let part = reset.part(2..<10, name: "part")
    #expect(tokens(part) == Array(tokens(reset)[2..<10]) && part.documentStarts == [1, 5, 7])
    #expect(part.byteCount == nil && part.files == [0..<5, 5..<7, 7..<8])
  }

  @Test func `Of shards named after a part of the data, those of the part are taken`() throws {
    let path = folder.path + "/parts"
    for (name, text) in [("train-0", "ab\n"), ("train-1", "cd\n"), ("valid-0", "e\n")] {
      try writeShard("\(path)/\(name).tokens", of: text)
    }
    for train in [path, path + "/*", path + "/train-*"] {
      let dataset = try open([train], valid: .text([path]))
      #expect(dataset.train.count == 6 && dataset.valid?.count == 2)
    }
    #expect(try open([path + "/valid-*"]).train.count == 2)
    try FileManager.default.removeItem(atPath: path + "/valid-0.tokens")
    #expect(
      try message { try open([path], valid: .text([path])) }.contains(
        "none whose name begins with valid-"))
  }

  @Test func `Parts are held out at the end of every corpus`() throws {
    let path = try shards()
    let whole = try open(Paths([path]), valid: .fraction(0.25))
    #expect(tokens(try #require(whole.valid?.corpus)) == "h\ni\n".utf8.map { Int32($0) })
    let (a, b) = ("\(path)/0.tokens", "\(path)/2.tokens")
    let mixed = try open(Paths([a, b], weights: [1, 3]), valid: .fraction(0.4))
    #expect(tokens(try #require(mixed.valid?.corpus)) == "de\ni\n".utf8.map { Int32($0) })
    #expect(mixed.train.count == 7)
    #expect(mixed.hash != (try open(Paths([a, b], weights: [1, 2]), valid: .fraction(0.4))).hash)
  }

  @Test func `The vocabulary is beside the shards, above them, or named`() throws {
    let words = try Vocabulary(
      countedIn: TextFiles([folder.write("words.txt", Self.texts.joined(separator: " "))]),
      by: .word)
    let path = try shards("deep/words", words)
    #expect(try open(Paths([path])).vocabulary == words)
    try FileManager.default.moveItem(
      atPath: path + "/vocabulary.json", toPath: folder.path + "/deep/vocabulary.json")
    #expect(try open(Paths([path])).vocabulary == words)
    try FileManager.default.moveItem(
      atPath: folder.path + "/deep/vocabulary.json", toPath: folder.path + "/own.json")
    #expect(try message { try open(Paths([path])) }.contains("no vocabulary.json is beside"))
    let named = TokenizerChoice.vocabulary(path: folder.path + "/own.json")
    #expect(try open(Paths([path]), tokenizer: named).vocabulary == words)
    #expect(
      try message { try open(Paths([path]), tokenizer: .byte) }.contains("another vocabulary"))
  }

  @Test func `What does not fit is refused in a sentence`() throws {
    let path = try shards()
    let text = folder.write("text.txt", "some text\n")
    #expect(try message { try open(Paths([path, text])) }.contains("shards or texts, not both"))
    #expect(
      try message { try open(Paths([path]), .line) }.contains("set it to none, reset or end_token"))
    #expect(
      try message { try open(Paths([text]), .reset) }.contains(
        "set it to none, file, blank_line or line"))
    #expect(
      try message { try open(Paths([path]), .endToken) }.contains("no end-of-document token"))
    #expect(try message { try open(Paths([path + "/*.bin"])) }.contains("matches no file"))
    try writeShard(path + "/none.tokens", of: "abc", document: .none)
    #expect(
      try message { try open(Paths([path + "/none.tokens"]), .reset) }.contains(
        "no index of documents"))
    #expect(
      try message { try open(Paths([path]), tokenizer: .word) }.contains("remove data.tokenizer"))
  }

  @Test func `A damaged shard is refused`() throws {
    let path = try shards()
    var bytes = folder.read("shards/1.tokens")
    bytes[128] ^= 1
    folder.write("shards/1.tokens", bytes)
    #expect(try message { try open(Paths([path])) }.contains("1.tokens is damaged"))
  }

  @Test func `A text may stand beside shards where it is encoded alike`() throws {
    let path = try shards()
    let text = folder.write("text.txt", "some text\n")
    let dataset = try open(Paths([path]), valid: .text([text]))
    #expect(dataset.valid?.count == 10)
  }

  @Test func `Texts and patterns of texts are mixed too, with one vocabulary`() throws {
    folder.write("a/1.txt", "aab")
    folder.write("a/2.txt", "abc")
    let other = folder.write("b.txt", "dddd")
    let dataset = try open(Paths([folder.path + "/a/*.txt", other], weights: [1, 1]))
    #expect(dataset.vocabulary.count == 5 && dataset.train.count == 10)
    #expect(dataset.train.corpora.map(\.count) == [6, 4])
  }
}

@Suite struct `Bytes of text per target` {
  let folder = TemporaryFolder()

  @Test func `are those of the whole text, of the symbols of a part, or in proportion`() throws {
    let text = folder.write("t.txt", "aé  b\nccc dd\n")
    func open(_ tokenizer: TokenizerChoice, valid: HeldOut? = nil) throws -> Dataset {
      try Dataset(
        DataOptions(train: [text], valid: valid, tokenizer: tokenizer), cache: folder.cache,
        writing: true)
    }
    // 14 bytes are 13 characters, or 4 words and 2 ends of lines.
    let characters = try open(.character)
    #expect(characters.bytesPerTarget(of: characters.train) == 14.0 / 13)
    let words = try open(.word)
    #expect(words.bytesPerTarget(of: words.train) == 14.0 / 6)
    // The part "\nccc dd\n" of "aé  b\nccc dd\n".
    let parts = try open(.character, valid: .fraction(0.6))
    #expect(parts.bytesPerTarget(of: parts.valid!) == 1)
    #expect(parts.bytesPerTarget(of: parts.train) == 6.0 / 5)
  }

  @Test func `of sequences are those of their symbols; labels have none`() throws {
    let lines = folder.write("l.txt", "a é b\nccc\n")
    func open(_ format: SequenceFormat, _ path: String) throws -> Dataset {
      try Dataset(
        DataOptions(train: [path], tokenizer: .word, reader: ReaderOptions(format)),
        cache: folder.cache, writing: true)
    }
    // Words with the blank or the end of the line behind them: 2 + 3 + 2, and 4; 4 words, 2 ends.
    let sequences = try open(.lines, lines)
    #expect(sequences.bytesPerTarget(of: sequences.train) == 11.0 / 6)
    let labels = try open(.labels, folder.write("c.txt", "good\ta b\nbad\tc d\n"))
    #expect(labels.bytesPerTarget(of: labels.train) == nil)
  }
}
