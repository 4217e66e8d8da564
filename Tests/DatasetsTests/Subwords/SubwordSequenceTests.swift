import Datasets
internal import Foundation
import Sequences
internal import TestSupport
import Testing

@Suite struct `Sequences in sub-words` {
  let folder = TemporaryFolder()

  /// Writes a file of a tokenizer of another library and returns its path.
  func file(_ name: String) throws -> String {
    let known = try #require(TokenizerOracle.all.cases.first { $0.name == name })
    return folder.write(name, known.bytes)
  }

  func open(_ json: String, given: Dataset.Vocabularies? = nil) throws -> Dataset {
    let options = try JSONDecoder().decode(DataOptions.self, from: Data(json.utf8))
    return try Dataset(options, vocabularies: given, cache: folder.cache, writing: true)
  }

  func examples(_ part: Split?) throws -> [Example] {
    let set = try #require(part?.examples)
    return (0..<set.count).map { set.example($0, epoch: 1) }
  }

  @Test func `Targets and sources are cut by models of their own`() throws {
    let said = ["the lazy dog  sleeps", "Ω über"]
    let told = ["a b, e, the fox", "книгу"]
    let (target, source) = (try file("plain-bpe.model"), try file("joined-bpe.model"))
    let texts = (
      folder.write("t.txt", said.joined(separator: "\n") + "\n"),
      folder.write("s.txt", told.joined(separator: "\r\n"))
    )
    let json = """
      {"format": "pairs", "train": "\(texts.0)", "tokenizer": "\(target)",
       "source": {"train": "\(texts.1)", "tokenizer": "\(source)"}}
      """
    let data = try open(json)
    let (inputs, sources) = (data.vocabulary, try #require(data.source))
    #expect(inputs == (try Vocabulary(contentsOf: target)) && sources.count == 420)
    let found = try examples(data.train)
    for (i, example) in found.enumerated() {
      #expect(example.inputs == [inputs.begin!] + inputs.encode(said[i]))
      #expect(example.targets == inputs.encode(said[i]) + [inputs.end!])
      #expect(example.source == sources.encode(told[i]) + [sources.end!])
      #expect(inputs.decode(example.targets.dropLast()) == said[i])
    }
    #expect(data.interface.output == .symbols(420) && data.interface.ends?.symbol == 2)
    let bytes = Double(said.joined().utf8.count)
    let targets = Double(found.reduce(0) { $0 + $1.targets.count })
    #expect(abs(data.bytesPerTarget(of: data.train)! - bytes / targets) < 1e-9)
    // A model has its vocabularies; the files are not needed again.
    for path in [target, source] { try FileManager.default.removeItem(atPath: path) }
    let again = try open(json, given: Dataset.Vocabularies(inputs: inputs, source: sources))
    #expect(try examples(again.train) == found)
    #expect(throws: DataError.self) { try open(json) }
  }

  @Test func `Labelled texts need no begin and no end, and lines do`() throws {
    let ranks = try file("ranks.tiktoken")
    let text = folder.write("text.txt", "good\tthe dog's tail\nbad\tnothing\n")
    let data = try open(
      #"{"format": "labels", "train": "\#(text)", "tokenizer": "\#(ranks)"}"#)
    #expect(
      try examples(data.train).map { data.vocabulary.decode($0.inputs) }
        == ["the dog's tail", "nothing"])
    let error = #expect(throws: DataError.self) {
      try open(#"{"format": "lines", "train": "\#(text)", "tokenizer": "\#(ranks)"}"#)
    }
    #expect(
      try #require(error).message
        == "the vocabulary of data.tokenizer has no symbols for the begin and the end of a sequence, such as "
        + "<s> and </s> of SentencePiece: give one that has")
    for (key, settings) in [
      ("vocabulary", #""tokenizer": "./v.model", "vocabulary": {"size": 9}"#),
      ("tokenizer", #""tokenizer": "byte""#),
    ] {
      let error = #expect(throws: DecodingError.self) {
        try open(#"{"format": "lines", "train": "t", \#(settings)}"#)
      }
      #expect("\(try #require(error))".contains(key))
    }
  }
}
