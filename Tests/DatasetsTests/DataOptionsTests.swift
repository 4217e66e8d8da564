import Datasets
internal import Foundation
internal import TestSupport
import Testing

private func decode(_ json: String) throws -> DataOptions {
  try JSONDecoder().decode(DataOptions.self, from: Data(json.utf8))
}

private func refusal(_ json: String) -> (path: String, reason: String) {
  do {
    _ = try decode(json)
  } catch DecodingError.dataCorrupted(let context) {
    return (context.codingPath.map(\.stringValue).joined(separator: "."), context.debugDescription)
  } catch {}
  return ("", "")
}

@Suite struct `Options of the data` {
  @Test func `Absent keys take their defaults`() throws {
    #expect(try decode("{}") == DataOptions())
    let options = try decode(#"{"train": "a.txt", "vocabulary": {"min_count": 3}}"#)
    #expect(options.train == "a.txt" && options.tokenizer == .character)
    #expect(options.vocabulary == VocabularyOptions(size: nil, minCount: 3))
  }

  @Test func `Every key is read and written back`() throws {
    let options = try decode(
      #"""
      {"train": ["a.txt", "b"], "valid": 0.05, "test": "t.txt", "tokenizer": "word",
       "vocabulary": {"size": 100, "min_count": 2}, "document": "blank_line", "cache": "c"}
      """#)
    let expected = DataOptions(
      train: ["a.txt", "b"], valid: .fraction(0.05), test: .text("t.txt"), tokenizer: .word,
      vocabulary: VocabularyOptions(size: 100, minCount: 2), document: .blankLine, cache: "c")
    #expect(options == expected)
    for options in [expected, DataOptions(), DataOptions(tokenizer: .vocabulary(path: "v/w.txt"))] {
      let json = try JSONEncoder().encode(options)
      #expect(try JSONDecoder().decode(DataOptions.self, from: json) == options)
    }
  }

  @Test func `An impossible value is refused at its key`() {
    for (json, path, reason) in [
      (#"{"valid": 1.0}"#, "valid", "not in 0..<1"),
      (#"{"test": -0.1}"#, "test", "not in 0..<1"),
      (#"{"valid": 0.5, "test": 0.5}"#, "test", "all of train"),
      (#"{"tokenizer": "charcter"}"#, "tokenizer", "./charcter is a vocabulary"),
      (#"{"document": "lines"}"#, "document", "did you mean \"line\"?"),
      (#"{"tokenizer": "byte", "vocabulary": {"size": 9}}"#, "vocabulary", "cannot be limited"),
      (#"{"vocabulary": {"size": 2}}"#, "vocabulary.size", "3 or more"),
      (#"{"vocabulary": {"min_count": 0}}"#, "vocabulary.min_count", "1 or more"),
    ] {
      let found = refusal(json)
      #expect(found.path == path)
      #expect(found.reason.contains(reason), "\(found.reason)")
    }
    #expect(throws: DecodingError.self) { try decode(#"{"train": 3}"#) }
  }
}

@Suite struct `A text and its parts` {
  let folder = TemporaryFolder()

  func open(_ options: DataOptions, writing: Bool = true) throws -> Dataset {
    try Dataset(options, cache: folder.cache, writing: writing)
  }

  @Test func `Fractions are cut off the end, first validation, then test`() throws {
    let text = String(repeating: "abcdefghij", count: 10) + "xyz"
    var options = DataOptions(
      train: [folder.write("text.txt", text)], valid: .fraction(0.1), test: .fraction(0.2))
    let data = try open(options)
    // 103 symbols: ⌈30.9⌉ are held out, ⌈20.6⌉ of them for the test.
    #expect(data.train.count == 72 && data.valid!.count == 10 && data.test!.count == 21)
    let all = [data.train, data.valid!, data.test!].flatMap { part in
      (0..<part.count).map { part.corpus![$0] }
    }
    #expect(all == data.vocabulary.encode(text))
    // x, y and z are not in the part to train on.
    #expect(data.vocabulary.count == 11)
    #expect(data.test!.corpus!.occurrences(of: data.vocabulary.unknown!) == 3)
    options.valid = nil
    options.test = nil
    let whole = try open(options)
    #expect(whole.train.count == 103 && whole.valid == nil && whole.vocabulary.count == 14)
    #expect(whole.hash != data.hash)
  }

  @Test(arguments: [(20, 0.1), (100, 0.05), (1_115_394, 0.1), (70, 0.9), (3, 0.0)])
  func `A cut agrees with int(n · 0.9)`(_ count: Int, _ fraction: Double) throws {
    let text = String(repeating: "a", count: count)
    let data = try open(
      DataOptions(
        train: [folder.write("text.txt", text)], valid: .fraction(fraction), tokenizer: .byte))
    let expected = [20: 18, 100: 95, 1_115_394: 1_003_854, 70: 7, 3: 3][count]!
    #expect(data.train.count == expected)
  }

  @Test func `Two fractions are cut as their decimal sum says`() throws {
    let data = try open(
      DataOptions(
        train: [folder.write("text.txt", "0123456789abcdefghij")], valid: .fraction(0.1),
        test: .fraction(0.2), tokenizer: .byte))
    #expect(0.1 + 0.2 > 0.3)
    #expect(data.train.count == 14 && data.valid!.count == 2 && data.test!.count == 4)
  }

  @Test func `Words are cut by words`() throws {
    let text = "a b c\nd e\nf g h i\n"  // 12 symbols
    let data = try open(
      DataOptions(
        train: [folder.write("text.txt", text)], valid: .fraction(0.25), tokenizer: .word))
    #expect(data.train.count == 9 && data.valid!.count == 3)
    #expect(data.vocabulary.id(of: "g".utf8) != nil && data.vocabulary.id(of: "h".utf8) == nil)
  }

  @Test func `Ranks that read get what the one that wrote got`() throws {
    let options = DataOptions(
      train: [folder.write("a.txt", "a b\nc\n"), folder.write("b.txt", "d\n")],
      valid: .text(.init([folder.write("v.txt", "a z\n")])), tokenizer: .word, document: .line)
    #expect(throws: DataError.self) { try open(options, writing: false) }
    let writer = try open(options)
    let reader = try open(options, writing: false)
    #expect(reader.hash == writer.hash && reader.vocabulary == writer.vocabulary)
    #expect(reader.train.corpus!.documentStarts == [0, 3, 5])
    #expect((0..<3).map { reader.valid!.corpus![$0] } == reader.vocabulary.encode("a z\n"))
    // A text that changes makes a new vocabulary.
    folder.write("b.txt", "e e e e\n")
    #expect(try open(options).vocabulary.encode("e") == [2])
  }

  @Test func `A model's own vocabulary takes the place of the text's`() throws {
    let options = DataOptions(train: [folder.write("a.txt", "a b\n")], tokenizer: .word)
    let data = try Dataset(options, vocabulary: .bytes, cache: folder.cache, writing: true)
    #expect(data.vocabulary == .bytes && data.train.count == 4)
  }

  @Test func `The vocabulary may come from a file`() throws {
    let list = folder.write("list.txt", "b\na\n")
    let options = DataOptions(
      train: [folder.write("a.txt", "a b c\n")], tokenizer: .vocabulary(path: list))
    let data = try open(options)
    #expect((0..<4).map { data.train.corpus![$0] } == [1, 0, 2, 3])
    var missing = options
    missing.tokenizer = .vocabulary(path: list + "x")
    #expect(throws: DataError.self) { try open(missing) }
  }

  @Test func `Fractions that leave nothing to train on are refused`() throws {
    let path = folder.write("a.txt", "some text")
    for (valid, test) in [(1.0, 0.0), (0.0, -0.5), (0.5, 0.5), (.nan, 0.0)] {
      #expect(throws: DataError.self) {
        try open(DataOptions(train: [path], valid: .fraction(valid), test: .fraction(test)))
      }
    }
  }

  @Test func `Parts of a text that is too short for them are refused by their keys`() throws {
    let path = folder.write("a.txt", "some text")
    let cases: [(valid: Double, test: Double, words: String)] = [
      (0.9, 0, "9 symbols, of which data.valid and data.test leave 0 to train on"),
      (0.4, 0.5, "leave 0 to train on"), (0.4, 0.4, "leave 1 to train on"),
      (0.1, 0, "data.valid of 0.1 is 1 of the 9 symbols of \(path)"),
      (0.3, 0.1, "data.test of 0.1 is 1 of the 9 symbols of \(path)"),
    ]
    for (valid, test, words) in cases {
      let error = #expect(throws: DataError.self) {
        try open(DataOptions(train: [path], valid: .fraction(valid), test: .fraction(test)))
      }
      #expect(error?.message.contains(words) == true, "\(valid), \(test): \(error?.message ?? "")")
    }
  }
}
