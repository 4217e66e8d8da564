import Datasets
internal import Foundation
internal import TestSupport
import Testing

@Suite struct `Files of tokenizers` {
  let folder = TemporaryFolder()

  private func file(_ name: String) -> String {
    String(decoding: TokenizerOracle.all.cases.first { $0.name == name }!.bytes, as: UTF8.self)
  }

  private func message(_ name: String, _ text: String) -> String {
    do throws(DataError) {
      let path = folder.write(name, text)
      _ = try Vocabulary(contentsOf: path)
      return "none"
    } catch {
      return error.message
    }
  }

  @Test(arguments: [
    (
      #""normalizer":{"type":"NFC"}"#, #""normalizer":{"type":"Lowercase"}"#, "normalizer Lowercase"
    ),
    (#""type":"BPE""#, #""type":"WordPiece""#, "the type WordPiece"),
    (#""dropout":null"#, #""dropout":0.1"#, "drops merges out"),
    (#""byte_fallback":false"#, #""byte_fallback":true"#, "byte_fallback"),
    (#""lstrip":false"#, #""lstrip":true"#, "lstrip"),
    (#""decoder":{"type":"ByteLevel""#, #""decoder":{"type":"Metaspace""#, "decoder Metaspace"),
    (
      #""pre_tokenizer":{"type":"ByteLevel""#, #""pre_tokenizer":{"type":"Whitespace""#,
      "Whitespace"
    ),
    (#""merges":["#, #""merges":[["q","qqq"],"#, "merge 0"),
    (#""vocab":{"#, #""vocab":{"new":2000000000,"#, "'new' a number"),
    (#""model":{"#, #""model":{{"#, "not JSON"),
  ])
  func `A tokenizer.json that asks for more is refused in one sentence`(
    _ old: String, _ new: String, _ reason: String
  ) {
    let text = file("gpt2.json")
    #expect(text.contains(old))
    let found = message("tokenizer.json", text.replacing(old, with: new))
    #expect(found.contains(reason) && found.contains("tokenizer.json"), "\(found)")
  }

  @Test func `A split by an unknown regular expression is refused`() {
    let found = message(
      "tokenizer.json", file("cl100k.json").replacing(#"{1,3}"#, with: #"{1,4}"#))
    #expect(found.contains("neither GPT-2's nor cl100k's"), "\(found)")
  }

  @Test func `Files of ranks and of RWKV name the line that is wrong`() {
    let ranks = file("ranks.tiktoken")
    #expect(message("a.tiktoken", ranks + "IQ==\n").contains("is not base64"))
    #expect(message("a.tiktoken", ranks + "IQ== 9000\n").contains("repeats"))
    #expect(message("a.tiktoken", String(ranks.dropLast(30))).contains("a.tiktoken"))
    let lines = ranks.split(separator: "\n")
    #expect(message("a.tiktoken", lines.dropFirst().joined(separator: "\n")).contains("256 bytes"))
    let world = file("world.txt")
    #expect(message("w.txt", world + "900 'the' 3 \n").contains("line"))
    #expect(
      message("w.txt", world + "900 'zzzz' 3\n").contains("is not a number, a Python literal"))
    #expect(message("w.txt", world + "9 'zzzz' 4\n").contains("the number 9 twice"))
  }

  @Test func `A file that is no model of SentencePiece is refused`() throws {
    #expect(message("a.model", "no model").contains("is not a model of SentencePiece"))
    let known = TokenizerOracle.all.cases.first { $0.name == "plain-bpe.model" }!
    let path = folder.write("cut.model", Array(known.bytes.dropLast(known.bytes.count / 2)))
    #expect(throws: DataError.self) { try Vocabulary(contentsOf: path) }
  }

  @Test func `Lines of a model without a blank in front may be encoded one by one`() throws {
    func cuts(_ name: String) throws -> TextCuts {
      try TokenizerOracle.all.cases.first { $0.name == name }!.vocabulary(in: folder)
        .tokenizer.cuts
    }
    #expect(try cuts("plain-bpe.model") == .lines)
    #expect(try cuts("blank-bpe.model") == .documents)
    #expect(try cuts("unknown-unigram.model") == .documents)
    #expect(try cuts("gpt2.json") == .documents)
  }

  @Test(arguments: SentencePieceTraining.Kind.allCases)
  func `A trained model gives every text back, and the same text the same model`(
    _ kind: SentencePieceTraining.Kind
  ) throws {
    let line = "the quick brown fox doesn't see  the lazy dogs of été\n"
    // Words of four letters, each in many places.
    func word(_ number: Int) -> String {
      String((0..<4).map { Character(UnicodeScalar(UInt8(97 + (number >> (4 * $0)) % 16))) })
    }
    let words = (0..<400).map { "\(line)\(word($0 * $0)) \(word($0 % 50 * 7919)) " }.joined()
    let text = try TextFiles([folder.write("text.txt", words)])
    var training = SentencePieceTraining(kind: kind, size: 310)
    training.symbols = ["\t\t", "a,b"]
    training.end = "<end>"
    let path = folder.path + "/trained.model"
    try training.write(to: path, on: text)
    let vocabulary = try Vocabulary(contentsOf: path)
    #expect(vocabulary.count == 310 && vocabulary.endOfDocument == 2)
    #expect(Array(vocabulary.symbol(2)) == Array("<end>".utf8))
    let sample = "\t\t the  dogs\n\n a,b Ω\u{0}\r\n 日本 "
    #expect(vocabulary.decode(vocabulary.encode(sample)) == sample)
    #expect(vocabulary.id(of: "a,b".utf8).map { vocabulary.encode("a,b").contains($0) } == true)
    #expect(try training.train(on: text) == vocabulary.tokenizer.model)
    // A sample of a longer text is chosen by the seed.
    let long = try TextFiles([
      folder.write(
        "long.txt", (0..<60_000).map { "\(word($0 * 31)) of \(word($0 * $0))\n" }.joined())
    ])
    training.sample = 100_000
    let first = try training.train(on: long)
    #expect(try training.train(on: long) == first)
    training.seed = 2
    #expect(try training.train(on: long) != first)
    training.size = 100_000
    #expect(throws: DataError.self) { try training.train(on: text) }
  }

  @Test func `A text that is not UTF-8 is refused before anything is trained, or replaced`() throws
  {
    let lines = Array((0..<300).map { "word\($0 * $0) of \($0 % 7)\n" }.joined().utf8)
    let path = folder.write("wrong.txt", lines + [0x61, 0xFF, 0xFE, 0x0A] + lines)
    var training = SentencePieceTraining(kind: .bpe, size: 280)
    let error = #expect(throws: DataError.self) { try training.train(on: TextFiles([path])) }
    #expect(
      try #require(error).message
        == "\(path), byte \(lines.count + 1) is not UTF-8: convert the file, for example with iconv, or use "
        + "--invalid replace")
    training.invalid = .replace
    let replaced = try training.train(on: TextFiles([path]))
    let same = folder.write("same.txt", String(decoding: folder.read("wrong.txt"), as: UTF8.self))
    training.invalid = .refuse
    #expect(try training.train(on: TextFiles([same])) == replaced)
  }
}
