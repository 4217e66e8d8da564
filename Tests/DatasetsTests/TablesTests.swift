import Datasets
internal import Foundation
import LinearAlgebra
import Recurrence
import Sequences
import Testing

extension `Readers of examples` {
  private func columns(_ text: String) -> String { #", "columns": {\#(text)}"# }

  @Test func `A column has the class of a sequence, asked for at its end`() throws {
    let text = "1,0.5,b b\n2,1.5, b b \n\n3,0,a\n\n\n4,2,b b\n"
    let data = try open(
      "csv", ["train": text, "test": "9,9,a\n"], columns(#""inputs": [2, 1], "label": 3"#))
    #expect(names(data.outputs) == ["a", "b b"] && data.vocabulary.isEmpty)
    #expect(
      data.interface == TaskSignature(input: .frames(2), output: .symbols(2), asksOnce: true))
    let found = try examples(data.train)
    #expect(found.map(\.frames) == [[0.5, 1, 1.5, 2], [0, 3], [2, 4]])
    #expect(found.map(\.targets) == [[Batch.noTarget, 1], [0], [1]])
    #expect(found.allSatisfy { $0.values.isEmpty })
    #expect(try examples(data.test).map(\.targets) == [[0]])
    let asked = columns(#""inputs": [1], "label": 3"#)
    let mixed = refusal("csv", ["train": "1,2,a\n2,2,b\n"], asked)
    #expect(mixed.contains("line 2 has the label 'b' in a sequence that began with 'a'"))
    #expect(
      refusal("csv", ["train": "1,2,a\n2,2, \n"], asked).contains("line 2 has no label in column 3")
    )
    #expect(
      refusal("csv", ["train": "1,2,a\n", "valid": "1,2,c\n"], asked)
        .contains("has the label 'c', which no training sequence has"))
  }

  @Test func `A column has the class of each row, or an empty cell where nothing is asked`() throws
  {
    let text = "run;x;state\n7;1;up\n7;2;\n7;3;down\n8;4;up\n"
    let more = columns(#""inputs": ["x"], "tag": "state", "id": "run", "separator": ";""#)
    let data = try open("csv", ["train": text], more)
    #expect(data.interface == TaskSignature(input: .frames(1), output: .symbols(2)))
    #expect(names(data.outputs) == ["down", "up"])
    #expect(try examples(data.train).map(\.targets) == [[1, Batch.noTarget, 0], [1]])
    #expect(
      refusal("csv", ["train": "run;x;state\n1;2;\n"], more).contains(
        "has no class in any training row"))
  }

  @Test func `Where no column is read there is nothing to read`() throws {
    let text = "1,10\n2,20\n3,\n\n4,40\n"
    let data = try open("csv", ["train": text], columns(#""inputs": [], "targets": [2]"#))
    #expect(data.interface == TaskSignature(input: .nothing, output: .numbers(1)))
    let found = try examples(data.train)
    #expect(found.map(\.frames) == [[], []])
    #expect(found.map(\.values) == [[10, 20, 0], [40]])
    #expect(found.map(\.targets) == [[0, 0, Batch.noTarget], [0]])
    for answer in [#", "targets": "next""#, #", "label": 1"#, #", "tag": 1"#, ""] {
      let error = #expect(throws: DecodingError.self) {
        try open("csv", ["train": text], columns(#""inputs": []\#(answer)"#))
      }
      #expect("\(error!)".contains("inputs is empty"), "\(error!)")
    }
  }

  @Test func `The next row is asked for, and a single row asks for nothing`() throws {
    let text = "1,10\n2,20\n3,30\n\n4,40\n\n5,50\n6,60\n"
    for targets in [#", "targets": "next""#, ""] {
      let data = try open("csv", ["train": text], columns(#""inputs": [2, 1]\#(targets)"#))
      let found = try examples(data.train)
      #expect(found.map(\.frames) == [[10, 1, 20, 2], [50, 5]])
      #expect(found.map(\.values) == [[20, 2, 30, 3], [60, 6]])
      #expect(found.map(\.targets) == [[0, 0], [0]])
      #expect(
        data.interface
          == TaskSignature(input: .frames(2), output: .numbers(2), ends: .init(longest: 2)))
    }
  }

  @Test func `A row without targets asks for nothing`() throws {
    let asked = columns(#""inputs": [1], "targets": [2, 4]"#)
    let text = "1,10,a,20\n2, ,b,\n3,,,\n\n4,,,\n5,50,,60\n"
    let data = try open("csv", ["train": text], asked)
    let found = try examples(data.train)
    #expect(found.map(\.frames) == [[1, 2, 3], [4, 5]])
    #expect(
      found.map(\.targets) == [[0, Batch.noTarget, Batch.noTarget], [Batch.noTarget, 0]])
    #expect(found.map(\.values) == [[10, 20, 0, 0, 0, 0], [0, 0, 50, 60]])
    #expect(data.interface == TaskSignature(input: .frames(1), output: .numbers(2)))
    for (row, words) in [
      ("1,10,a,", "train.csv, line 2 has nothing in column 4 and a target in column 2"),
      ("1, ,a,1", "train.csv, line 2 has nothing in column 2 and a target in column 4"),
      ("1,10,a", "line 2 has 3 columns and no column 4"), ("1,x,a,1", "line 2 has 'x' in column 2"),
    ] {
      let sentence = refusal("csv", ["train": "1,2,,3\n\(row)\n"], asked)
      #expect(sentence.contains(words.replacing("train.csv", with: "train.txt")), "\(sentence)")
    }
    #expect(refusal("csv", ["train": "1,,,\n"], asked).contains("has no target in any row"))
    #expect(
      refusal("csv", ["train": "1,2,,3\n", "valid": "1,,,\n"], asked)
        .contains("valid.txt has no target in any row"))
    // What is read has no such rows.
    #expect(refusal("csv", ["train": ",2,,3\n"], asked).contains("line 1 has '' in column 1"))
  }

  @Test func `Targets in the last rows alone are one answer a sequence`() throws {
    let asked = columns(#""inputs": [1], "targets": [2]"#)
    let last = "1,\n2,20\n\n3,30\n\n4,\n5,\n6,60\n"
    let data = try open("csv", ["train": last, "test": "1,2\n"], asked)
    #expect(
      data.interface == TaskSignature(input: .frames(1), output: .numbers(1), asksOnce: true))
    #expect(data.train.asksAtEnds && data.test?.asksAtEnds == true)
    let more = try open("csv", ["train": last, "test": "1,2\n2,3\n"], asked)
    #expect(!more.interface.asksOnce && more.test?.asksAtEnds == false)
    #expect(try !open("csv", ["train": last + "\n1,1\n2,\n"], asked).interface.asksOnce)
    // Rows by themselves are no sequences with an end.
    #expect(try !open("csv", ["train": "1,1\n\n2,2\n"], asked).interface.asksOnce)
  }

  @Test func `Series with columns for what is read next go on, where that is what they hold`()
    throws
  {
    let asked = columns(#""inputs": ["x", "y"], "targets": ["u", "v"], "id": "run""#)
    let ahead = try open("csv", ["train": "run,x,y,u,v\n1,1,2,3,4\n1,3,4,5,6\n"], asked)
    #expect(ahead.interface.ends == .init(longest: 2))
    // Not where some step asks for nothing.
    let holes = try open("csv", ["train": "run,x,y,u,v\n1,1,2,0,0\n1,0,0,,\n"], asked)
    #expect(holes.interface.ends == nil)
    for (inputs, targets, text, written) in [
      (
        #"["x", "y"]"#, #"["u", "v"]"#, "run,x,y,u,v\n4,1,2,3,4\n4,3,4,,\n",
        "run,x,y\n1,1.0,2.0\n1,3.0,4.0\n"
      ),
      // Only the names of targets make the first line one of names.
      (
        "[2, 3]", #"["u", "v"]"#, "run,x,y,u,v\n4,1,2,3,4\n4,3,4,5,6\n",
        "run,2,3\n1,1.0,2.0\n1,3.0,4.0\n"
      ),
    ] {
      let options = try decode(
        #"{"format": "csv", "train": "a", "columns": {"inputs": \#(inputs), "targets": \#(targets), "#
          + #""id": "run"}}"#)
      #expect(SeriesFormat(options) == nil)
      let format = try #require(SeriesFormat(options, readsItsOutputs: true))
      let series = try format.read(folder.write("series.txt", text))
      #expect(series == [[1, 2, 3, 4]] && format.text(series) == written)
      #expect(try format.read(folder.write("series.txt", written)) == series)
    }
  }

  @Test func `What a table asks for comes back from what is written, and is one thing`() throws {
    for answer in [#""targets": "next""#, #""label": 4"#, #""tag": "y""#, #""targets": [1, "y"]"#] {
      let options = try decode(
        #"{"format": "csv", "train": "a", "columns": {"inputs": ["x"], \#(answer)}}"#)
      let back = try JSONDecoder().decode(DataOptions.self, from: JSONEncoder().encode(options))
      #expect(back == options, "\(answer)")
    }
    for (answer, reason) in [
      (#""targets": "y""#, "write [y], or next"), (#""targets": []"#, "targets is empty"),
      (#""label": 4, "tag": 5"#, "exclude each other"),
      (#""targets": [2], "tag": 5"#, "exclude each other"),
    ] {
      let error = #expect(throws: DecodingError.self) {
        try decode(#"{"format": "csv", "columns": {"inputs": ["x"], \#(answer)}}"#)
      }
      guard case .dataCorrupted(let context) = error else { continue }
      #expect(context.debugDescription.contains(reason), "\(context)")
    }
  }

  @Test func `Frames with a class come back from a table as they were`() throws {
    let task = TaskOptions(
      LabelledFrames(classes: 9, width: 12, length: 7...29), trainSize: 270, testSize: 370)
    let set = try #require(task.examples(.train, seed: 4))
    let written = (0..<set.count).map { set.example($0, epoch: 1) }
    let data = try open(
      "csv", ["train": vowels(written)], columns(#""inputs": [\#(vowelInputs)], "label": 1"#))
    #expect(data.interface == task.task.interface && names(data.outputs) == task.task.outputs)
    let found = try examples(data.train)
    #expect(found == written && Set(found.map(\.steps)) == Set(7...29))
  }

  private var vowelInputs: String { (2...13).map(String.init).joined(separator: ", ") }

  /// Sequences parted by blank lines, the class before twelve numbers.
  private func vowels(_ examples: [Example]) -> String {
    examples.map { example in
      let rows = stride(from: 0, to: example.frames.count, by: 12).map { start -> String in
        let numbers: [String] = example.frames[start..<start + 12].map { "\($0)" }
        return ([String(example.targets.last!)] + numbers).joined(separator: ",") + "\n"
      }
      return rows.joined()
    }.joined(separator: "\n")
  }

  // MARK: Series

  /// Returns the numbers that a format reads from a text, and the text that it writes for them.
  private func copy(_ options: String, _ text: String) throws -> ([[Real]], String) {
    let format = try #require(SeriesFormat(decode(options)))
    let series = try format.read(folder.write("series.txt", text))
    return (series, format.text(series))
  }

  @Test func `Series are written as they are read`() throws {
    func table(_ columns: String) -> String {
      #"{"format": "csv", "train": "a", "columns": {\#(columns)}}"#
    }
    let text = "2,,1.5\n-1,,0.25\n\n7,,1e-05\n"
    let (numbers, copied) = try copy(table(#""inputs": [3, 1]"#), text)
    #expect(numbers == [[1.5, 2, 0.25, -1], [1e-5, 7]])
    #expect(copied == "2.0,,1.5\n-1.0,,0.25\n\n7.0,,1e-05\n")
    let (named, again) = try copy(
      table(#""inputs": ["y", 2], "id": "run", "separator": ";""#), "run;x;y\n4;1;2\n4;3;4\n5;5;6\n"
    )
    #expect(named == [[2, 1, 4, 3], [6, 5]])
    #expect(again == "run;2;y\n1;1.0;2.0\n1;3.0;4.0\n2;5.0;6.0\n")
    #expect(
      try copy(table(#""inputs": ["y", 2], "id": "run", "separator": ";""#), again).0 == named)
    let (pieces, music) = try copy(#"{"format": "piano", "train": "a"}"#, "0,87 |  | 5\n3\n")
    #expect(pieces.map(\.count) == [3 * 88, 88] && music == "0,87 |  | 5\n3\n")
    let (series, _) = try copy(#"{"task": "mackey-glass"}"#, "1.5\n1.25\n")
    #expect(series == [[1.5, 1.25]])
    #expect(throws: DataError.self) { try copy(#"{"task": "mackey-glass"}"#, "\n") }
  }

  @Test func `What is not asked for cannot go on`() throws {
    for json in [
      #"{"task": "narma"}"#, #"{"task": "adding"}"#, #"{"format": "lines", "train": "a"}"#,
      #"{"format": "csv", "train": "a", "columns": {"inputs": [1], "targets": [2]}}"#,
      #"{"format": "csv", "train": "a", "columns": {"inputs": [1], "label": 2}}"#,
    ] { #expect(SeriesFormat(try decode(json)) == nil, "\(json)") }
  }
}
