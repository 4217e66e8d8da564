import Datasets
internal import Foundation
import LinearAlgebra
import Sequences
internal import TestSupport
import Testing

/// The symbols and resets of the streams of some ranks in a window.
private struct Columns: Equatable {
  var steps = 0, position = 0
  var inputs: [[Int32]] = [], targets: [[Int32]] = [], resets: [[UInt8]] = []

  mutating func add(_ batch: Batch) {
    (steps, position) = (batch.steps, batch.position)
    let streams = batch.streams
    func columns<T>(_ buffer: Buffer<T>) -> [[T]] {
      (0..<streams).map { s in (0..<batch.steps).map { buffer.elements()[$0 * streams + s] } }
    }
    inputs += columns(batch.inputs)
    targets += columns(batch.targets)
    resets += columns(batch.resets)
    #expect(batch.hasResets == columns(batch.resets).contains { $0.contains(1) })
  }
}

private func windows(_ loaders: [any BatchLoader], _ count: Int) -> [Columns] {
  (0..<count).map { _ in
    var columns = Columns()
    for loader in loaders {
      let batch = loader.makeBatch()
      // Whatever was there before must not show.
      for i in 0..<batch.resets.count { batch.resets.elements()[i] = 1 }
      loader.next(into: batch)
      columns.add(batch)
    }
    return columns
  }
}

/// The symbols that a stream reads in some windows, with its first input.
private func sequence(_ windows: [Columns], _ stream: Int) -> [Int32] {
  [windows[0].inputs[stream][0]] + windows.flatMap { $0.targets[stream] }
}

@Suite struct `Mixtures of corpora` {
  let folder = TemporaryFolder()

  /// Documents of letters, of digits and of signs, one per line, of different lengths.
  static let alphabets = ["abcdefgh", "0123", "+-*"]
  static func lines(_ count: Int, _ alphabet: String) -> String {
    let letters = Array(alphabet)
    var state: UInt32 = 9
    return (0..<count).map { number in
      state = state &* 1_664_525 &+ 1_013_904_223
      let length = 1 + Int(state >> 24) % 12
      return String((0..<length).map { letters[(number * 7 + $0 * $0) % letters.count] }) + "\n"
    }.joined()
  }

  func mixture(
    _ weights: [Double], lines: [Int] = [150, 90, 40], document: DocumentBoundary = .reset
  ) throws -> Split {
    let entries = weights.indices.map { folder.path + "/\($0)" }
    for (number, path) in entries.enumerated() {
      try writeShard(path + "/a.tokens", of: Self.lines(lines[number], Self.alphabets[number]))
    }
    return try Dataset(
      DataOptions(train: Paths(entries, weights: weights), document: document), cache: folder.cache,
      writing: true
    ).train
  }

  func loader(
    _ split: Split, batchSize: Int = 5, bptt: Int = 7, seed: UInt64 = 3, rank: Int = 0,
    world: Int = 1
  ) throws -> any BatchLoader {
    try split.loader(
      LoaderRequest(batchSize: batchSize, bptt: bptt, seed: seed, rank: rank, world: world))
  }

  @Test func `Each pass over a corpus reads every block once, in an order of its own`() throws {
    let path = folder.path + "/one/a.tokens"
    let symbols = String(String.UnicodeScalarView((0..<127).map { Unicode.Scalar($0)! }))
    try writeShard(path, of: symbols, document: .none)
    let split = try Dataset(
      DataOptions(train: Paths([path], weights: [2])), cache: folder.cache, writing: true
    ).train
    func passes(_ seed: UInt64) throws -> [[Int32]] {
      let read = windows([try loader(split, batchSize: 1, bptt: 127, seed: seed)], 20)
      return (0..<19).map { Array(sequence(read, 0)[$0 * 127..<($0 + 1) * 127]) }
    }
    let read = try passes(1)
    for pass in read { #expect(pass.sorted() == Array(0..<127)) }
    // 127 symbols are three blocks, of which there are six orders.
    #expect(Set(read).count == 6)
    #expect(try passes(1) == read)
    #expect(try passes(2) != read)
  }

  @Test func `Every stream reads each corpus in proportion to its weight`() throws {
    let weights = [7.0, 2, 1]
    let read = windows([try loader(mixture(weights), batchSize: 4)], 900)
    for stream in 0..<4 {
      let symbols = sequence(read, stream).filter { $0 != 10 }
      for (alphabet, weight) in zip(Self.alphabets, weights) {
        let own = symbols.count { Array(alphabet.utf8).contains(UInt8($0)) }
        // The alphabets have documents of about the same lengths.
        #expect(abs(Double(own) / Double(symbols.count) - weight / 10) < 0.02)
      }
    }
    // The streams begin with different corpora.
    let first = Set((0..<4).map { read[0].inputs[$0][0] })
    #expect(first.count > 1)
  }

  @Test func `Any number of ranks and micro-batches read what one rank reads`() throws {
    let split = try mixture([0.6, 0.3, 0.1])
    let alone = windows([try loader(split)], 80)
    for world in 2...5 {
      let ranks = try (0..<world).map { try loader(split, rank: $0, world: world) }
      #expect(windows(ranks, 80) == alone)
    }
    var request = LoaderRequest(batchSize: 5, bptt: 7, seed: 3, rank: 0, world: 1)
    request.seed = 3
    #expect(windows(try split.loaders(request, microBatches: 3), 80) == alone)
  }

  @Test func `The lengths of windows do not change what a stream reads`() throws {
    let split = try mixture([0.5, 0.5])
    let long = windows([try loader(split, bptt: 31)], 20)
    let short = windows([try loader(split, bptt: 4)], 100)
    for stream in 0..<5 {
      let read = sequence(short, stream)
      #expect(sequence(long, stream).prefix(read.count) == read.prefix(600))
      let (a, b) = (long.flatMap { $0.resets[stream] }, short.flatMap { $0.resets[stream] })
      #expect(Array(a.prefix(b.count)) == Array(b.prefix(a.count)))
    }
    let limited = try loader(split, bptt: 31)
    limited.limitWindows(to: 4)
    #expect(windows([limited], 20).map(\.inputs) == short.prefix(20).map(\.inputs))
  }

  @Test func `States are reset where documents begin, and only if asked for`() throws {
    let read = windows([try loader(mixture([0.7, 0.3]))], 60)
    for stream in 0..<5 {
      let inputs = read.flatMap { $0.inputs[stream] }
      let resets = read.flatMap { $0.resets[stream] }
      let expected = inputs.indices.map { $0 == 0 || inputs[$0 - 1] == 10 ? UInt8(1) : 0 }
      #expect(resets == expected)
    }
    let still = try loader(mixture([0.7, 0.3], document: .none))
    #expect(!still.mayReset)
    let same = windows([still], 60)
    #expect(same.allSatisfy { $0.resets.allSatisfy { !$0.contains(1) } })
  }

  @Test func `A cursor brings back the same windows, and is checked`() throws {
    let split = try mixture([0.6, 0.3, 0.1], lines: [30, 20, 10])
    let first = try loader(split)
    for _ in 0..<60 {
      let saved = try JSONEncoder().encode(first.cursor)
      let cursor = try JSONDecoder().decode(StreamCursor.self, from: saved)
      let second = try loader(split)
      try second.seek(cursor)
      #expect(second.cursor == first.cursor && second.isAtEpochStart == first.isAtEpochStart)
      #expect(windows([second], 1) == windows([first], 1))
    }
    #expect(first.cursor.epoch > 2)
    let ahead = first.cursor
    let expected = windows([first], 3)
    first.rewind()
    #expect(first.startsAnew)
    try first.seek(ahead)
    #expect(windows([first], 3) == expected)
    for other in [try loader(split, seed: 4), try loader(mixture([0.6, 0.2, 0.2]))] {
      #expect(throws: DataError.self) { try other.seek(ahead) }
    }
    #expect(throws: DataError.self) { try first.seek(StreamCursor(epoch: 0, position: 0)) }
    #expect(throws: DataError.self) { try first.seek(StreamCursor(epoch: 1, position: 1 << 40)) }
  }

  @Test func `An epoch has as many targets as the corpora have symbols for the streams`() throws {
    let split = try mixture([0.9, 0.1])
    let loader = try loader(split)
    let steps = try #require(loader.stepsPerEpoch)
    #expect(steps == split.count / 5)
    let read = windows([loader], loader.windowsPerEpoch)
    #expect(read.reduce(0) { $0 + $1.steps } == steps)
    #expect(loader.isAtEpochStart && !loader.startsAnew && loader.cursor.epoch == 2)
    #expect(windows([loader], 1)[0].position == steps)
  }
}
