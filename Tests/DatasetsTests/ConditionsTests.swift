import Datasets
internal import Foundation
import LinearAlgebra
import Recurrence
internal import TestSupport
import Testing

@Suite struct `What is known of whole sequences` {
  let folder = TemporaryFolder()

  /// A data set of files by their names; FOLDER stands for theirs.
  private func open(
    _ json: String, _ files: KeyValuePairs<String, String>,
    given: Dataset.Vocabularies? = nil
  ) throws -> Dataset {
    let path = files.map { folder.write($0, $1) }[0]
    let place = path.dropLast(files[0].key.count + 1)
    let options = try JSONDecoder().decode(
      DataOptions.self, from: Data(json.replacing("FOLDER", with: place).utf8))
    return try Dataset(options, vocabularies: given, cache: folder.cache, writing: true)
  }

  private func refusal(_ json: String, _ files: KeyValuePairs<String, String>) -> String {
    let error = #expect(throws: DataError.self) { try open(json, files) }
    return error?.message ?? ""
  }

  private func known(_ part: Split?) throws -> [(classes: [Int32], numbers: [Real])] {
    let set = try #require(part?.examples)
    return (0..<set.count).map {
      let example = set.example($0, epoch: 1)
      return (example.classes, example.condition)
    }
  }

  private func names(_ data: Dataset, _ number: Int = 0) throws -> String {
    let symbols = try #require(data.conditions).classes[number].symbols
    return symbols.decode(0..<Int32(symbols.count))
  }

  @Test func `a table has it in columns, the same in all rows of a sequence`() throws {
    let json = """
      {"format": "csv", "train": "FOLDER/t.csv", "valid": "FOLDER/v.csv",
       "columns": {"inputs": ["x"], "targets": ["y"], "id": "run"},
       "condition": {"classes": ["speaker", "room"], "numbers": ["age"]}}
      """
    let data = try open(
      json,
      [
        "t.csv": """
        run,speaker,age,room,x,y
        1,eva,31,hall,1,2
        1,eva,31,hall,2,3
        2,adam,40.5,nook,1,2

        """,
        "v.csv": "run,speaker,age,room,x,y\n1,adam,2,hall,1,2\n",
      ])
    #expect(data.interface.classes == [2, 2] && data.interface.condition == 1)
    #expect(try names(data) == "adam eva" && names(data, 1) == "hall nook")
    let train = try known(data.train)
    #expect(train.map(\.classes) == [[1, 0], [0, 1]] && train.map(\.numbers) == [[31], [40.5]])
    #expect(try known(data.valid).map(\.classes) == [[0, 0]])

    let changed = "run,speaker,age,room,x,y\n1,eva,31,hall,1,2\n1,eva,32,hall,2,3\n"
    #expect(
      refusal(json, ["t.csv": changed]).contains(
        "t.csv, line 3 has another condition (eva, hall, 32)"))
    let unknown = "run,speaker,age,room,x,y\n1,ida,2,hall,1,2\n"
    let one = "run,speaker,age,room,x,y\n1,eva,31,hall,1,2\n2,adam,1,hall,1,2\n"
    #expect(
      refusal(json, ["t.csv": one, "v.csv": unknown]).contains(
        "v.csv, line 2 has 'ida' for speaker, which no training sequence has; there are adam, eva"
      ))
    let word = "run,speaker,age,room,x,y\n1,eva,old,hall,1,2\n"
    #expect(
      refusal(json, ["t.csv": word]).contains("t.csv, line 2 has 'old' in column 3: write a number")
    )
    #expect(
      refusal(json, ["t.csv": "run,speaker,age,x,y\n1,eva,2,1,2\n"]).contains(
        "names no column 'room'"))
  }

  @Test func `fields with tabs behind them lead lines, and labelled texts`() throws {
    let json = """
      {"format": "lines", "train": "FOLDER/t.txt", "valid": 0.3, "tokenizer": "character",
       "condition": {"classes": [1], "numbers": [2]}}
      """
    let data = try open(json, ["t.txt": "eva\t0.5\tab\n\n adam \t-1\tb\neva\t2\ta\n"])
    #expect(try names(data) == "adam eva")
    #expect(data.train.count == 2 && data.valid?.count == 1)
    let all = try known(data.train) + known(data.valid)
    #expect(all.map(\.classes) == [[1], [0], [1]] && all.map(\.numbers) == [[0.5], [-1], [2]])
    let first = try #require(data.train.examples).example(0, epoch: 1)
    #expect(data.vocabulary.decode(first.inputs) == "ab")

    let labels = try open(
      """
      {"format": "labels", "train": "FOLDER/l.txt", "condition": {"classes": [1]}}
      """, ["l.txt": "eva\tgood\ta fine day\nadam\tbad\train\n"])
    #expect(try known(labels.train).map(\.classes) == [[1], [0]])
    #expect(labels.outputs.decode(0..<2) == "bad good")
    #expect(
      refusal(json, ["t.txt": "eva\t0.5\tab\n1 eva b\n"]).contains(
        "t.txt, line 2 has 0 of the 2 fields of its condition"))
    #expect(
      refusal(json, ["t.txt": "eva\t0.5\t \n"]).contains("t.txt, line 1 has no text after"))
    #expect(refusal(json, ["t.txt": "eva\tx\ta\n"]).contains("t.txt, line 1 has 'x' in column 2"))
    #expect(refusal(json, ["t.txt": "eva\t1e39\ta\n"]).contains("line 1 has '1e39' in column 2"))
    #expect(refusal(json, ["t.txt": "\t1\ta\n"]).contains("t.txt, line 1 has no class in column 1"))
  }

  @Test func `a table beside pairs has a row for each, all of numbers unless columns are named`()
    throws
  {
    let json = """
      {"format": "pairs", "train": "FOLDER/t.txt", "valid": "FOLDER/v.txt",
       "source": {"train": "FOLDER/s.txt", "valid": "FOLDER/s.txt"},
       "condition": {"train": "FOLDER/k.csv", "valid": "FOLDER/k.csv"}}
      """
    let two = "a b\nb\n"
    let data = try open(
      json, ["t.txt": two, "v.txt": two, "s.txt": two, "k.csv": "1,2.5,3\n4,5,6\n"])
    #expect(data.interface.condition == 3 && data.interface.classes.isEmpty)
    #expect(try known(data.valid).map(\.numbers) == [[1, 2.5, 3], [4, 5, 6]])
    #expect(
      refusal(json, ["t.txt": two, "v.txt": two, "s.txt": two, "k.csv": "1,2\n"]).contains(
        "k.csv has 1 rows and"))
    #expect(
      refusal(json, ["t.txt": two, "v.txt": two, "s.txt": two, "k.csv": "1,2\n3\n"]).contains(
        "k.csv, line 2 has 1 columns where the lines before have 2"))
    #expect(
      refusal(
        json.replacing(#", "valid": "FOLDER/k.csv"}"#, with: "}"),
        ["t.txt": two, "v.txt": two, "s.txt": two, "k.csv": "1\n3\n"]
      ).contains("data.condition.valid is missing"))
  }

  @Test func `a batch has it beside each of its sequences, whatever the number of ranks`() throws {
    let lines = (0..<9).map {
      "\(["eva", "adam", "ida"][$0 % 3])\t\($0)\t\(String(repeating: "a", count: 1 + $0 % 4))\n"
    }
    let data = try open(
      """
      {"format": "lines", "train": "FOLDER/t.txt", "tokenizer": "character",
       "condition": {"classes": [1], "numbers": [2]}}
      """, ["t.txt": lines.joined()])
    for world in [1, 2, 4] {
      var found: [Int32: (Int32, Real)] = [:]
      for rank in 0..<world {
        let loader = try data.train.loader(
          LoaderRequest(
            batchSize: 1, batchTokens: 20, seed: 3, rank: rank, world: world,
            allowsEmptyShare: true))
        let batch = loader.makeBatch()
        for _ in 0..<loader.windowsPerEpoch {
          loader.next(into: batch)
          for s in 0..<batch.streams {
            found[batch.keys.elements()[s]] = (
              batch.classes.elements()[s], batch.conditionRows[s, 0]
            )
          }
        }
      }
      #expect(found.count == 9)
      for (key, known) in found {
        #expect(known.0 == [2 - 1, 0, 2][Int(key) % 3] && known.1 == Real(key), "sequence \(key)")
      }
    }
  }

  @Test func `a model's classes are kept, and a condition of others is refused`() throws {
    let json = """
      {"format": "lines", "train": "FOLDER/t.txt", "condition": {"classes": [1]}}
      """
    let data = try open(json, ["t.txt": "eva\ta\nadam\tb\n"])
    let given = Dataset.Vocabularies(inputs: data.vocabulary, conditions: data.conditions)
    let other = try open(json, ["t.txt": "eva\tb\n"], given: given)
    #expect(other.interface.classes == [2] && other.conditions == data.conditions)
    #expect(try known(other.train).map(\.classes) == [[1]])
    #expect(throws: DataError.self) { try open(json, ["t.txt": "ida\tb\n"], given: given) }
    let numbers = """
      {"format": "lines", "train": "FOLDER/t.txt", "condition": {"numbers": [1]}}
      """
    #expect(throws: DataError.self) { try open(numbers, ["t.txt": "1\tb\n"], given: given) }
    let decoded = try JSONDecoder().decode(
      ConditionFields.self, from: JSONEncoder().encode(data.conditions))
    #expect(decoded == data.conditions)
  }

  @Test func `words name it in one order, and an unknown name lists what there is`() throws {
    let fields = ConditionFields(
      classes: [.init(name: "speaker", symbols: Vocabulary(names: ["adam", "eva"]))], numbers: 2)
    let found = try fields.condition(["eva", "0.5", "-3"], from: "--condition")
    #expect(found.classes == [1] && found.numbers == [0.5, -3])
    func refusal(_ words: [String]) -> String {
      let error = #expect(throws: DataError.self) {
        try fields.condition(words, from: "--condition")
      }
      return error?.message ?? ""
    }
    #expect(refusal(["ida", "1", "2"]).contains("'ida' for speaker"))
    #expect(refusal(["ida", "1", "2"]).contains("there are adam, eva"))
    #expect(refusal(["eva", "1"]).contains("speaker (adam, eva), then 2 numbers"))
    #expect(refusal(["eva", "1", "nan"]).contains("'nan'"))
  }

  @Test(arguments: [
    (#""format": "piano""#, #"{"numbers": [1]}"#, "piano"),
    (#""format": "tags""#, #"{"classes": [1]}"#, "in train"),
    (#""format": "lines""#, #"{"classes": [2]}"#, "without a gap"),
    (#""format": "lines""#, #"{"classes": ["speaker"]}"#, "without a gap"),
    (#""format": "lines""#, #"{"classes": [2], "numbers": [1]}"#, "classes before numbers"),
    (#""format": "lines""#, #"{"numbers": [2, 1]}"#, "in that order"),
    (#""format": "lines""#, #"{"classes": [1], "numbers": [1]}"#, "twice"),
    (#""format": "lines""#, "{}", "the condition is empty"),
    (#""format": "lines""#, #"{"valid": "v.csv", "numbers": [1]}"#, "train is missing"),
    (
      #""format": "csv", "columns": {"inputs": [1]}"#, #"{"train": "k.csv"}"#,
      "has its condition in columns"
    ),
  ])
  func `what cannot be read is refused`(format: String, condition: String, why: String) {
    let json = #"{\#(format), "train": "t.txt", "condition": \#(condition)}"#
    let error = #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(DataOptions.self, from: Data(json.utf8))
    }
    #expect("\(error!)".contains(why), "\(error!)")
  }
}
