import Datasets
import Foundation
import LinearAlgebra
import Recurrence
import Sequences
import TestSupport
import Testing

/// Data for models that say by themselves where sequences end.
@Suite struct `Sequences that ask for their ends` {
  let folder = TemporaryFolder()

  private func open(_ json: String) throws -> Dataset {
    let options = try JSONDecoder().decode(DataOptions.self, from: Data(json.utf8))
    return try Dataset(options, cache: folder.cache, writing: true)
  }

  private func lines(_ train: String, valid: String) throws -> Dataset {
    let (train, valid) = (folder.write("train.txt", train), folder.write("valid.txt", valid))
    return try open(#"{"format": "lines", "train": "\#(train)", "valid": "\#(valid)"}"#)
  }

  private func series(_ text: String, _ columns: String) throws -> Dataset {
    let path = folder.write("series.csv", text)
    return try open(
      #"{"format": "csv", "train": "\#(path)", "columns": {\#(columns)}}"#)
  }

  private func examples(_ part: Split?) throws -> [Example] {
    let set = try #require(part?.examples)
    return (0..<set.count).map { index in
      let example = set.example(index, epoch: 1)
      #expect(set.steps(of: index, epoch: 1).steps == example.steps)
      #expect(set.longest.steps >= example.steps)
      return example
    }
  }

  @Test(arguments: [EndOfSequence.halt, .length()])
  func `do so in place of a symbol`(end: EndOfSequence) throws {
    let data = try lines("b a b\na\n", valid: "a b\n")
    let ended = try data.ending(by: end)
    // <unk>, <s>, </s>, b, a
    #expect(data.interface.ends == TaskSignature.Ends(symbol: 2, longest: 3))
    #expect(ended.interface == data.interface && ended.hash == data.hash)
    let (before, after) = (try examples(data.train), try examples(ended.train))
    #expect(after.map(\.inputs) == before.map(\.inputs))
    #expect(after.map(\.targets) == before.map { $0.targets.dropLast() + [Batch.end] })
    #expect(after.map(\.outputs) == [3, 1])
    #expect(try examples(ended.valid).map(\.outputs) == [2])
    #expect(try examples(data.ending(by: .symbol).train) == before)
  }

  @Test func `do so after all numbers, at a step that reads the last of them`() throws {
    let data = try series(
      "1,2,3,4\n3,4,5,6\n\n7,8,0,1\n", #""inputs": [1, 2], "targets": [3, 4]"#)
    #expect(data.interface.ends == TaskSignature.Ends(longest: 2))
    let found = try examples(data.ending(by: .halt).train)
    #expect(found.map(\.frames) == [[1, 2, 3, 4, 5, 6], [7, 8, 0, 1]])
    #expect(found.map(\.values) == [[3, 4, 5, 6, 0, 0], [0, 1, 0, 0]])
    #expect(found.map(\.targets) == [[0, 0, Batch.end], [0, Batch.end]])
    #expect(found.map(\.outputs) == [2, 1])
  }

  @Test func `are none where something else is read`() throws {
    for columns in [#""inputs": [1, 2], "targets": [3, 4]"#, #""inputs": [1], "targets": [2, 3]"#] {
      let data = try series("1,2,3,4\n3,5,5,6\n", columns)
      #expect(data.interface.ends == nil)
      #expect(try data.ending(by: .halt).train.examples?.longest.steps == 2)
      let error = #expect(throws: DataError.self) {
        try data.ending(by: .halt, known: TaskSignature.Ends(longest: 2))
      }
      #expect(error?.message.contains("not the targets") == true)
    }
  }

  @Test func `are refused where they could have no probability`() throws {
    let longer = try lines("b a b\na\n", valid: "a b a b\n")
    let error = #expect(throws: DataError.self) { try longer.ending(by: .length()) }
    #expect(error?.message.contains("a sequence of 4 outputs") == true)
    #expect(error?.message.contains("at most 3") == true)
    #expect(try longer.ending(by: .length(longest: 9)).interface.ends?.longest == 9)
    #expect(throws: DataError.self) { try longer.ending(by: .length(longest: 2)) }
    _ = try longer.ending(by: .halt)
    _ = try longer.ending(by: .length(), known: TaskSignature.Ends(symbol: 2, longest: 4))
    let inside = try lines("b a b\na </s> b\n", valid: "a b\n")
    let second = #expect(throws: DataError.self) { try inside.ending(by: .halt) }
    #expect(second?.message.contains("sequence 2 of") == true)
    // Of several ranks, the one whose share it is in.
    for world in 2...3 {
      let found = (0..<world).filter { rank in
        (try? inside.ending(by: .halt, checking: (rank, world))) == nil
      }
      #expect(found == [1])
    }
  }

  @Test func `tell their whole number of outputs in every window`() throws {
    let data = try lines("a b a b a\nb\na b a\n", valid: "a\n").ending(by: .length())
    let loader = try data.train.loader(LoaderRequest(batchSize: 3, bptt: 2, isBucketed: false))
    let batch = loader.makeBatch()
    var ends: [Int32: Int] = [:]
    for window in 0..<loader.windowsPerEpoch {
      loader.next(into: batch)
      #expect(batch.position == 2 * window)
      #expect(Array(batch.totals.elements(count: 3)) == [5, 1, 3])
      for row in 0..<batch.rows where batch.targets.elements()[row] == Batch.end {
        ends[batch.totals.elements()[row % 3]] = batch.position + row / 3
      }
    }
    #expect(ends == [5: 5, 1: 1, 3: 3])
  }
}
