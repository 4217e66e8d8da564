import Datasets
internal import Foundation
import LinearAlgebra
import Recurrence
import Testing

/// One sequence's part of a window, copied out of the batch.
private struct Part: Equatable {
  var key: Int32, length: Int32
  var inputs: [Int32], targets: [Int32], resets: [UInt8]
  var features: [Real], values: [Real], condition: [Real]
  var source: [Int32], sourceLength: Int32, sourceResets: [UInt8], sourceKey: Int32
}

private struct Window: Equatable {
  var steps: Int, epoch: Int, position: Int, startsAnew: Bool, hasResets: Bool
  var parts: [Part]

  init(_ batch: Batch, startsAnew: Bool) {
    (steps, epoch, position) = (batch.steps, batch.epoch, batch.position)
    (self.startsAnew, hasResets) = (startsAnew, batch.hasResets)
    let (steps, streams) = (batch.steps, batch.streams)
    func column<T>(_ buffer: Buffer<T>, _ s: Int, _ steps: Int, _ width: Int = 1) -> [T] {
      (0..<steps).flatMap { t in
        (0..<width).map { buffer.elements()[(t * streams + s) * width + $0] }
      }
    }
    parts = (0..<streams).map { s in
      Part(
        key: batch.keys.elements()[s], length: batch.lengths.elements()[s],
        inputs: column(batch.inputs, s, steps), targets: column(batch.targets, s, steps),
        resets: column(batch.resets, s, steps), features: column(batch.features, s, steps, 2),
        values: column(batch.values, s, steps, 3), condition: column(batch.condition, s, 1),
        source: batch.source.map { column($0.inputs, s, $0.steps) } ?? [],
        sourceLength: batch.source?.lengths.elements()[s] ?? 0,
        sourceResets: batch.source.map { column($0.resets, s, $0.steps) } ?? [],
        sourceKey: batch.source?.keys.elements()[s] ?? -1)
    }
  }
}

private func windows(_ loader: SequenceLoader, _ count: Int) -> [Window] {
  let batch = loader.makeBatch()
  return (0..<count).map { _ in
    // Whatever was there before must not show.
    for i in 0..<batch.inputs.count {
      batch.inputs.elements()[i] = 9
      batch.resets.elements()[i] = 1
      for j in 0..<2 { batch.features.elements()[2 * i + j] = 9 }
    }
    if let source = batch.source {
      for i in 0..<source.inputs.count { source.inputs.elements()[i] = 9 }
    }
    let (startsAnew, carried) = (loader.startsAnew, loader.carried)
    loader.next(into: batch)
    let window = Window(batch, startsAnew: startsAnew)
    #expect(startsAnew == (window.position == 0))
    // One variational mask for all windows of a sequence.
    #expect(batch.origin == batch.position)
    #expect(carried.total == 0 || !startsAnew)
    // Where all of a rank's sequences are over, others may go on.
    if !startsAnew, !window.parts.isEmpty { #expect(carried.share.count == window.parts.count) }
    if !window.parts.isEmpty {
      #expect(
        loader.windowSizes.contains {
          $0.steps >= window.steps && $0.streams >= window.parts.count
            && $0.sourceSteps >= (batch.source?.steps ?? 0)
        })
    }
    return window
  }
}

private func epoch(_ loader: SequenceLoader) -> [Window] { windows(loader, loader.windowsPerEpoch) }

private let lengths = [5, 2, 9, 4, 4, 7, 1, 3, 4, 6, 9]
private let sources = [3, 8, 2, 5, 6, 1, 4, 4, 2, 7, 3]

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

  func loader(
    _ request: LoaderRequest, rank: Int = 0, world: Int = 1, fresh: Bool = false,
    sources: [Int] = sources
  ) throws -> SequenceLoader {
    var request = request
    (request.rank, request.world, request.allowsEmptyShare) = (rank, world, true)
    return try SequenceLoader(
      ListedExamples(lengths: lengths, sources: sources, isFresh: fresh), request)
  }

  @Test(arguments: requests, 1...3)
  func `Every sequence is read once an epoch`(_ request: LoaderRequest, _ world: Int) throws {
    for fresh in [false, true] where !fresh || request.seed != nil {
      let loaders = try (0..<world).map {
        try loader(request, rank: $0, world: world, fresh: fresh)
      }
      for number in 1...3 {
        let all = loaders.flatMap { epoch($0) }
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
        let set = ListedExamples(lengths: lengths, sources: sources, isFresh: fresh)
        for i in lengths.indices {
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
    let alone = try loader(request)
    let ranks = try (0..<world).map { try loader(request, rank: $0, world: world) }
    #expect(ranks.allSatisfy { $0.windowsPerEpoch == alone.windowsPerEpoch })
    let together = ranks.map { windows($0, 2 * alone.windowsPerEpoch) }
    for (number, window) in windows(alone, 2 * alone.windowsPerEpoch).enumerated() {
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
    let loader = try loader(LoaderRequest(batchSize: 4, isBucketed: false))
    let read = epoch(loader)
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
    let read = epoch(
      try loader(LoaderRequest(batchSize: 4, bptt: 4, isBucketed: false), sources: []))
    #expect(read.map(\.steps) == [4, 4, 1, 4, 3, 4, 4, 1])
    #expect(read.map(\.position) == [0, 4, 8, 0, 4, 0, 4, 8])
    #expect(read.map(\.startsAnew) == [true, false, false, true, false, true, false, false])
    #expect(read[1].parts.map(\.length) == [1, 0, 4, 0])
    #expect(read[1].parts[0].inputs == [104, 0, 0, 0])
    #expect(read[1].parts[1].targets == Array(repeating: Batch.noTarget, count: 4))
    #expect(read[2].parts[2].features == [3016, 3017])
  }

  @Test func `Shuffled batches have as many windows in every epoch, the last ones empty`() throws {
    let loader = try loader(LoaderRequest(batchSize: 2, bptt: 2, isBucketed: false, seed: 1))
    #expect(loader.windowsPerEpoch == 6 * 5)
    let read = epoch(loader)
    #expect(read.contains { $0.parts.isEmpty && !$0.hasResets && !$0.startsAnew })
  }

  @Test(arguments: requests) func `A cursor brings back the same windows`(
    _ request: LoaderRequest
  ) throws {
    let first = try loader(request)
    let count = 2 * first.windowsPerEpoch
    var cursors: [StreamCursor] = []
    var carried: [Int] = []
    let read = (0..<count).map { _ in
      cursors.append(first.cursor)
      carried.append(first.carried.total)
      return windows(first, 1)[0]
    }
    let second = try loader(request)
    for (number, cursor) in cursors.enumerated().reversed() {
      let saved = try JSONEncoder().encode(cursor)
      try second.seek(JSONDecoder().decode(StreamCursor.self, from: saved))
      #expect(second.cursor == cursor && second.startsAnew == read[number].startsAnew)
      #expect(second.carried.total == carried[number])
      #expect(windows(second, min(3, count - number)) == Array(read[number...].prefix(3)))
    }
    second.rewind()
    #expect(windows(second, count) == read)
    for cursor in [(0, 0), (1, -1), (1, first.windowsPerEpoch)] {
      #expect(throws: DataError.self) {
        try second.seek(StreamCursor(epoch: cursor.0, position: cursor.1))
      }
    }
  }

  @Test func `The order is another in each epoch and for each seed, and always the same`() throws {
    func keys(_ seed: UInt64?, _ bucketed: Bool) throws -> [[Int32]] {
      let loader = try loader(LoaderRequest(batchSize: 2, isBucketed: bucketed, seed: seed))
      return (0..<3).map { _ in epoch(loader).flatMap { $0.parts.map(\.key) } }
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
    let loader = try loader(LoaderRequest(batchSize: 3, seed: 4), sources: [])
    let epochs = (0..<8).map { _ in epoch(loader) }
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

  @Test(arguments: [true, false], [9, 16, 18, 27])
  func `A budget of steps × sequences is kept and used`(_ bucketed: Bool, _ budget: Int) throws {
    for seed in [nil, 7] as [UInt64?] {
      let loader = try loader(
        LoaderRequest(batchSize: 1, batchTokens: budget, isBucketed: bucketed, seed: seed))
      for _ in 0..<3 {
        for window in epoch(loader) {
          let steps = max(window.steps, window.parts[0].source.count)
          #expect(steps * window.parts.count <= budget)
        }
        #expect(loader.isAtEpochStart)
      }
      // Where lengths are known beforehand, a batch ends only before what it has no room for; else
      // each has room for as many of the longest.
      let sizes = zip(lengths, sources).map { ($0, $1) }
      func place(_ size: (Int, Int)) -> (Int, Int) {
        (size.0, size.0 % 2 == 0 ? -size.1 : size.1)
      }
      let order = bucketed ? sizes.sorted { place($0) < place($1) } : sizes
      var (batches, count, most) = (0, 0, 0)
      for (steps, source) in order {
        let wider = max(most, steps, source)
        let fits = bucketed || seed == nil ? wider * (count + 1) <= budget : count < budget / 9
        (batches, count, most) =
          fits && batches > 0 ? (batches, count + 1, wider) : (batches + 1, 1, max(steps, source))
      }
      #expect(loader.windowsPerEpoch == batches)
    }
  }

  @Test func `A long sequence does not narrow the batches behind its own`() throws {
    let set = ListedExamples(lengths: [9] + Array(repeating: 1, count: 9))
    let loader = try SequenceLoader(
      set, LoaderRequest(batchSize: 1, batchTokens: 9, isBucketed: false))
    #expect(epoch(loader).map(\.parts.count) == [1, 9])
  }

  @Test(arguments: [true, false])
  func `A sequence longer than the budget is a batch by itself where that is allowed`(
    _ bucketed: Bool
  ) throws {
    for lengths in [[9, 2, 1, 3, 2], [2, 1, 9, 3, 2], [1, 2, 2, 3, 9], [9]] {
      var request = LoaderRequest(batchSize: 1, batchTokens: 6, isBucketed: bucketed)
      request.allowsLongSequences = true
      let loader = try SequenceLoader(ListedExamples(lengths: lengths), request)
      let read = epoch(loader)
      #expect(read.flatMap { $0.parts.map(\.key) }.count == lengths.count)
      for window in read where window.parts.count > 1 {
        #expect(window.steps * window.parts.count <= 6)
      }
      #expect(read.count { $0.steps == 9 && $0.parts.count == 1 } == 1)
    }
    // Sequences of the same length, each longer than the budget.
    var request = LoaderRequest(batchSize: 1, batchTokens: 6)
    request.allowsLongSequences = true
    let even = ListedExamples(lengths: [9, 9], isEven: true)
    #expect(try epoch(SequenceLoader(even, request)).map(\.parts.count) == [1, 1])
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
    #expect(epoch(loader).allSatisfy { !$0.hasResets })
    #expect(
      try SequenceLoader(ListedExamples(lengths: [3, 4]), LoaderRequest(batchSize: 1)).mayReset)
  }
}
