import Datasets
internal import Foundation
import LinearAlgebra
internal import TestSupport
import Testing

private func tokens(_ corpus: Corpus) -> [Int32] { (0..<corpus.count).map { corpus[$0] } }

private func documents(
  _ folder: TemporaryFolder, _ paths: [String], _ boundary: DocumentBoundary,
  _ tokenizer: some Tokenizer = .byte
) throws -> [Int] {
  let text = try TextFiles(paths)
  let vocabulary = try Vocabulary(countedIn: text, by: tokenizer)
  return try Corpus(
    text, vocabulary: vocabulary, document: boundary, cache: folder.cache, writing: true
  ).documentStarts
}

@Suite struct `Encoded corpora` {
  let folder = TemporaryFolder()

  func open(_ vocabulary: Vocabulary, _ path: String, writing: Bool = true) throws -> Corpus {
    try Corpus(TextFiles([path]), vocabulary: vocabulary, cache: folder.cache, writing: writing)
  }

  @Test(arguments: [(200, 1), (300, 2), (66_000, 4)])
  func `Tokens have the width that the vocabulary needs`(_ words: Int, _ width: Int) throws {
    let text = (0..<words).map { "w\($0)" }.joined(separator: " ")
    let path = folder.write("text.txt", text)
    let vocabulary = try Vocabulary(countedIn: TextFiles([path]), by: .word)
    #expect(vocabulary.count == words + 2)
    let corpus = try open(vocabulary, path)
    #expect(corpus.count == words + 1)
    #expect(tokens(corpus) == vocabulary.encode(text, endingLastLine: true))
    let padded = ((words + 1) * width + 7) / 8 * 8
    #expect(folder.read(folder.cached(".tokens")).count == 128 + padded + 8)
    let buffer = Buffer<Int32>(count: 9)
    corpus.copy(100..<107, to: buffer, at: 2)
    #expect(Array(buffer.elements()) == [0, 0] + (100..<107).map { corpus[$0] })
  }

  @Test(arguments: namedTokenizers)
  func `A file is encoded as its text is`(_ name: String) throws {
    let text = "a\r\nbé e\u{301}\u{0}😀 \n\n last line \r without end"
    let path = folder.write("text.txt", text)
    let vocabulary = try Vocabulary(countedIn: TextFiles([path]), by: tokenizers[name]!)
    let corpus = try open(vocabulary, path)
    #expect(tokens(corpus) == vocabulary.encode(text, endingLastLine: true))
    if let unknown = vocabulary.unknown { #expect(corpus.occurrences(of: unknown) == 0) }
    let part = corpus.part(3..<8, name: "a part")
    #expect(tokens(part) == Array(tokens(corpus)[3..<8]))
  }

  @Test func `Unseen symbols of another text are unknown`() throws {
    let vocabulary = try Vocabulary(
      countedIn: TextFiles([folder.write("a.txt", "abc")]), by: .character)
    let corpus = try open(vocabulary, folder.write("b.txt", "axbé😀"))
    #expect(tokens(corpus) == [0, 3, 1, 3, 3])
    #expect(corpus.occurrences(of: vocabulary.unknown!) == 3)
  }

  @Test func `An unchanged text is not encoded again, a changed one is`() throws {
    let path = folder.write("text.txt", "hello")
    _ = try open(.bytes, path)
    let cached = folder.path + "/" + folder.cached(".tokens")
    func inode() throws -> Int {
      try FileManager.default.attributesOfItem(atPath: cached)[.systemFileNumber] as! Int
    }
    let first = try inode()
    #expect(tokens(try open(.bytes, path)) == Array("hello".utf8).map { Int32($0) })
    #expect(try inode() == first)
    folder.write("text.txt", "world")
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: 1e9)], ofItemAtPath: path)
    #expect(tokens(try open(.bytes, path)) == Array("world".utf8).map { Int32($0) })
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.cache)
    #expect(names.filter { !$0.hasSuffix(".checked") }.count == 1, "no temporary file is left")
  }

  @Test(arguments: [0, 12, 60, 130, 153]) func `A damaged cache is encoded again`(
    _ place: Int
  ) throws {
    let path = folder.write("text.txt", "some text, long enough")
    let good = try open(.bytes, path)
    let expected = tokens(good)
    let name = folder.cached(".tokens")
    var bytes = folder.read(name)
    bytes[place] ^= 0x40
    folder.write(name, bytes)
    #expect(tokens(try open(.bytes, path)) == expected)
    #expect(folder.read(name).count == bytes.count)
    #expect(folder.read(name) != bytes)
  }

  @Test func `A reader refuses a cache that is missing, short, or of other text`() throws {
    let path = folder.write("text.txt", "some text, long enough")
    #expect(throws: DataError.self) { try open(.bytes, path, writing: false) }
    let corpus = try open(.bytes, path)
    #expect(tokens(try open(.bytes, path, writing: false)) == tokens(corpus))
    let name = folder.cached(".tokens")
    let bytes = folder.read(name)
    for count in [0, 100, 128, bytes.count - 1] {
      folder.write(name, Array(bytes.prefix(count)))
      #expect(throws: DataError.self) { try open(.bytes, path, writing: false) }
    }
    folder.write(name, bytes)
    folder.write("text.txt", "grown since: some text, long enough")
    let error = #expect(throws: DataError.self) { try open(.bytes, path, writing: false) }
    #expect(try #require(error).message.contains("an earlier version of"))
  }

  @Test func `A corpus of another vocabulary is refused`() throws {
    let path = folder.write("text.txt", "a b c\n")
    let words = try Vocabulary(countedIn: TextFiles([path]), by: .word)
    _ = try open(words, path)
    let file = folder.path + "/" + folder.cached(".tokens")
    #expect(try Corpus(contentsOf: file, vocabulary: words).count == 4)
    let error = #expect(throws: DataError.self) {
      try Corpus(contentsOf: file, vocabulary: .bytes)
    }
    #expect(try #require(error).message.contains("\(file) was encoded with another vocabulary"))
  }

  @Test func `Documents begin where they are said to`() throws {
    let a = folder.write("a.txt", "\n x\ny\n \t\n\nz\n\n")
    let b = folder.write("b.txt", "p\n\nq")
    let paths = [a, b]
    // a.txt is 14 bytes: lines at 0, 1, 4, 6, 9, 10, 12.
    #expect(try documents(folder, paths, .none) == [])
    #expect(try documents(folder, paths, .file) == [0, 13])
    #expect(try documents(folder, paths, .blankLine) == [0, 10, 13, 16])
    #expect(try documents(folder, paths, .line) == [0, 1, 4, 6, 9, 10, 12, 13, 15, 16])
    // As words: <eos> | x <eos> | y <eos> | <eos> | <eos> | z <eos> | <eos> || p <eos> | <eos> | q <eos>
    #expect(try documents(folder, paths, .blankLine, .word) == [0, 7, 10, 13])
    #expect(try documents(folder, paths, .line, .word) == [0, 1, 3, 5, 6, 7, 9, 10, 12, 13])
  }

  @Test func `Lines of bytes may end in the midst of a character`() throws {
    let path = folder.write("bytes.txt", [0x61, 0x0A, 0xF0, 0x0A, 0x0A, 0x62, 0x0A, 0x0A, 0xE2])
    #expect(try documents(folder, [path], .blankLine) == [0, 5, 8])
  }

  @Test func `A part has the files and the documents within it`() throws {
    let paths = [
      folder.write("a.txt", "abc\ndef\n"), folder.write("b.txt", "gh\nij\nkl\n"),
      folder.write("c.txt", "m"),
    ]
    let whole = try Corpus(
      TextFiles(paths), vocabulary: .bytes, document: .line, cache: folder.cache, writing: true)
    #expect(whole.files == [0..<8, 8..<17, 17..<18])
    let part = whole.part(2..<14, name: "part")
    #expect(part.files == [0..<6, 6..<12])
    #expect(part.documentStarts == [2, 6, 9])
    #expect(part.documentCount == 3)
    #expect(part.part(1..<7, name: "part").files == [0..<5, 5..<6])
    #expect(part.hash != whole.hash)
  }

  @Test func `The bytes of a text are known for all of it, without byte order marks`() throws {
    let paths = [
      folder.write("a.txt", "\u{FEFF}aé\n"), folder.write("b.txt", "<unk> x"),
    ]
    let text = try TextFiles(paths)
    for (tokenizer, bytes) in [(tokenizers["word"]!, 4 + 7), (.byte, 3 + 4 + 7)] {
      let vocabulary = try Vocabulary(countedIn: text, by: tokenizer)
      func open(writing: Bool) throws -> Corpus {
        try Corpus(text, vocabulary: vocabulary, cache: folder.cache, writing: writing)
      }
      #expect(try open(writing: true).byteCount == bytes)
      let corpus = try open(writing: false)
      #expect(corpus.byteCount == bytes)
      #expect(corpus.part(0..<corpus.count, name: "all").byteCount == bytes)
      #expect(corpus.part(0..<2, name: "a part").byteCount == nil)
    }
  }

  @Test func `The hash is of what is in the text, not of where and when`() throws {
    let a = try open(.bytes, folder.write("a.txt", "same text"))
    let b = try open(.bytes, folder.write("b.txt", "same text"))
    let c = try open(.bytes, folder.write("c.txt", "some text"))
    #expect(a.hash == b.hash && a.hash != c.hash)
  }
}
