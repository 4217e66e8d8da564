import Datasets
internal import Foundation
import LinearAlgebra
import Recurrence
import Sequences
internal import TestSupport
import Testing

/// Sequences that one rank has read from files and hands to others.
@Suite struct `Packed data` {
  let folder = TemporaryFolder()

  func open(_ format: String, _ text: String, _ more: String = "") throws -> Dataset {
    let path = folder.write("text", text)
    let source = folder.write("source", text.uppercased())
    let frames = folder.write("frames", "1,2.5,0\n2,-1,1e-9\n3,0,1\n4,4,3\n")
    let json =
      #"{"format": "\#(format)", "train": "\#(path)", "valid": 0.3\#(more)}"#
      .replacing("SOURCE", with: source)
      .replacing("FRAMES", with: frames)
    return try Dataset(
      JSONDecoder().decode(DataOptions.self, from: Data(json.utf8)), cache: folder.cache,
      writing: true)
  }

  static let formats: [(format: String, text: String, more: String)] = [
    ("lines", "a b a\nc é\na a a a\n", #", "test": 0.3"#),
    ("pairs", "a b a\nc b\na a a a\nb\n", #", "source": {"train": "SOURCE"}"#),
    (
      "lines", "eva\t3\ta b a\nadam\t-1.5\tc é\neva\t0\ta a a a\n",
      #", "condition": {"classes": [1], "numbers": [2]}"#
    ),
    (
      "pairs", "1\ta b a\n2\tc b\n3\ta\n4\tb\n",
      #"""
      , "source": {"format": "csv", "train": "FRAMES", "columns": {"inputs": [2, 3], "id": 1}},
      "condition": {"train": "FRAMES"}
      """#
    ),
    ("tags", "a|X b|Y\nc|X\nb|Y b|X a|X\n", ""),
    ("labels", "X\ta b\nY\ta\nX\tb b b\n", ""),
    ("piano", "40,51 | 42 |\n60 | 60\n44 | 45,87 | 47\n", ""),
    (
      "csv", "a;b;t\n1;2.5;0\n1;-3e20;1\n2;4;0\n3;5;1\n",
      #", "columns": {"inputs": ["b"], "targets": ["t"], "id": "a", "separator": ";"}"#
    ),
    (
      "csv", "a;b;t\n1;2;x\n1;3;x\n2;4;y\n3;5;x\n",
      #", "columns": {"inputs": ["b"], "label": "t", "id": "a", "separator": ";"}"#
    ),
    ("trees", "(1 (0 a) (2 b))\n(0 (1 a) (2 (1 b) (0 c)))\n(2 c)\n", #", "view": "nodes""#),
    ("trees", "(1 (0 a) (2 b))\n(0 (1 a) (2 (1 b) (0 c)))\n(2 c)\n", #", "view": "phrases""#),
  ]

  @Test func `many sequences take no more room than they need`() throws {
    let text = String(repeating: "X\ta b b b\n", count: 5200)
    let packed = try #require(try open("labels", text).packed)
    #expect(packed.capacity < packed.count + packed.count / 4)
  }

  @Test(arguments: formats.indices)
  func `everything comes back as it was`(_ index: Int) throws {
    let (format, text, more) = Self.formats[index]
    let data = try open(format, text, more)
    let again = try Dataset(unpacking: #require(data.packed))
    #expect(again.vocabulary == data.vocabulary && again.outputs == data.outputs)
    #expect(again.source == data.source && again.interface == data.interface)
    #expect(again.conditions == data.conditions)
    #expect(again.hash == data.hash)
    for (a, b) in [(data.train, again.train), (data.valid, again.valid), (data.test, again.test)]
      as [(Split?, Split?)]
    {
      guard let a = a?.examples, let b = b?.examples else {
        #expect(a == nil && b == nil)
        continue
      }
      #expect(type(of: a) == type(of: b))
      #expect(a.name == b.name && a.shape == b.shape && a.longest == b.longest)
      #expect(a.hash == b.hash && a.count == b.count && a.count > 0)
      for i in 0..<a.count { #expect(a.example(i, epoch: 1) == b.example(i, epoch: 1)) }
      #expect((a as? ListedSequences)?.trees == (b as? ListedSequences)?.trees)
      #expect((a as? ListedTrees)?.trees == (b as? ListedTrees)?.trees)
    }
  }

  @Test func `every property of an example is packed`() {
    // A new one has to be packed too, and then comes here.
    let names = Mirror(reflecting: Example()).children.compactMap(\.label)
    #expect(
      Set(names) == [
        "inputs", "frames", "targets", "values", "condition", "classes", "source", "sourceFrames",
      ])
    let shape = Mirror(reflecting: ExampleShape()).children.compactMap(\.label)
    #expect(Set(shape) == ["widths", "hasSource", "sourceWidth", "isEven"])
    let widths = Mirror(reflecting: Batch.Widths()).children.compactMap(\.label)
    #expect(Set(widths) == ["features", "values", "condition", "classes"])
  }

  @Test func `a text and a generated task are not packed`() throws {
    let path = folder.write("text", "some text to read\n")
    let text = try Dataset(
      DataOptions(train: Paths([path])), vocabulary: nil, cache: folder.cache, writing: true)
    #expect(text.packed == nil)
    let task = try JSONDecoder().decode(DataOptions.self, from: Data(#"{"task": "reber"}"#.utf8))
    #expect(try Dataset(task, cache: folder.cache, writing: true).packed == nil)
  }
}
