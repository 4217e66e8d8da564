import Datasets
internal import Foundation
import LinearAlgebra
import Recurrence
import Sequences
import Testing

@Suite struct `Loaders of sequences` {
  /// Every way of making batches.
  static let requests: [LoaderRequest] = [
    LoaderRequest(batchSize: 4, seed: 3), LoaderRequest(batchSize: 4, isBucketed: false, seed: 3),
    LoaderRequest(batchSize: 3, bptt: 2, seed: 5),
    LoaderRequest(batchSize: 3, bptt: 4, isBucketed: false, seed: 5),
    LoaderRequest(batchSize: 4, isBucketed: false), LoaderRequest(batchSize: 5, bptt: 3),
    LoaderRequest(batchSize: 5, bptt: 3, isBucketed: false),
    LoaderRequest(batchSize: 1, batchTokens: 20, seed: 2),
    LoaderRequest(batchSize: 1, bptt: 3, batchTokens: 18, isBucketed: false, seed: 2),
    LoaderRequest(batchSize: 1, batchTokens: 20, isBucketed: false),
  ]

  @Test(arguments: requests, 1...3)
  func `Every sequence is read once an epoch`(_ request: LoaderRequest, _ world: Int) throws {
    for fresh in [false, true] where !fresh || request.seed != nil {
      let loaders = try (0..<world).map {
        try ElevenSequences.loader(request, rank: $0, world: world, fresh: fresh)
      }
      for number in 1...3 {
        let all = loaders.flatMap { readEpoch($0) }
        #expect(all.allSatisfy { $0.epoch == number })
        let parts = all.flatMap(\.parts)
        var read: [Int32: Example] = [:]
        for part in parts {
          let length = Int(part.length)
          var example = read[part.key] ?? Example()
          example.inputs += part.inputs.prefix(length)
          example.targets += part.targets.prefix(length)
          example.frames += part.features.prefix(2 * length)
          example.values += part.values.prefix(3 * length)
          example.condition = part.condition
          // Every window has the whole source.
          example.source = Array(part.source.prefix(Int(part.sourceLength)))
          read[part.key] = example
          #expect(part.sourceKey == part.key)
        }
        let set = ListedExamples(
          lengths: ElevenSequences.lengths, sources: ElevenSequences.sources, isFresh: fresh)
        for i in ElevenSequences.lengths.indices {
          #expect(read[Int32(i)] == set.example(i, epoch: number))
        }
        #expect(loaders.allSatisfy { $0.cursor == StreamCursor(epoch: number + 1) })
        #expect(loaders.allSatisfy { $0.isAtEpochStart && $0.startsAnew })
      }
    }
  }

  @Test(arguments: requests, 2...5)
  func `Any number of ranks together read what one reads`(
    _ request: LoaderRequest, _ world: Int
  ) throws {
    let alone = try ElevenSequences.loader(request)
    let ranks = try (0..<world).map { try ElevenSequences.loader(request, rank: $0, world: world) }
    #expect(ranks.allSatisfy { $0.windowsPerEpoch == alone.windowsPerEpoch })
    let together = ranks.map { readWindows($0, 2 * alone.windowsPerEpoch) }
    for (number, window) in readWindows(alone, 2 * alone.windowsPerEpoch).enumerated() {
      let parts = together.map { $0[number] }
      #expect(parts.flatMap(\.parts) == window.parts)
      let counts = parts.map(\.parts.count)
      #expect(counts.max()! - counts.min()! <= 1, "as even as can be")
      for part in parts {
        #expect(part.steps == window.steps && part.position == window.position)
        #expect(part.epoch == window.epoch)
      }
    }
  }

  @Test func `A batch is padded to its longest sequence, and its sources to theirs`() throws {
    let loader = try ElevenSequences.loader(LoaderRequest(batchSize: 4, isBucketed: false))
    let read = readEpoch(loader)
    #expect(read.map(\.parts.count) == [4, 4, 3] && read.map(\.steps) == [9, 7, 9])
    let (window, part) = (read[0], read[0].parts[1])
    #expect(window.hasResets && window.position == 0)
    #expect(part.key == 1 && part.length == 2 && part.sourceLength == 8)
    #expect(part.inputs == [200, 201] + Array(repeating: 0, count: 7))
    #expect(part.targets == [201, 202] + Array(repeating: Batch.noTarget, count: 7))
    #expect(part.resets == [0, 0] + Array(repeating: 1, count: 7))
    #expect(part.features == [2000, 2001, 2002, 2003] + Array(repeating: 0, count: 14))
    #expect(part.values == (0..<6).map { Real(2300 + $0) } + Array(repeating: 0, count: 21))
    #expect(part.condition == [1.5])
    #expect(part.source == (1000..<1008).map { Int32($0) })
    #expect(window.parts[0].source == [500, 501, 502, 0, 0, 0, 0, 0])
    #expect(window.parts[0].sourceResets == [0, 0, 0, 1, 1, 1, 1, 1])
    #expect(window.parts[2].resets == Array(repeating: 0, count: 9))
  }

  @Test func `A batch is cut into windows, the first of which starts anew`() throws {
    let read = readEpoch(
      try ElevenSequences.loader(
        LoaderRequest(batchSize: 4, bptt: 4, isBucketed: false), sources: []))
    #expect(read.map(\.steps) == [4, 4, 1, 4, 3, 4, 4, 1])
    #expect(read.map(\.position) == [0, 4, 8, 0, 4, 0, 4, 8])
    #expect(read.map(\.startsAnew) == [true, false, false, true, false, true, false, false])
    #expect(read[1].parts.map(\.length) == [1, 0, 4, 0])
    #expect(read[1].parts[0].inputs == [104, 0, 0, 0])
    #expect(read[1].parts[1].targets == Array(repeating: Batch.noTarget, count: 4))
    #expect(read[2].parts[2].features == [3016, 3017])
  }

  @Test func `Shuffled batches have as many windows in every epoch, the last ones empty`() throws {
    let loader = try ElevenSequences.loader(
      LoaderRequest(batchSize: 2, bptt: 2, isBucketed: false, seed: 1))
    #expect(loader.windowsPerEpoch == 6 * 5)
    let read = readEpoch(loader)
    #expect(read.contains { $0.parts.isEmpty && !$0.hasResets && !$0.startsAnew })
  }

  @Test(arguments: requests) func `A cursor brings back the same windows`(
    _ request: LoaderRequest
  ) throws {
    let first = try ElevenSequences.loader(request)
    let count = 2 * first.windowsPerEpoch
    var cursors: [StreamCursor] = []
    var carried: [Int] = []
    let read = (0..<count).map { _ in
      cursors.append(first.cursor)
      carried.append(first.carried.total)
      return readWindows(first, 1)[0]
    }
    let second = try ElevenSequences.loader(request)
    for (number, cursor) in cursors.enumerated().reversed() {
      let saved = try JSONEncoder().encode(cursor)
      try second.seek(JSONDecoder().decode(StreamCursor.self, from: saved))
      #expect(second.cursor == cursor && second.startsAnew == read[number].startsAnew)
      #expect(second.carried.total == carried[number])
      #expect(readWindows(second, min(3, count - number)) == Array(read[number...].prefix(3)))
    }
    second.rewind()
    #expect(readWindows(second, count) == read)
    for cursor in [(0, 0), (1, -1), (1, first.windowsPerEpoch)] {
      #expect(throws: DataError.self) {
        try second.seek(StreamCursor(epoch: cursor.0, position: cursor.1))
      }
    }
  }

  @Test func `The order is another in each epoch and for each seed, and always the same`() throws {
    func keys(_ seed: UInt64?, _ bucketed: Bool) throws -> [[Int32]] {
      let loader = try ElevenSequences.loader(
        LoaderRequest(batchSize: 2, isBucketed: bucketed, seed: seed))
      return (0..<3).map { _ in readEpoch(loader).flatMap { $0.parts.map(\.key) } }
    }
    for bucketed in [false, true] {
      let order = try keys(1, bucketed)
      #expect(Set(order).count == 3)
      #expect(try keys(1, bucketed) == order && keys(2, bucketed) != order)
      #expect(Set(try keys(nil, bucketed)).count == 1)
    }
    #expect(try keys(nil, false)[0] == Array(0..<11))
  }

  @Test func `Buckets put like lengths together and shuffle those that are alike`() throws {
    let loader = try ElevenSequences.loader(LoaderRequest(batchSize: 3, seed: 4), sources: [])
    let epochs = (0..<8).map { _ in readEpoch(loader) }
    for windows in epochs {
      let sorted = windows.map { $0.parts.map(\.length).sorted() }.sorted { $0[0] < $1[0] }
      #expect(sorted == [[1, 2, 3], [4, 4, 4], [5, 6, 7], [9, 9]])
    }
    #expect(Set(epochs.map { $0.map(\.steps) }).count > 2, "the order of batches")
    let like = epochs.map { windows in
      windows.first { $0.steps == 4 }!.parts.map(\.key)
    }
    #expect(Set(like).count > 1 && Set(like.flatMap { $0 }) == [3, 4, 8])
    let pairs = epochs.map { windows in windows.first { $0.steps == 9 }!.parts.map(\.key) }
    #expect(Set(pairs) == [[2, 10], [10, 2]])
  }

  @Test func `What cannot be read is refused`() throws {
    func refusal(_ lengths: [Int], _ request: LoaderRequest) -> String {
      let error = #expect(throws: DataError.self) {
        try SequenceLoader(ListedExamples(lengths: lengths), request)
      }
      return error?.message ?? ""
    }
    #expect(refusal([], LoaderRequest(batchSize: 1)).contains("no sequences"))
    #expect(refusal([3], LoaderRequest(batchSize: 0)).contains("batch_size is 0"))
    #expect(refusal([3], LoaderRequest(batchSize: 2, world: 3)).contains("3 processes"))
    #expect(
      refusal([3, 8], LoaderRequest(batchSize: 2, batchTokens: 7)).contains("give 8 or more"))
  }

  @Test func `Sequences of the same length need no resets`() throws {
    let even = ListedExamples(lengths: Array(repeating: 3, count: 5), isEven: true)
    let loader = try SequenceLoader(even, LoaderRequest(batchSize: 2, bptt: 2, seed: 1))
    #expect(!loader.mayReset && loader.windowsPerEpoch == 6)
    #expect(readEpoch(loader).allSatisfy { !$0.hasResets })
    #expect(
      try SequenceLoader(ListedExamples(lengths: [3, 4]), LoaderRequest(batchSize: 1)).mayReset)
  }
}
