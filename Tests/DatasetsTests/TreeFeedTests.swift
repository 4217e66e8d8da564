import Datasets
internal import Foundation
import LinearAlgebra
import Recurrence
import Sequences
internal import TestSupport
import Testing

/// Batches of trees: who reads which, in which order, and what becomes of the trees of a file.
@Suite struct `Batches of trees` {
  let folder = TemporaryFolder()

  /// Trees of 1 to 9 words whose root's label and first word are their own.
  static let text = (1...23).map { number -> String in
    (0..<(number * 7 % 9)).reduce("(\(number) w\(number))") { tree, _ in
      "(\(number) \(tree) (0 and))"
    }
  }.joined(separator: "\n")

  func open(
    _ view: String, _ text: String = text, valid: String? = nil
  ) throws -> Dataset {
    let train = folder.path + "/train.txt"
    try Data(text.utf8).write(to: URL(filePath: train))
    var json = #"{"format": "trees", "train": "\#(train)", \#(view)"#
    if let valid {
      try Data(valid.utf8).write(to: URL(filePath: folder.path + "/valid.txt"))
      json += #", "valid": "\#(folder.path)/valid.txt""#
    }
    let options = try JSONDecoder().decode(DataOptions.self, from: Data((json + "}").utf8))
    return try Dataset(options, cache: folder.path, writing: true)
  }

  /// Returns the epoch, the labels of the roots and the keys of some batches of a rank.
  private func read(_ loader: any BatchLoader, _ count: Int) -> [[Int]] {
    let batch = loader.makeBatch()
    return (0..<count).map { _ in
      loader.next(into: batch)
      guard batch.streams > 0 else { return [batch.epoch] }
      #expect(batch.steps == 1 && batch.streams <= loader.windowSizes[0].streams)
      let forest = batch.forest!
      var isChild = Set<Int32>()
      for row in 0..<batch.rows {
        for child in [forest.left.elements()[row], forest.right.elements()[row]] where child >= 0 {
          #expect(isChild.insert(child).inserted)
        }
      }
      let roots = (0..<batch.rows).filter { !isChild.contains(Int32($0)) }
      return [batch.epoch]
        + roots.map { Int(batch.keys.elements()[$0]) * 100 + Int(batch.targets.elements()[$0]) }
        .sorted()
    }
  }

  @Test(arguments: [nil, 40])
  func `hold every tree once an epoch, on any number of ranks`(budget: Int?) throws {
    let part = try open(#""view": "nodes""#).train
    func request(_ rank: Int = 0, of world: Int = 1) -> LoaderRequest {
      LoaderRequest(
        batchSize: 5, batchTokens: budget, seed: 3, rank: rank, world: world)
    }
    let alone = try part.loader(request())
    let count = alone.windowsPerEpoch
    #expect(alone is TreeLoader && (budget != nil || count == 5))
    let whole = read(alone, 2 * count)
    let first = whole.prefix(count).flatMap { $0.dropFirst() }
    let second = whole.suffix(count).flatMap { $0.dropFirst() }
    #expect(first.count == 23 && Set(first).count == 23)
    #expect(first != second && Set(first) == Set(second))
    #expect(whole.prefix(count).allSatisfy { $0[0] == 1 } && whole.last![0] == 2)
    for world in 2...4 {
      let parts = try (0..<world).map { read(try part.loader(request($0, of: world)), 2 * count) }
      for k in whole.indices {
        #expect(parts.flatMap { $0[k].dropFirst() }.sorted() == Array(whole[k].dropFirst()))
      }
    }
  }

  @Test func `go on where a cursor says`() throws {
    let part = try open(#""view": "nodes""#).train
    let request = LoaderRequest(batchSize: 4, seed: 3)
    let whole = read(try part.loader(request), 15)
    for stop in [1, 5, 6, 13] {
      let first = try part.loader(request)
      _ = read(first, stop)
      let second = try part.loader(request)
      try second.seek(first.cursor)
      #expect(second.isAtEpochStart == stop.isMultiple(of: 6))
      #expect(read(second, 15 - stop) == Array(whole.dropFirst(stop)))
      second.rewind()
      #expect(read(second, 15) == whole)
    }
    let loader = try part.loader(request)
    #expect(throws: DataError.self) { try loader.seek(StreamCursor(epoch: 1, position: 6)) }
  }

  @Test func `fold more than two children from the left, and keep a node with one`() throws {
    let data = try open(
      #""view": "nodes", "test_view": "tree""#, "(1 (2 a) (3 b) (1 c) (2 d))\n(3 (2 (1 a)))",
      valid: "(1 (2 a) (3 (1 b)))")
    #expect(data.interface.isTree && !data.interface.asksOnce)
    let trees = try #require(data.train.examples as? ListedTrees).trees
    let nothing = Batch.noTarget
    #expect(
      trees[0].nodes.map { [$0.label, $0.left, $0.right] } == [
        [1, -1, -1], [2, -1, -1], [0, -1, -1], [1, -1, -1], [nothing, 0, 1], [nothing, 4, 2],
        [0, 5, 3],
      ])
    #expect(
      trees[1].nodes.map { [$0.label, $0.left, $0.right] }
        == [[0, -1, -1], [1, 0, -1], [2, 1, -1]])
    let measured = try #require(data.valid?.examples as? ListedTrees).trees
    #expect(measured[0].nodes.map(\.label) == [nothing, nothing, nothing, 0])
  }

  @Test func `are refused where a request does not fit`() throws {
    let part = try open(#""view": "nodes""#).train
    for (request, words) in [
      (LoaderRequest(batchSize: 1, rank: 1, world: 2), "without a tree"),
      (LoaderRequest(batchSize: 4, bptt: 3), "remove it"),
      (LoaderRequest(batchSize: 4, batchTokens: 5), "has no room"),
    ] {
      do {
        _ = try part.loader(request)
        Issue.record("\(request) was taken")
      } catch {
        #expect(error.description.contains(words), "\(error)")
      }
    }
  }
}
