import Datasets
internal import Foundation
internal import TestSupport
import Testing

private func vocabulary(
  _ text: String, _ tokenizer: some Tokenizer, size: Int? = nil, minCount: Int = 1
) throws -> Vocabulary {
  let folder = TemporaryFolder()
  return try Vocabulary(
    countedIn: TextFiles([folder.write("text.txt", text)]), by: tokenizer, size: size,
    minCount: minCount)
}

private func symbols(_ vocabulary: Vocabulary) -> [String] {
  (0..<Int32(vocabulary.count)).map { String(decoding: vocabulary.symbol($0), as: UTF8.self) }
}

@Suite struct `Vocabularies and their symbols` {
  @Test func `Characters are scalars in the order of code points, with the unknown one last`()
    throws
  {
    let v = try vocabulary("b\r\na é😀z\u{0}e\u{301}", .character)
    let expected = ["\u{0}", "\n", "\r", " ", "a", "b", "e", "z", "é", "\u{301}", "😀", "<unk>"]
    #expect(
      symbols(v).map { Array($0.unicodeScalars) } == expected.map { Array($0.unicodeScalars) })
    #expect(v.unknown == 11 && v.endOfLine == nil)
  }

  @Test func `A line end of two characters is two symbols`() throws {
    let v = try vocabulary("a\r\nb\nc", .character)
    #expect(v.encode("a\r\nb").count == 4)
    #expect(v.id(of: "\r\n".utf8) == nil)
  }

  @Test(arguments: ["character", "word"])
  func `Composed and decomposed letters are different symbols`(_ name: String) throws {
    let composed = "\u{E9}"
    let decomposed = "e\u{301}"
    #expect(composed == decomposed)  // what Swift thinks of them
    let v = try vocabulary("\(composed) \(decomposed)\n", tokenizers[name]!)
    let a = v.encode(composed)
    let b = v.encode(decomposed)
    #expect(a != b && !(a + b).contains(v.unknown!))
    #expect(Array(v.decode(b).unicodeScalars) == Array(decomposed.unicodeScalars))
  }

  @Test func `Words come by falling frequency, ties by bytes, after the special symbols`() throws {
    let v = try vocabulary("d b b\nc a c c\n", .word)
    #expect(symbols(v) == ["<unk>", "<eos>", "c", "b", "a", "d"])
  }

  @Test func `Special symbols that are in the text are not there twice`() throws {
    let v = try vocabulary("<unk> a <eos> <unk>\n", .word)
    #expect(symbols(v) == ["<unk>", "<eos>", "a"])
    #expect(v.encode("<unk> b\n") == [0, 0, 1])
  }

  @Test func `Rare symbols are unknown`() throws {
    let text = "a a a b b c c d\n"
    #expect(symbols(try vocabulary(text, .word, minCount: 2)) == ["<unk>", "<eos>", "a", "b", "c"])
    let v = try vocabulary(text, .word, size: 4)
    #expect(symbols(v) == ["<unk>", "<eos>", "a", "b"])
    #expect(v.encode("a c d b") == [2, 0, 0, 3])
    let c = try vocabulary("zzyyyx", .character, size: 3)
    #expect(symbols(c) == ["y", "z", "<unk>"])
    #expect(c.encode("xyz") == [2, 0, 1])
    #expect(c.decode([2, 0, 1]) == "\u{FFFD}yz")
  }

  @Test func `Words are split where Python splits them`() throws {
    // Every scalar for which Python's str.isspace() holds, and some for which it does not.
    let spaces: [UInt32] =
      [0x20, 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]
      + Array(0x09...0x0D) + Array(0x1C...0x1F) + Array(0x2000...0x200A)
    #expect(spaces.count == 29)
    let v = try vocabulary("a b\n", .word)
    for code in UInt32(0)...0x3100 {
      guard let scalar = Unicode.Scalar(code) else { continue }
      let ids = v.encode("a\(scalar)b")
      if code == 0x0A || code == 0x0D {
        #expect(ids == [2, 1, 3])
      } else if spaces.contains(code) {
        #expect(ids == [2, 3], "U+\(String(code, radix: 16))")
      } else {
        #expect(ids == [0], "U+\(String(code, radix: 16))")
      }
    }
    for scalar in ["\u{FEFF}", "😀", "\u{FFFFF}", "ﷺ"] { #expect(v.encode("a\(scalar)b") == [0]) }
  }

  @Test func `Lines end as in a file that Python reads`() throws {
    let v = try vocabulary("a b\n", .word)
    #expect(v.encode("a\r\nb\rb\n\na") == [2, 1, 3, 1, 3, 1, 1, 2])
    #expect(v.encode("a\r\nb", endingLastLine: true) == [2, 1, 3, 1])
    #expect(v.encode("") == [])
    #expect(v.encode("", endingLastLine: true) == [])
  }

  @Test func `Text comes back from its numbers`() throws {
    let text = "tea \u{0} é e\u{301} 😀\r\n\tx"
    let c = try vocabulary(text, .character)
    #expect(Array(c.decode(c.encode(text)).utf8) == Array(text.utf8))
    #expect(Array(Vocabulary.bytes.decode(Vocabulary.bytes.encode(text)).utf8) == Array(text.utf8))
    let w = try vocabulary("one two\n three", .word)
    #expect(w.decode(w.encode("two one\n\nthree four")) == "two one\n\nthree <unk>")
  }

  @Test func `Bytes are their own numbers, UTF-8 or not`() {
    #expect(Vocabulary.bytes.count == 256 && Vocabulary.bytes.unknown == nil)
    #expect(Vocabulary.bytes.encode("é") == [0xC3, 0xA9])
    #expect(Vocabulary.bytes.decodedBytes([0xFF, 0x00, 0xC3]) == [0xFF, 0x00, 0xC3])
    #expect(Vocabulary.bytes.decode([0x61, 0xFF]) == "a\u{FFFD}")
  }

  @Test func `The hash tells kinds, symbols and their order apart and never changes`() throws {
    let words = try vocabulary("a b\n", .word)
    #expect(words.hash == (try vocabulary("b\na", .word)).hash)
    #expect(words.hash != (try vocabulary("ab\n", .word)).hash)
    #expect(words.hash != (try vocabulary("a b b\n", .word)).hash)
    #expect(words.hash != (try vocabulary("a b", .character)).hash)
    // Made once; another value would turn away the files that older versions wrote.
    #expect(Vocabulary.bytes.hash == 4_177_212_159_398_778_011)
    #expect(words.hash == 3_861_306_400_833_083_377)
  }

  @Test(arguments: namedTokenizers)
  func `A vocabulary comes back from its JSON, which is always the same`(_ name: String) throws {
    let text = "\u{0} \" \\ / é e\u{301} \u{2028} 😀 \u{7F} \u{FFFE} \t\r\n"
    let v = try vocabulary(text, tokenizers[name]!)
    let json = v.json
    let back = try JSONDecoder().decode(Vocabulary.self, from: Data(json))
    #expect(back == v && back.hash == v.hash && back.json == json)
    #expect(back.encode(text) == v.encode(text))
    #expect(json.count { $0 == UInt8(ascii: "\n") } >= (v == .bytes ? 2 : v.count))
    let folder = TemporaryFolder()
    try v.write(to: folder.path + "/new/vocabulary.json")
    #expect(try Vocabulary(contentsOf: folder.path + "/new/vocabulary.json") == v)
  }

  @Test func `A list of names comes back from its JSON and needs no special symbols`() throws {
    let v = Vocabulary(names: ["O", "I-PER", "<eos>"])
    let back = try JSONDecoder().decode(Vocabulary.self, from: Data(v.json))
    #expect(back == v && back.hash == v.hash && back.tokenizer.name == "name")
    #expect(v.unknown == nil && v.endOfLine == nil && v.begin == nil)
    #expect(v.encode("I-PER O\nO") == [1, 0, 0] && v.decode([1, 2, 0]) == "I-PER <eos> O")
    #expect(v.hash != Vocabulary(names: ["I-PER", "O", "<eos>"]).hash)
    let none = Vocabulary(names: [])
    #expect(
      try none.isEmpty && JSONDecoder().decode(Vocabulary.self, from: Data(none.json)) == none)
    let folder = TemporaryFolder()
    let error = #expect(throws: DataError.self) {
      try Corpus(
        TextFiles([folder.write("a.txt", "O x\n")]), vocabulary: v, document: .none,
        cache: folder.cache, writing: true)
    }
    #expect(try #require(error).message.contains("'x' is not among the 3 known names"))
  }

  @Test func `A list of words numbers them by lines and adds the special ones`() throws {
    let folder = TemporaryFolder()
    let v = try Vocabulary(contentsOf: folder.write("a.txt", "the\r\n<unk>\ncat"))
    #expect(symbols(v) == ["the", "<unk>", "cat", "<eos>"])
    #expect(v.encode("the dog\n") == [0, 1, 3])
  }

  @Test func `A vocabulary with a fault is refused`() throws {
    let folder = TemporaryFolder()
    func refusal(_ text: String, _ name: String = "v.txt") -> String {
      let error = #expect(throws: DataError.self) {
        try Vocabulary(contentsOf: folder.write(name, text))
      }
      return error?.message ?? ""
    }
    #expect(refusal("a\nb\na\n").contains("v.txt, line 3 repeats 'a' of line 1"))
    #expect(refusal("a\n\nb\n").contains("v.txt, line 2 is blank"))
    #expect(refusal("a\nb c\n").contains("v.txt, line 2 has more than one word"))
    #expect(refusal("").contains("v.txt is empty"))
    #expect(refusal("{", "v.json").contains("v.json is not a vocabulary"))
    let twice = #"{"version": 1, "kind": "word", "symbols": ["<unk>", "<eos>", "a", "a"]}"#
    #expect(refusal(twice, "v.json").contains("\"a\" occurs twice"))
    let none = #"{"version": 1, "kind": "character", "symbols": ["a"]}"#
    #expect(refusal(none, "v.json").contains("'<unk>' is missing"))
    #expect(refusal(#"{"version": 2}"#, "v.json").contains("newer version"))
    let other = #"{"version": 1, "kind": "grapheme", "symbols": ["a"]}"#
    #expect(refusal(other, "v.json").contains("no tokenizer is called \"grapheme\""))
  }
}
