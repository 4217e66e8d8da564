import Datasets
internal import Foundation
internal import TestSupport
import Testing

/// The names of the tokenizers that need no file.
let namedTokenizers =
  tokenizers
  .filter { $1.fixedVocabulary != nil || $1 is any CountedTokenizer }.keys.sorted()

/// A tokenizer of the kind that merges need: its symbols and merges are in a file, and it has to see a
/// whole document. Two equal bytes side by side, "\n\n" among them, are one symbol if the file names
/// them.
private struct PairTokenizer: Tokenizer {
  /// The bytes that make pairs.
  var pairs: [UInt8] = []

  var name: String { "pair" }
  var unit: LossUnit { .perplexity }
  var cuts: TextCuts { .documents }
  var model: [UInt8]? { pairs }

  func with(model: [UInt8]) throws(DataError) -> any Tokenizer {
    guard model.allSatisfy({ $0 < 0x80 }) else { throw DataError("pairs are of ASCII") }
    return PairTokenizer(pairs: model)
  }

  var vocabulary: Vocabulary {
    let bytes = (UInt8(0)..<128).map { String(UnicodeScalar($0)) }
    return Vocabulary(
      self, symbols: bytes + pairs.map { String(repeating: String(UnicodeScalar($0)), count: 2) })
  }

  func encode(
    _ text: Span<UInt8>, with vocabulary: Vocabulary, endingLastLine: Bool,
    to emit: (Int32) throws(DataError) -> Void
  ) throws(DataError) {
    var i = 0
    while i < text.count {
      let isPair = i + 1 < text.count && text[i] == text[i + 1] && pairs.contains(text[i])
      let symbol = i..<i + (isPair ? 2 : 1)
      try emit(vocabulary.id(of: text, symbol)!)
      i = symbol.upperBound
    }
  }

  func decode(_ ids: some Sequence<Int32>, with vocabulary: Vocabulary) -> [UInt8] {
    ids.flatMap { vocabulary.symbol($0) }
  }
}

@Suite struct `Tokenizers` {
  let folder = TemporaryFolder()
  private let pairs = PairTokenizer(pairs: Array("al\n".utf8))

  @Test func `The registry has every tokenizer under its own name`() {
    for (name, tokenizer) in tokenizers { #expect(tokenizer.name == name) }
    #expect(tokenizers.keys.contains("byte") && tokenizers.keys.contains("word"))
  }

  @Test(arguments: namedTokenizers)
  func `Every tokenizer of the registry gives a text back`(_ name: String) throws {
    let text = "one two\nthree"
    let path = folder.write("text.txt", text)
    let vocabulary = try Vocabulary(countedIn: TextFiles([path]), by: tokenizers[name]!)
    #expect(vocabulary.decode(vocabulary.encode(text)) == text)
  }

  @Test(
    arguments: tokenizers.values.compactMap { $0 as? any CountedTokenizer }.map(\.name).sorted())
  func `A count of symbols is that of encoding, and may be limited`(_ name: String) throws {
    let tokenizer = tokenizers[name] as! any CountedTokenizer
    let text = "a b\r\nc é \n\nb"
    let files = try TextFiles([folder.write("text.txt", text)])
    let vocabulary = try Vocabulary(countedIn: files, by: tokenizer)
    let bytes = Array(text.utf8)
    let ids = vocabulary.encode(text, endingLastLine: true)
    #expect(tokenizer.symbolCount(of: bytes.span) == ids.count)
    let first = try Vocabulary(countedIn: files, by: tokenizer, limit: 2)
    #expect(first.encode("a").allSatisfy { $0 != first.unknown })
    #expect(first.encode("c") == [first.unknown!])
  }

  @Test(arguments: [DocumentBoundary.none, .file, .blankLine, .line])
  func `A tokenizer that cuts between documents gets whole documents`(
    _ boundary: DocumentBoundary
  ) throws {
    let texts = ["all\n\nall\nx", "\n\naab\n"]
    let paths = texts.enumerated().map { folder.write("\($0).txt", $1) }
    let corpus = try Corpus(
      TextFiles(paths), vocabulary: pairs.vocabulary, document: boundary, cache: folder.cache,
      writing: true)
    let documents =
      switch boundary {
      case .none, .file, .reset, .endToken: texts
      case .blankLine: ["all\n\n", "all\nx", "\n\naab\n"]
      case .line: ["all\n", "\n", "all\n", "x", "\n", "\n", "aab\n"]
      }
    let parts = documents.map { pairs.vocabulary.encode($0) }
    #expect((0..<corpus.count).map { corpus[$0] } == parts.flatMap(\.self))
    let starts = parts.indices.map { parts[..<$0].reduce(0) { $0 + $1.count } }
    #expect(corpus.documentStarts == (boundary == .none ? [] : starts))
    #expect(pairs.vocabulary.encode("\n\n").count == 1)
  }

  @Test func `The model of a tokenizer is a part of its vocabulary`() throws {
    let vocabulary = pairs.vocabulary
    let decoder = JSONDecoder()
    decoder.userInfo[.tokenizers] = ["pair": PairTokenizer()] as [String: any Tokenizer]
    let back = try decoder.decode(Vocabulary.self, from: Data(vocabulary.json))
    #expect(back == vocabulary && back.hash == vocabulary.hash && back.json == vocabulary.json)
    #expect(back.encode("all aboo\n\n") == vocabulary.encode("all aboo\n\n"))
    let other = Vocabulary(
      PairTokenizer(pairs: Array("la\n".utf8)),
      symbols: (0..<131).map { String(decoding: vocabulary.symbol($0), as: UTF8.self) })
    #expect(other != vocabulary && other.hash != vocabulary.hash)
    let wrong = String(decoding: vocabulary.json, as: UTF8.self).replacing("YWwK", with: "gICA")
    #expect(throws: DecodingError.self) {
      try decoder.decode(Vocabulary.self, from: Data(wrong.utf8))
    }
  }

  @Test func `A tokenizer with a file of its own counts nothing`() throws {
    let text = try TextFiles([folder.write("text.txt", "a")])
    let error = #expect(throws: DataError.self) { try Vocabulary(countedIn: text, by: pairs) }
    #expect(try #require(error).message.contains("give the path of that file"))
  }
}
