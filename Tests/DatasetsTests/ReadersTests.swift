import Datasets
internal import Foundation
import LinearAlgebra
import Recurrence
import Sequences
internal import TestSupport
import Testing

@Suite struct `Readers of examples` {
  let folder = TemporaryFolder()

  func decode(_ json: String) throws -> DataOptions {
    try JSONDecoder().decode(DataOptions.self, from: Data(json.utf8))
  }

  /// A data set of a format; texts by the keys of the options.
  func open(
    _ format: String, _ texts: KeyValuePairs<String, String>, _ more: String = ""
  ) throws -> Dataset {
    let paths = texts.map { key, text in
      #""\#(key)": "\#(folder.write("\(key).txt", text))""#
    }
    let json = #"{"format": "\#(format)", \#(paths.joined(separator: ", "))\#(more)}"#
    return try Dataset(decode(json), cache: folder.cache, writing: true)
  }

  func refusal(
    _ format: String, _ texts: KeyValuePairs<String, String>, _ more: String = ""
  ) -> String {
    let error = #expect(throws: DataError.self) { try open(format, texts, more) }
    return error?.message ?? ""
  }

  func examples(_ part: Split?) throws -> [Example] {
    let set = try #require(part?.examples)
    #expect(!set.isFresh && !set.isGenerated)
    return (0..<set.count).map { index in
      let example = set.example(index, epoch: 1)
      #expect(set.steps(of: index, epoch: 1) == (example.steps, example.source.count))
      return example
    }
  }

  func names(_ vocabulary: Vocabulary?) -> [String] {
    guard let vocabulary else { return [] }
    return (0..<Int32(vocabulary.count)).map {
      String(decoding: vocabulary.symbol($0), as: UTF8.self)
    }
  }

  @Test func `A line is a sequence between a beginning and an end`() throws {
    let data = try open(
      "lines", ["train": "b a b\n\n  c\r\na\n", "valid": "a x b"],
      #", "vocabulary": {"size": 5}"#)
    #expect(names(data.vocabulary) == ["<unk>", "<s>", "</s>", "a", "b"])
    let found = try examples(data.train)
    #expect(found.map(\.inputs) == [[1, 4, 3, 4], [1, 0], [1, 3]])
    #expect(found.map(\.targets) == [[4, 3, 4, 2], [0, 2], [3, 2]])
    #expect(try examples(data.valid).map(\.inputs) == [[1, 3, 0, 4]])
    #expect(
      data.interface
        == TaskSignature(
          input: .symbols(5), output: .symbols(5),
          ends: TaskSignature.Ends(symbol: 2, longest: 3))
        && data.outputs == data.vocabulary)
    #expect(data.test == nil && data.vocabulary.decode([1, 4, 3, 2, 3]) == "b a\na")
  }

  @Test func `Lines may be cut into characters`() throws {
    let data = try open("lines", ["train": "né a\nb"], #", "tokenizer": "character""#)
    #expect(names(data.vocabulary) == [" ", "a", "b", "n", "é", "<unk>", "<s>", "</s>"])
    #expect(try examples(data.train).map(\.inputs) == [[6, 3, 4, 0, 1], [6, 2]])
    #expect(data.vocabulary.decode([6, 3, 4, 7]) == "né\n")
    #expect(data.vocabulary.begin == 6 && data.vocabulary.end == 7)
  }

  @Test func `A fraction of the sequences is cut off the end and makes no symbols`() throws {
    let data = try open(
      "lines", ["train": "a\nb\nc\nd\ne\nf\ng\nh\ni\nj"], #", "valid": 0.2, "test": 0.1"#)
    #expect(data.train.count == 7 && data.valid?.count == 2 && data.test?.count == 1)
    #expect(names(data.vocabulary).dropFirst(3) == ["a", "b", "c", "d", "e", "f", "g"])
    #expect(try examples(data.test) == examples(data.valid).suffix(1))
    #expect(refusal("lines", ["train": "a\n"], #", "valid": 0.9"#).contains("no sequence to train"))
  }

  @Test func `Every token has a tag, and tags are a list without an unknown one`() throws {
    let data = try open(
      "tags", ["train": "The|O Mad|I-ORG a|b|O\n\nit|O\n", "valid": "Mad|O x|I-ORG\n"])
    #expect(names(data.outputs) == ["I-ORG", "O"] && data.outputs.tokenizer.name == "name")
    #expect(data.outputs.unknown == nil)
    #expect(names(data.vocabulary) == ["<unk>", "Mad", "The", "a|b", "it"])
    #expect(try examples(data.train).map(\.inputs) == [[2, 1, 3], [4]])
    #expect(try examples(data.train).map(\.targets) == [[1, 0, 1], [1]])
    #expect(try examples(data.valid).map(\.inputs) == [[1, 0]])
    #expect(data.interface == TaskSignature(input: .symbols(5), output: .symbols(2)))
    #expect(refusal("tags", ["train": "a|O\nb|O c"]).contains("train.txt, line 2 has 'c'"))
    #expect(refusal("tags", ["train": "a|"]).contains("line 1 has 'a|'"))
    let unseen = refusal("tags", ["train": "a|O", "valid": "a|O\na|X"])
    #expect(unseen.contains("valid.txt, line 2 has the label 'X'"))
  }

  @Test func `A label is asked for at a text's end`() throws {
    let data = try open("labels", ["train": "good\tfine day\nbad\train\n"])
    #expect(names(data.outputs) == ["bad", "good"])
    let found = try examples(data.train)
    #expect(found.map(\.targets) == [[Batch.noTarget, 1], [0]] && found[0].inputs.count == 2)
    #expect(data.interface.asksOnce && data.interface.output == .symbols(2))
    #expect(refusal("labels", ["train": "good day"]).contains("line 1 has no label"))
    #expect(refusal("labels", ["train": "a\tb\nx\t \n"]).contains("line 2 has a label but no text"))
  }

  static let tree = "(3 (2 It) (4 (4 (2 's) (4 fine)) (2 .)))\n"

  @Test func `A tree is its sentence or all of its phrases`() throws {
    let data = try open("trees", ["train": Self.tree + "(2 (2 so) (4 so))\n", "valid": Self.tree])
    #expect(names(data.outputs) == ["2", "3", "4"])
    #expect(names(data.vocabulary) == ["<unk>", "so", "'s", ".", "It", "fine"])
    let found = try examples(data.train)
    #expect(found.map(\.inputs) == [[4, 2, 5, 3], [1, 1]])
    #expect(found.map { $0.targets.last } == [1, 0] && data.interface.asksOnce)
    let set = try #require(data.train.examples as? ListedSequences)
    let tree = set.trees[0]
    #expect(tree.words == [4, 2, 5, 3] && tree.nodes.count == 7)
    #expect(tree.nodes.map(\.label) == [0, 0, 2, 2, 0, 2, 1])
    #expect(tree.nodes.map(\.children) == [[], [], [], [1, 2], [], [3, 4], [0, 5]])
    #expect(tree.nodes.map(\.words) == [0..<1, 1..<2, 2..<3, 1..<3, 3..<4, 1..<4, 0..<4])
    #expect(tree.root == tree.nodes[6] && tree.nodes[2].word == 5 && tree.nodes[3].word == nil)
    let phrases = try open(
      "trees", ["train": Self.tree, "valid": Self.tree],
      #", "view": "phrases", "test_view": "root""#)
    #expect(try examples(phrases.train).map(\.inputs.count) == [1, 1, 1, 2, 1, 3, 4])
    #expect(try examples(phrases.train).map { $0.targets.last! } == [0, 0, 2, 2, 0, 2, 1])
    #expect(try examples(phrases.valid).count == 1)
  }

  @Test func `A word of a tree may hold a no-break space`() throws {
    let data = try open("trees", ["train": "(2 (2 2\u{A0}1/2) (2\thours))"])
    #expect(names(data.vocabulary) == ["<unk>", "2\u{A0}1/2", "hours"])
  }

  @Test func `A broken tree is refused with its line`() {
    for (tree, reason) in [
      ("(2 (2 a) (2 b)", "leaves 1 brackets open"), ("(2 a))", "closes a bracket"),
      ("(2 a b)", "has 'b' where no word can be"), ("a", "has 'a' where no word can be"),
      ("(2 (2 a)) (2 b)", "after a word or a tree"), ("(2 a (2 b))", "after a word or a tree"),
      ("(2 ())", "a bracket without a label"), ("(2 (2))", "neither a word nor children"),
      ("(2 (2 a) b)", "has 'b' where no word can be"),
    ] {
      let found = refusal("trees", ["train": "(1 x)\n\(tree)\n"])
      #expect(found.contains("train.txt, line 2 ") && found.contains(reason), "\(found)")
    }
  }

  @Test func `Pairs have a source that is read before, with symbols of its own`() throws {
    let source = folder.write("source.txt", "x y\nz\n")
    let valid = folder.write("source-valid.txt", "y q\n")
    let more = #", "source": {"train": "\#(source)", "valid": "\#(valid)"}"#
    let data = try open("pairs", ["train": "a b a\nb\n", "valid": "b c\n"], more)
    #expect(names(data.vocabulary) == ["<unk>", "<s>", "</s>", "a", "b"])
    #expect(names(data.source) == ["<unk>", "</s>", "x", "y", "z"])
    let found = try examples(data.train)
    #expect(found.map(\.inputs) == [[1, 3, 4, 3], [1, 4]])
    #expect(found.map(\.targets) == [[3, 4, 3, 2], [4, 2]])
    #expect(found.map(\.source) == [[2, 3, 1], [4, 1]])
    #expect(try examples(data.valid)[0].source == [3, 0, 1])
    #expect(data.interface.source == 5 && data.interface.output == .symbols(5))
    let loader = try data.train.loader(LoaderRequest(batchSize: 2, isBucketed: false))
    let batch = loader.makeBatch()
    loader.next(into: batch)
    #expect(batch.steps == 4 && batch.source?.steps == 3 && batch.source?.hasResets == true)
    let short = folder.write("short.txt", "x\n")
    #expect(
      refusal("pairs", ["train": "a\nb\n"], #", "source": {"train": "\#(short)"}"#)
        .contains("short.txt has 1 lines"))
    let blank = refusal("pairs", ["train": "a\n\nb\n"], #", "source": {"train": "\#(short)"}"#)
    #expect(blank.contains("train.txt, line 2 is blank"))
    #expect(
      refusal("pairs", ["train": "a\n", "test": "a\n"], #", "source": {"train": "\#(short)"}"#)
        .contains("data.source.test is missing"))
  }

  @Test func `A piece's next keys are asked for`() throws {
    let data = try open("piano", ["train": "0,63,87 |  | 64\n5\n1 | 2,3\n"])
    let found = try examples(data.train)
    func keys(_ frames: [Real], _ step: Int) -> [Int] {
      (0..<88).filter { frames[88 * step + $0] == 1 }
    }
    #expect(found.count == 2 && found.map(\.steps) == [2, 1])
    #expect(keys(found[0].frames, 0) == [0, 63, 87] && keys(found[0].frames, 1) == [])
    #expect(keys(found[0].values, 0) == [] && keys(found[0].values, 1) == [64])
    #expect(keys(found[1].values, 0) == [2, 3] && found[1].targets == [0])
    #expect(
      data.interface
        == TaskSignature(
          input: .frames(88), output: .labels(88), ends: TaskSignature.Ends(longest: 2)))
    #expect(data.vocabulary.isEmpty && names(data.outputs).last == "87")
    #expect(refusal("piano", ["train": "1 | 2\n3 | 88"]).contains("line 2 has the key 88"))
    #expect(refusal("piano", ["train": "1 | é"]).contains("line 1 has 'é'"))
  }

  @Test func `Columns of numbers are chosen by name or by place`() throws {
    let text = "run;a;b;c\n1;0.5;2;3\n1; 1 ;-2;4\n2;7;8;9\n\n2;1e1;0;0\n"
    let more = { (columns: String) in #", "columns": {"separator": ";", \#(columns)}"# }
    let data = try open(
      "csv", ["train": text], more(#""inputs": ["c", 2], "targets": ["b"], "id": "run""#))
    let found = try examples(data.train)
    #expect(found.map(\.frames) == [[3, 0.5, 4, 1], [9, 7], [0, 10]])
    #expect(found.map(\.values) == [[2, -2], [8], [0]] && found[0].targets == [0, 0])
    #expect(data.interface == TaskSignature(input: .frames(2), output: .numbers(1)))
    let plain = try open(
      "csv", ["train": "1,2\n3,4\n\n5,6\n"], #", "columns": {"inputs": [1], "targets": [2, 1]}"#)
    #expect(try examples(plain.train).map(\.values) == [[2, 1, 4, 3], [6, 5]])
    for (columns, reason) in [
      (#""inputs": ["d"], "targets": ["a"]"#, "line 1 names no column 'd'; there are run, a, b, c"),
      (#""inputs": [2], "targets": [3]"#, "line 1 has 'a' in column 2"),
      (#""inputs": ["a"], "targets": [5]"#, "line 2 has 4 columns and no column 5"),
    ] {
      let found = refusal("csv", ["train": text], more(columns))
      #expect(found.contains(reason), "\(found)")
    }
  }

  @Test func `A model's vocabularies take the place of those of the data`() throws {
    let path = folder.write("a.txt", "a|X b|Y\n")
    let options = try decode(#"{"format": "tags", "train": "\#(path)"}"#)
    let first = try Dataset(options, cache: folder.cache, writing: false)
    folder.write("a.txt", "b|Y c|Y\n")
    let second = try Dataset(
      options, vocabularies: .init(inputs: first.vocabulary, outputs: first.outputs),
      cache: folder.cache, writing: false)
    #expect(second.vocabulary == first.vocabulary && second.outputs == first.outputs)
    #expect(try examples(second.train)[0].inputs == [2, 0] && second.hash != first.hash)
    #expect(try examples(second.train)[0].targets == [1, 1])
    #expect(throws: DataError.self) {
      let lines = try decode(#"{"format": "lines", "train": "\#(path)"}"#)
      _ = try Dataset(lines, vocabulary: first.vocabulary, cache: folder.cache, writing: false)
    }
  }

  @Test func `A task needs no files`() throws {
    let options = try decode(#"{"task": "reber", "train_size": 30, "test_size": 0}"#)
    let data = try Dataset(options, cache: folder.cache, writing: false, seed: 4)
    #expect(names(data.vocabulary) == ReberGrammar.symbols && data.outputs == data.vocabulary)
    #expect(data.train.count == 30 && data.valid?.count == 1_000 && data.test == nil)
    #expect(data.interface == TaskSignature(input: .symbols(7), output: .symbols(7)))
    let other = try Dataset(options, cache: folder.cache, writing: false, seed: 5)
    #expect(other.hash != data.hash)
    let numbers = try Dataset(
      decode(#"{"task": "adding"}"#), cache: folder.cache, writing: false)
    #expect(numbers.interface.input == .frames(2) && numbers.interface.output == .numbers(1))
    #expect(throws: DataError.self) {
      _ = try Dataset(
        options, vocabulary: numbers.vocabulary, cache: folder.cache, writing: false)
    }
  }

  @Test func `Options of formats and tasks come back from what is written`() throws {
    for json in [
      #"{"format": "lines", "train": "a", "tokenizer": "character", "vocabulary": {"size": 9}}"#,
      #"{"format": "trees", "train": "a", "valid": 0.1, "view": "phrases", "test_view": "root"}"#,
      #"{"format": "pairs", "train": "a", "source": {"train": ["b", "c"], "test": "d"}}"#,
      #"{"format": "csv", "train": "a", "columns": {"inputs": ["x", 2], "targets": [1], "id": 3}}"#,
      #"{"format": "piano", "train": "a", "cache": "c"}"#,
      #"{"task": "tomita", "grammar": 4, "train_size": 9, "cache": "c"}"#,
    ] {
      let options = try decode(json)
      let back = try JSONDecoder().decode(DataOptions.self, from: JSONEncoder().encode(options))
      #expect(back == options && options != DataOptions(), "\(json)")
    }
    #expect(try decode(#"{"format": "tags"}"#).tokenizer == .word)
  }

  @Test func `Keys that do not belong together are refused`() {
    for (json, path, reason) in [
      (#"{"task": "copy", "train": "a"}"#, "train", "a task generates its own"),
      (#"{"task": "copy", "format": "lines"}"#, "format", "a task generates its own"),
      (#"{"format": "line"}"#, "format", "did you mean \"lines\"?"),
      (#"{"format": "piano", "tokenizer": "word"}"#, "tokenizer", "have no symbols"),
      (#"{"format": "tags", "tokenizer": "character"}"#, "tokenizer", "its tokens are words"),
      (#"{"format": "lines", "tokenizer": "byte"}"#, "tokenizer", "word or character"),
      (#"{"format": "lines", "document": "line"}"#, "document", "documents are for a running text"),
      (#"{"format": "trees", "view": "leaves"}"#, "view", "one of nodes, phrases, root, tree"),
      (#"{"format": "trees", "view": "nodes", "test_view": "root"}"#, "test_view", "of one kind"),
      (
        #"{"format": "csv", "columns": {"inputs": [0], "targets": [1]}}"#, "columns.inputs.Index 0",
        "counted from 1"
      ),
    ] {
      do {
        _ = try decode(json)
        Issue.record("\(json) was taken")
      } catch DecodingError.dataCorrupted(let context) {
        let found = context.codingPath.map(\.stringValue).joined(separator: ".")
        #expect(found == path && context.debugDescription.contains(reason), "\(json): \(context)")
      } catch {
        Issue.record(error)
      }
    }
  }
}
