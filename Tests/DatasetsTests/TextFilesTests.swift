import Datasets
internal import Foundation
internal import TestSupport
import Testing

@Suite struct `Files of text` {
  let folder = TemporaryFolder()

  func read(_ paths: [String]) throws -> String {
    let corpus = try Corpus(
      TextFiles(paths), vocabulary: .bytes, cache: folder.cache, writing: true)
    return Vocabulary.bytes.decode((0..<corpus.count).map { corpus[$0] })
  }

  func refusal(_ paths: [String]) -> String {
    #expect(throws: DataError.self) { try TextFiles(paths) }?.message ?? ""
  }

  @Test func `A folder is its files in the order of their names, each once`() throws {
    folder.write("texts/b.txt", "2")
    folder.write("texts/a/z", "1")
    folder.write("texts/c.txt", "3")
    folder.write("texts/.hidden", "x")
    folder.write("texts/empty", "")
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/texts/d.txt", withDestinationPath: "b.txt")
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/texts/loop", withDestinationPath: ".")
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/texts/broken", withDestinationPath: "nowhere")
    #expect(try read([folder.path + "/texts"]) == "123")
    #expect(try read([folder.path + "/texts/c.txt", folder.path + "/texts/"]) == "3123")
  }

  @Test func `A byte order mark is no symbol, unless bytes are read`() throws {
    let marked = folder.write("marked.txt", "\u{FEFF}abc\u{FEFF}")
    let vocabulary = try Vocabulary(countedIn: TextFiles([marked]), by: .character)
    let corpus = try Corpus(
      TextFiles([marked]), vocabulary: vocabulary, cache: folder.cache, writing: true)
    #expect(vocabulary.decode((0..<corpus.count).map { corpus[$0] }) == "abc\u{FEFF}")
    #expect(try TextFiles([marked]).characterCount() == 4)
    #expect(try read([marked]) == "\u{FEFF}abc\u{FEFF}")
    let list = try Vocabulary(contentsOf: folder.write("words.txt", "\u{FEFF}one\ntwo\n"))
    #expect(list.id(of: "one".utf8) == 0)
  }

  @Test func `A file in another form is refused with what to do`() throws {
    let forms: [(name: String, bytes: [UInt8], words: String)] = [
      ("a.gz", [0x1F, 0x8B, 8, 0], "gunzip"), ("a.xz", [0xFD, 0x37, 0x7A, 0x58, 0x5A], "unxz"),
      ("a.zst", [0x28, 0xB5, 0x2F, 0xFD], "unzstd"),
      ("wide.txt", [0xFF, 0xFE, 0x61, 0, 0x62, 0], "UTF-16"), ("latin.txt", [0x61, 0xE9], "iconv"),
    ]
    for form in forms {
      let path = folder.write(form.name, "")
      try Data(form.bytes).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: DataError.self) {
        try Vocabulary(countedIn: TextFiles([path]), by: .character)
      }
      #expect(error?.message.contains(form.words) == true)
    }
  }

  @Test func `Unknown symbols are counted, and told above a tenth`() throws {
    let text = folder.write("known.txt", "abab")
    let vocabulary = try Vocabulary(countedIn: TextFiles([text]), by: .character)
    var some = UnknownSymbols()
    some.add(vocabulary.encode("ababababax"), vocabulary)
    #expect(some.count == 1 && some.all == 10 && !some.isAll && some.warning(of: "it") == nil)
    #expect(some.words == "1 of 10 symbols unknown (10.0 %)")
    some.add(vocabulary.encode("yab"), vocabulary)
    #expect(some.count == 2 && some.all == 13)
    #expect(some.warning(of: "it")?.contains("2 of 13 symbols unknown (15.4 %)") == true)
    // What marks the ends of sequences is no symbol of the text.
    if let end = vocabulary.end { some.add([end], vocabulary) }
    #expect(some.all == 13)
    var none = UnknownSymbols()
    none.add(Vocabulary.bytes.encode("xyz"), .bytes)
    #expect(none.count == 0 && none.words == nil)
  }

  @Test func `A path without a text is refused with its name`() {
    #expect(refusal([]).contains("set data.train"))
    #expect(refusal([folder.path + "/none.txt"]).contains("/none.txt does not exist"))
    #expect(refusal([folder.write("empty.txt", "")]).contains("/empty.txt is empty"))
    #expect(
      refusal([folder.write("a.txt", "a") + "/b.txt"]).contains("/a.txt/b.txt cannot be read"))
    folder.write("folder/.hidden", "x")
    folder.write("folder/empty", "")
    #expect(refusal([folder.path + "/folder"]).contains("has no file with text"))
    #expect(refusal(["/dev/null"]).contains("neither a file nor a folder"))
  }

  @Test func `A file without permission is refused`() throws {
    let path = folder.write("secret.txt", "text")
    try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: path)
    let error = #expect(throws: DataError.self) { try withoutRootsRights { try read([path]) } }
    #expect(try #require(error).message.contains("Permission denied"))
  }

  @Test(
    arguments: [
      ([0x61, 0x0A, 0x62, 0xFF], 2, 3),  // never a byte of UTF-8
      ([0x80], 1, 0),  // a trailing byte first
      ([0x0A, 0x0A, 0xC3], 3, 2),  // cut off at the end
      ([0x61, 0xE2, 0x82, 0x0A], 1, 1),  // cut off in the middle
      ([0xC0, 0x80], 1, 0), ([0xE0, 0x9F, 0xBF], 1, 0),  // longer than need be
      ([0x0A, 0xED, 0xA0, 0x80], 2, 1),  // half of a surrogate pair
      ([0xF4, 0x90, 0x80, 0x80], 1, 0), ([0xF5, 0x80, 0x80, 0x80], 1, 0),  // beyond U+10FFFF
      ([0xF0, 0x9F, 0x98, 0x41], 1, 0),
    ] as [([UInt8], Int, Int)])
  func `Text that is not UTF-8 is refused with the place`(
    _ bytes: [UInt8], _ line: Int, _ offset: Int
  ) throws {
    let path = folder.write("text.txt", bytes)
    for name in ["character", "word"] {
      let error = #expect(throws: DataError.self) {
        try Vocabulary(countedIn: TextFiles([path]), by: tokenizers[name]!)
      }
      #expect(
        try #require(error).message.contains("text.txt, line \(line) (byte \(offset)) is not UTF-8")
      )
    }
    let good = try Vocabulary(
      countedIn: TextFiles([folder.write("good.txt", "a")]), by: .character)
    #expect(throws: DataError.self) {
      try Corpus(TextFiles([path]), vocabulary: good, cache: folder.cache, writing: true)
    }
    let left = (try? FileManager.default.contentsOfDirectory(atPath: folder.cache)) ?? []
    #expect(left == [])
    #expect(try read([path]).isEmpty == false)
  }

  @Test func `All of Unicode is UTF-8`() throws {
    var text = String.UnicodeScalarView()
    for code in UInt32(0)...0x10FFFF { Unicode.Scalar(code).map { text.append($0) } }
    let path = folder.write("text.txt", String(text))
    let vocabulary = try Vocabulary(countedIn: TextFiles([path]), by: .character)
    #expect(vocabulary.count == 0x110000 - 0x800 + 1)
    #expect(vocabulary.id(of: "\u{10FFFF}".utf8) == Int32(0x10FFFF - 0x800))
  }

  @Test func `A cache that cannot be written is one sentence`() throws {
    let path = folder.write("text.txt", "text")
    let error = #expect(throws: DataError.self) {
      try Corpus(TextFiles([path]), vocabulary: .bytes, cache: path + "/cache", writing: true)
    }
    #expect(try #require(error).message.contains("cannot be written (Not a directory)"))
  }
}
