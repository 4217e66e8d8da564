import Datasets
internal import Foundation
import LinearAlgebra
import Recurrence
import Sequences
internal import TestSupport
import Testing

@Suite struct `Frames that an encoder reads` {
  let folder = TemporaryFolder()

  private func write(_ name: String, _ data: Data) -> String {
    let path = folder.write(name, "x")
    try? data.write(to: URL(filePath: path))
    return path
  }

  /// A file of NumPy.
  private func npy(
    _ header: String, _ numbers: [UInt8], version: UInt8 = 1, length: Int? = nil
  ) -> Data {
    let text = Array(header.utf8)
    let count = length ?? text.count
    var data = Data([0x93] + Array("NUMPY".utf8) + [version, 0])
    for k in 0..<(version == 1 ? 2 : 4) { data.append(UInt8(count >> (8 * k) & 255)) }
    return data + text + numbers
  }

  private func header(
    _ type: String = "<f4", _ shape: String = "(2, 3)", order: String = "False"
  ) -> String {
    "{'descr': '\(type)', 'fortran_order': \(order), 'shape': \(shape), }  \n"
  }

  private func floats(_ numbers: [Float]) -> [UInt8] {
    numbers.flatMap { number in (0..<4).map { UInt8(number.bitPattern >> (8 * $0) & 255) } }
  }

  private func doubles(_ numbers: [Double]) -> [UInt8] {
    numbers.flatMap { number in (0..<8).map { UInt8(number.bitPattern >> (8 * $0) & 255) } }
  }

  private func safetensors(_ header: String, _ numbers: [UInt8]) -> Data {
    let text = Array(header.utf8)
    return Data((0..<8).map { UInt8(text.count >> (8 * $0) & 255) } + text + numbers)
  }

  private func refusal(_ name: String, _ data: Data) -> String {
    let path = write(name, data)
    let error = #expect(throws: DataError.self) { try FrameTable(.arrays, [path]) }
    #expect(error?.message.contains(path) == true)
    return error?.message ?? ""
  }

  @Test func `files of NumPy are named by their files`() throws {
    let six: [Float] = [1, -2.5, 3, 4, 5, 6.25]
    let paths = [
      write("a.npy", npy(header(), floats(six))),
      write("b.npy", npy(header("<f8", "(1,3)"), doubles([7, 8, 9]), version: 2)),
    ]
    let table = try FrameTable(.arrays, paths)
    #expect(table.ids == ["a", "b"])
    #expect(table["a"] == Frames(width: 3, numbers: six.map { Real($0) }))
    #expect(table["b"] == Frames(width: 3, numbers: [7, 8, 9]))
    #expect(table["c"] == nil)
  }

  @Test func `tensors are named by their names, in the order of the file`() throws {
    let path = write(
      "a.safetensors",
      safetensors(
        #"{"__metadata__":{"a":"b"},"y":{"dtype":"F64","shape":[1,2],"data_offsets":[8,24]},"#
          + #""z":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}"#,
        floats([1, 2]) + doubles([3, 4])))
    let table = try FrameTable(.arrays, [path])
    #expect(table.ids == ["z", "y"])
    #expect(table["y"] == Frames(width: 2, numbers: [3, 4]))
  }

  @Test func `a bad file is one sentence`() {
    let numbers = floats([1, 2, 3, 4, 5, 6])
    for (data, why) in [
      (Data("hello, world, this is text".utf8), "does not begin as one"),
      (npy(header(), numbers, version: 3), "format 3.0"),
      (npy(header(), numbers, length: 9999), "a header of 9999 bytes"),
      (npy(header("<i8"), numbers), "type <i8"), (npy(header(">f4"), numbers), "type >f4"),
      (npy(header(order: "True"), numbers), "ascontiguousarray"),
      (npy(header(), Array(numbers.dropLast())), "do not hold the shape"),
      (npy(header(), numbers + [0]), "do not hold the shape"),
      (npy(header("<f4", "(6,)"), numbers), "has the shape (6)"),
      (npy(header("<f4", "(0, 3)"), []), "has the shape (0, 3)"),
      (npy(header("<f4", "(9223372036854775807, 9)"), numbers), "do not hold the shape"),
      (npy(header("<f4", "(99999999999999999999, 9)"), numbers), "not a dictionary"),
      (npy("{'descr': '<f4', 'shape': (2, 3)}", numbers), "not a dictionary"),
      (npy("{'descr': '<f4'", numbers), "not a dictionary"), (npy("", numbers), "not a dictionary"),
      (npy(header(), floats([1, 2, 3, 4, .nan, 6])), "too large a number in row 2"),
      (npy(header("<f8", "(1, 1)"), doubles([1e300])), "too large a number in row 1"),
    ] {
      let found = refusal("bad.npy", data)
      #expect(found.contains(why), "\(found)")
    }
    let entry = #""dtype":"F32","shape":[1,2],"data_offsets""#
    for (data, why) in [
      (Data([1, 2]), "2 bytes"), (safetensors("{", []), "does not say"),
      (Data([255, 255, 255, 255, 255, 255, 255, 255, 1]), "a header of"),
      (safetensors("{\"a\":{\(entry):[4,12]}}", floats([1, 2, 3])), "does not fit"),
      (safetensors("{\"a\":{\(entry):[0,8]}}", floats([1])), "does not fit"),
      (safetensors("{\"a\":{\(entry):[0,4]}}", floats([1, 2])), "does not fit"),
      (safetensors("{\"a\":{\(entry):[0,8,9]}}", floats([1, 2])), "does not fit"),
      (safetensors("{\"a\":{\(entry):[0,8]}}", floats([1, 2, 3])), "after the last"),
      (
        safetensors(
          #"{"a":{"dtype":"I8","shape":[1,2],"data_offsets":[0,2]}}"#, [1, 2]), "type I8"
      ),
      (
        safetensors(
          #"{"a":{"dtype":"F32","shape":[-1,-2],"data_offsets":[0,8]}}"#, floats([1, 2])),
        "does not fit"
      ),
      (
        safetensors(
          "{\"a\":{\(entry):[0,8]},\"b\":{\(entry):[8,-9223372036854775808]}}",
          floats([1, 2, 3, 4])), "does not fit"
      ),
      (safetensors("{}", []), "has no frames"),
    ] {
      let found = refusal("bad.safetensors", data)
      #expect(found.contains(why), "\(found)")
    }
    #expect(refusal("a.txt", Data("1,2".utf8)).contains("neither .npy nor .safetensors"))
  }

  private func open(_ source: String, _ files: KeyValuePairs<String, String>) throws -> Dataset {
    let path = files.map { folder.write($0, $1) }[0]
    let place = path.dropLast(files[0].key.count + 1)
    let json = """
      {"format": "pairs", "train": "FOLDER/t.txt", "valid": "FOLDER/v.txt",
       "tokenizer": "character", "source": \(source)}
      """
    let options = try JSONDecoder().decode(
      DataOptions.self, from: Data(json.replacing("FOLDER", with: place).utf8))
    let again = try JSONDecoder().decode(DataOptions.self, from: JSONEncoder().encode(options))
    #expect(again == options)
    return try Dataset(options, cache: folder.cache, writing: true)
  }

  private static let table = """
    {"format": "csv", "train": "FOLDER/f.csv", "valid": "FOLDER/f.csv",
     "columns": {"inputs": ["x", "y"], "id": "name", "separator": ";"}}
    """
  private static let rows = "name;x;y\nb;1;2\nb;3;4\na;5;6\nc;7;8\nc;9;10\nc;11;12\n"

  @Test func `lines are of the frames whose name leads them, in any order`() throws {
    let data = try open(
      Self.table, ["t.txt": "a\tno\nb\toh\n", "v.txt": "c\tno\n", "f.csv": Self.rows])
    #expect(data.interface.sourceFrames == 2 && data.interface.source == 0 && data.source == nil)
    let set = try #require(data.train.examples)
    #expect(set.example(0, epoch: 1).sourceFrames.numbers == [5, 6])
    #expect(set.example(1, epoch: 1).sourceFrames.numbers == [1, 2, 3, 4])
    #expect(set.longest.source == 2 && set.steps(of: 0, epoch: 1).source == 1)

    let loader = try data.train.loader(LoaderRequest(batchSize: 2, isBucketed: false))
    let batch = loader.makeBatch()
    for i in 0..<batch.source!.features.count { batch.source!.features.elements()[i] = .nan }
    loader.next(into: batch)
    let source = try #require(batch.source)
    #expect(source.steps == 2 && (0..<2).map { source.lengths.elements()[$0] } == [1, 2])
    // Step by step, both sequences side by side; behind an end there are zeros.
    #expect((0..<8).map { source.features.elements()[$0] } == [5, 6, 1, 2, 0, 0, 3, 4])
  }

  @Test func `what does not belong together is told with file and line`() {
    func refusal(_ files: KeyValuePairs<String, String>) -> String {
      let error = #expect(throws: DataError.self) { try open(Self.table, files) }
      return error?.message ?? ""
    }
    let good = "a\tno\n"
    #expect(
      refusal(["t.txt": "a\tno\nd\toh\n", "v.txt": good, "f.csv": Self.rows]).contains(
        "t.txt, line 2 names the frames 'd', but"))
    #expect(
      refusal(["t.txt": "a no\n", "v.txt": good, "f.csv": Self.rows]).contains(
        "t.txt, line 1 does not name its frames"))
    #expect(
      refusal(["t.txt": "a\t\n", "v.txt": good, "f.csv": Self.rows]).contains(
        "t.txt, line 1 has no text after the name"))
    #expect(
      refusal(["t.txt": good, "v.txt": good, "f.csv": Self.rows + "b;1;2\n"]).contains(
        "a second time"))
    #expect(
      refusal(["t.txt": good, "v.txt": good, "f.csv": "name;x;y\na;1;inf\n"]).contains(
        "f.csv, line 2 has 'inf' in column 3"))
  }

  @Test(arguments: [
    (#"{"format": "csv", "train": "f"}"#, "columns"),
    (#"{"format": "csv", "train": "f", "columns": {"inputs": [], "id": 1}}"#, "inputs is empty"),
    (
      #"{"format": "csv", "train": "f", "tokenizer": "word", "columns": {"inputs": [2], "id": 1}}"#,
      "has no tokenizer"
    ),
    (#"{"format": "arrays", "train": "f", "columns": {"inputs": [2], "id": 1}}"#, "no columns"),
    (#"{"train": "f", "columns": {"inputs": [2], "id": 1}}"#, "no columns"),
    (
      #"{"format": "wav", "train": "f"}"#,
      "no format is called wav; choose one of arrays, csv, text"
    ),
  ])
  func `what cannot be read is refused`(source: String, why: String) {
    let error = #expect(throws: DecodingError.self) { try open(source, ["t.txt": "a\tb\n"]) }
    #expect("\(error!)".contains(why), "\(error!)")
  }
}
