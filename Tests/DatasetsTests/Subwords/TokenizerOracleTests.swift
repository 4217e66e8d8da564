internal import Foundation
import Datasets
internal import NumericalTestSupport
internal import TestSupport
import Testing

/// The tiny files and numbers that `Oracles/tokenizers.py` made with tokenizers, tiktoken and
/// sentencepiece.
struct TokenizerOracle: Decodable {
  struct Case: Decodable, CustomTestStringConvertible {
    var name: String
    var file: String
    var isBinary: Bool
    var ids: [[Int32]]
    var texts: [String]

    var testDescription: String { name }
    var bytes: [UInt8] { isBinary ? Array(Data(base64Encoded: file)!) : Array(file.utf8) }

    func vocabulary(in folder: TemporaryFolder) throws -> Vocabulary {
      try Vocabulary(contentsOf: folder.write(name, bytes))
    }
  }

  var texts: [String]
  var cases: [Case]

  static let all: TokenizerOracle = oracle("tokenizers")
}

@Suite struct `Tokenizers of other libraries` {
  let folder = TemporaryFolder()

  @Test(arguments: TokenizerOracle.all.cases)
  func `Numbers and text are those of the library that the file is of`(
    _ known: TokenizerOracle.Case
  ) throws {
    let vocabulary = try known.vocabulary(in: folder)
    for (i, text) in TokenizerOracle.all.texts.enumerated() {
      let ids = vocabulary.encode(text)
      #expect(ids == known.ids[i], "\(text.debugDescription)")
      #expect(
        Array(vocabulary.decode(ids).utf8) == Array(known.texts[i].utf8), "\(text.debugDescription)"
      )
    }
  }

  @Test(arguments: TokenizerOracle.all.cases)
  func `A vocabulary of a file goes into vocabulary.json and back`(
    _ known: TokenizerOracle.Case
  ) throws {
    let vocabulary = try known.vocabulary(in: folder)
    let path = folder.path + "/vocabulary.json"
    try vocabulary.write(to: path)
    let back = try Vocabulary(contentsOf: path)
    #expect(back == vocabulary && back.hash == vocabulary.hash)
    #expect(back.endOfDocument == vocabulary.endOfDocument)
    let text = TokenizerOracle.all.texts.joined(separator: "\n")
    #expect(back.encode(text) == vocabulary.encode(text))
    // One byte of the file more is another tokenizer.
    if !known.isBinary {
      let other = try Vocabulary(contentsOf: folder.write("more-" + known.name, known.bytes + [10]))
      #expect(other != vocabulary && other.hash != vocabulary.hash)
    }
  }

  @Test(arguments: TokenizerOracle.all.cases)
  func `The bytes of symbols add up to those of a text, and marks have none`(
    _ known: TokenizerOracle.Case
  ) throws {
    let vocabulary = try known.vocabulary(in: folder)
    let text = "The dog's tail, 12 and\n\tмузыку 東京 "
    let ids = vocabulary.encode(text)
    if !ids.contains(where: { $0 == vocabulary.unknown }) {
      let hasBlank = known.name == "blank-bpe.model"
      let bytes = ids.reduce(0) { $0 + vocabulary.byteLength(of: $1)! }
      #expect(bytes == text.utf8.count + (hasBlank ? 1 : 0))
    }
    let end = try #require(vocabulary.endOfDocument)
    #expect(vocabulary.byteLength(of: end) == 0)
    #expect(vocabulary.byteLengths.count == vocabulary.count)
    if let unknown = vocabulary.unknown { #expect(vocabulary.byteLength(of: unknown) == nil) }
  }

  @Test(arguments: TokenizerOracle.all.cases)
  func `A damaged file is refused in a sentence with its path, or is read`(
    _ known: TokenizerOracle.Case
  ) throws {
    var random = RandomDamage(seed: 7)
    let whole = known.bytes
    let text = "Hello, wörld! 123 e\u{301}\n\tfoo() 日本語 <|endoftext|>'ll\u{0}"
    for _ in 0..<RandomDamage.count(usually: 12) {
      let bytes = random.damaged(whole)
      let path = folder.write("mutated-" + known.name, bytes)
      do throws(DataError) {
        let vocabulary = try Vocabulary(contentsOf: path)
        let ids = vocabulary.encode(text)
        #expect(ids.allSatisfy { $0 >= 0 && $0 < vocabulary.count })
        _ = vocabulary.decode(ids)
      } catch {
        #expect(error.message.contains(path) && !error.message.contains("\n"))
      }
    }
  }

  @Test func `Text that ends inside a character keeps its whole characters`() throws {
    let vocabulary = try TokenizerOracle.all.cases.first { $0.name == "world.txt" }!
      .vocabulary(in: folder)
    // The first bytes of 😀, each a symbol.
    func bytes(_ count: Int) -> [Int32] {
      Array("😀".utf8).prefix(count).map { vocabulary.id(of: CollectionOfOne($0))! }
    }
    let start = vocabulary.encode("a é")
    for count in 0..<4 {
      #expect(vocabulary.wholeCharacters(start + bytes(count)) == Array("a é".utf8))
    }
    #expect(vocabulary.wholeCharacters(start + bytes(4)) == Array("a é😀".utf8))
    #expect(vocabulary.decodedBytes(start + bytes(2)) == Array("a é".utf8) + [0xF0, 0x9F])
    #expect(Vocabulary.bytes.wholeCharacters([0x61, 0xF0]) == [0x61, 0xF0])
  }

  @Test
  func `A long word and a long document take no square of time`()
    throws
  {
    let known = TokenizerOracle.all.cases[0]
    let vocabulary = try known.vocabulary(in: folder)
    let count = 10_000
    let clock = ContinuousClock()
    for text in [String(repeating: "the", count: count), String(repeating: "th e ", count: count)] {
      var ids: [Int32] = []
      let time = clock.measure { ids = vocabulary.encode(text) }
      #expect(vocabulary.decode(ids) == text)
      #expect(time < .seconds(60))
    }
  }

  @Test func `Threads encode with one tokenizer`() async throws {
    let text = TokenizerOracle.all.texts.joined(separator: " ")
    for known in TokenizerOracle.all.cases {
      let vocabulary = try known.vocabulary(in: folder)
      let expected = vocabulary.encode(text)
      await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<8 { group.addTask { vocabulary.encode(text) == expected } }
        for await isEqual in group { #expect(isEqual) }
      }
    }
  }
}
