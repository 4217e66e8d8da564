import Datasets
internal import Foundation
import LinearAlgebra
import Recurrence
import Sequences
internal import TestSupport
import Testing

/// The contents of a window of a rank, copied out of the batch.
private struct Window: Equatable {
  var steps: Int, firstStream: Int, epoch: Int, position: Int
  var inputs: [[Int32]], targets: [[Int32]], resets: [[UInt8]]
  var hasResets: Bool

  init(_ batch: Batch) {
    (steps, firstStream, epoch, position) = (
      batch.steps, batch.firstStream, batch.epoch, batch.position
    )
    let (steps, streams) = (batch.steps, batch.streams)
    func columns<T>(_ buffer: Buffer<T>) -> [[T]] {
      (0..<streams).map { s in (0..<steps).map { buffer.elements()[$0 * streams + s] } }
    }
    inputs = columns(batch.inputs)
    targets = columns(batch.targets)
    resets = columns(batch.resets)
    hasResets = batch.hasResets
  }
}

private func windows(_ streams: Streams, _ count: Int) -> [Window] {
  let batch = streams.makeBatch()
  return (0..<count).map { _ in
    // Whatever was there before must not show.
    for i in 0..<batch.resets.count { batch.resets.elements()[i] = 1 }
    streams.next(into: batch)
    return Window(batch)
  }
}

@Suite struct `Parallel streams` {
  let folder = TemporaryFolder()

  /// Files of bytes 0, 1, 2, … over all of them.
  func counting(_ sizes: [Int], _ document: DocumentBoundary = .none) throws -> Corpus {
    var next: UInt8 = 0
    let paths = sizes.enumerated().map { number, size in
      let bytes = (0..<size).map { _ in
        defer { next += 1 }
        return next
      }
      return folder.write("file\(number).txt", bytes)
    }
    return try Corpus(
      TextFiles(paths), vocabulary: .bytes, document: document, cache: folder.cache, writing: true)
  }

  func text(_ text: String, _ document: DocumentBoundary) throws -> Corpus {
    try Corpus(
      TextFiles([folder.write("text.txt", text)]), vocabulary: .bytes, document: document,
      cache: folder.cache, writing: true)
  }

  @Test func `A text is cut into streams, and these into windows`() throws {
    let streams = try Streams(counting([35]), batchSize: 3, bptt: 4)
    #expect(streams.length == 11 && streams.droppedCount == 2)
    #expect(streams.windowsPerEpoch == 3 && streams.targetsPerEpoch == 30)
    #expect(streams.windowSizes == [WindowSize(steps: 4, streams: 3)])
    #expect(streams.isAtEpochStart && streams.nextSteps == 4)
    let read = windows(streams, 4)
    #expect(read.map(\.steps) == [4, 4, 2, 4])
    #expect(read.map(\.position) == [0, 4, 8, 0])
    #expect(read.map(\.epoch) == [1, 1, 1, 2])
    #expect(read[0].inputs == [[0, 1, 2, 3], [11, 12, 13, 14], [22, 23, 24, 25]])
    #expect(read[1].inputs == [[4, 5, 6, 7], [15, 16, 17, 18], [26, 27, 28, 29]])
    #expect(read[2].inputs == [[8, 9], [19, 20], [30, 31]])
    #expect(read[2].targets == [[9, 10], [20, 21], [31, 32]])
    #expect(read[3].inputs == read[0].inputs)
    #expect(read.allSatisfy { !$0.hasResets && $0.resets.allSatisfy { $0.allSatisfy { $0 == 0 } } })
  }

  @Test func `Every symbol but a stream's first is a target once`() throws {
    for (batchSize, bptt) in [(1, 5), (4, 7), (5, 1), (7, 100)] {
      let streams = try Streams(counting([150]), batchSize: batchSize, bptt: bptt)
      let read = windows(streams, streams.windowsPerEpoch)
      #expect(streams.isAtEpochStart && streams.cursor == StreamCursor(epoch: 2))
      for stream in 0..<batchSize {
        let first = Int32(stream * streams.length)
        let targets = read.flatMap { $0.targets[stream] }
        #expect(targets == Array(first + 1..<first + Int32(streams.length)))
        #expect(read.flatMap { $0.inputs[stream] } == targets.map { $0 - 1 })
      }
      #expect(streams.targetsPerEpoch == batchSize * (streams.length - 1))
    }
  }

  @Test func `Any number of ranks together read what one reads`() throws {
    let corpus = try counting([40, 30, 50, 25, 60], .file)
    func read(_ rank: Int, _ world: Int) throws -> [Window] {
      windows(
        try Streams(corpus, batchSize: 5, bptt: 6, seed: 3, rank: rank, world: world), 30)
    }
    let alone = try read(0, 1)
    #expect(Set(alone.map(\.epoch)).count > 3)
    for world in 2...5 {
      let parts = try (0..<world).map { try read($0, world) }
      for (number, window) in alone.enumerated() {
        let together = parts.map { $0[number] }
        #expect(together.flatMap(\.inputs) == window.inputs)
        #expect(together.flatMap(\.targets) == window.targets)
        #expect(together.flatMap(\.resets) == window.resets)
        #expect(together.contains { $0.hasResets } == window.hasResets)
        var first = 0
        for part in together {
          #expect(part.position == window.position && part.epoch == window.epoch)
          #expect(part.firstStream == first && !part.inputs.isEmpty)
          first += part.inputs.count
        }
      }
    }
  }

  @Test func `A stream belongs to rank ⌊stream · world / batch size⌋`() throws {
    let corpus = try counting([200])
    for (batchSize, world) in [(5, 2), (7, 3), (8, 3), (2, 4), (1, 3)] {
      for rank in 0..<world {
        let streams = try Streams(
          corpus, batchSize: batchSize, bptt: 4, rank: rank, world: world, allowsEmptyShare: true)
        #expect(Array(streams.share) == (0..<batchSize).filter { $0 * world / batchSize == rank })
      }
    }
  }

  @Test func `A rank without a stream is refused in training and waits in evaluation`() throws {
    let corpus = try counting([50])
    let error = #expect(throws: DataError.self) {
      try Streams(corpus, batchSize: 2, bptt: 4, rank: 0, world: 3)
    }
    let message = try #require(error).message
    #expect(message.contains("batch_size 2") && message.contains("3 processes"))
    let waiting = try Streams(
      corpus, batchSize: 2, bptt: 4, rank: 0, world: 3, allowsEmptyShare: true)
    let empty = try (0..<3).map {
      try Streams(corpus, batchSize: 2, bptt: 4, rank: $0, world: 3, allowsEmptyShare: true)
    }.filter { $0.share.isEmpty }
    #expect(empty.count == 1 && empty[0].windowsPerEpoch == waiting.windowsPerEpoch)
    let read = windows(empty[0], empty[0].windowsPerEpoch)
    #expect(read.allSatisfy { $0.inputs.isEmpty && !$0.hasResets })
    #expect(empty[0].isAtEpochStart && read[0].steps == 4)
  }

  @Test func `A document that begins inside a window resets its stream there`() throws {
    // Two streams: "abc\nde\nfg" and "hi\njklm\nn", tail "\n".
    let streams = try Streams(
      text("abc\nde\nfghi\njklm\nn\n", .line), batchSize: 2, bptt: 3)
    #expect(streams.length == 9 && streams.droppedCount == 1)
    let read = windows(streams, 3)
    #expect(read[0].resets == [[1, 0, 0], [0, 0, 0]])
    #expect(read[1].resets == [[0, 1, 0], [1, 0, 0]])
    // The n at the end of the second stream begins a document, but it is only a target.
    #expect(read[2].resets == [[0, 1], [0, 0]])
    #expect(read.map(\.hasResets) == [true, true, true])
    // The end of a document still predicts the next one's first symbol.
    #expect(read[1].inputs[0].first == 10 && read[1].targets[0].first == Int32(UInt8(ascii: "d")))
  }

  @Test func `A window without a new document says so`() throws {
    let streams = try Streams(text("abcdefgh\nxy", .line), batchSize: 1, bptt: 3)
    // The third window ends with x as a target; the fourth reads it.
    #expect(windows(streams, 4).map(\.hasResets) == [true, false, false, true])
  }

  @Test func `A cursor brings back the same windows`() throws {
    let corpus = try counting([40, 30, 50, 25], .file)
    func streams() throws -> Streams { try Streams(corpus, batchSize: 3, bptt: 5, seed: 8) }
    let first = try streams()
    for _ in 0..<40 {
      let saved = try JSONEncoder().encode(first.cursor)
      let second = try streams()
      try second.seek(JSONDecoder().decode(StreamCursor.self, from: saved))
      #expect(second.isAtEpochStart == first.isAtEpochStart)
      #expect(second.nextTargets == first.nextTargets)
      #expect(windows(second, 12).first == windows(first, 1).first)
    }
    let ahead = windows(first, 11)
    try first.seek(StreamCursor())
    let again = windows(first, 3)
    #expect(again == windows(try streams(), 3))
    try first.seek(StreamCursor(epoch: ahead[4].epoch, position: ahead[4].position))
    #expect(windows(first, 7) == Array(ahead[4...]))
    first.rewind()
    #expect(windows(first, 3) == again)
  }

  @Test func `A cursor of other streams is refused`() throws {
    let streams = try Streams(counting([40]), batchSize: 4, bptt: 3)
    for cursor in [(0, 0), (1, -1), (1, 9), (2, 40)] {
      #expect(throws: DataError.self) {
        try streams.seek(StreamCursor(epoch: cursor.0, position: cursor.1))
      }
    }
    try streams.seek(StreamCursor(epoch: 2, position: 8))
    #expect(streams.nextSteps == 1)
  }

  @Test func `Files are shuffled in every epoch, and whole`() throws {
    let sizes = [20, 5, 11, 7, 13]
    let corpus = try counting(sizes)
    func epochs(seed: UInt64?) throws -> [[Int32]] {
      let streams = try Streams(corpus, batchSize: 1, bptt: 9, seed: seed)
      return (0..<8).map { _ in
        let read = windows(streams, streams.windowsPerEpoch)
        return [read[0].inputs[0][0]] + read.flatMap { $0.targets[0] }
      }
    }
    let files = corpus.files.map { Array(Int32($0.lowerBound)..<Int32($0.upperBound)) }
    let shuffled = try epochs(seed: 1)
    for epoch in shuffled {
      #expect(epoch.sorted() == Array(0..<56))
      let order = files.indices.sorted {
        epoch.firstIndex(of: files[$0][0])! < epoch.firstIndex(of: files[$1][0])!
      }
      #expect(order.flatMap { files[$0] } == epoch)
    }
    #expect(Set(shuffled).count > 5)
    #expect(try epochs(seed: 1) == shuffled)
    #expect(try epochs(seed: 2) != shuffled)
    #expect(try epochs(seed: nil) == Array(repeating: Array(0..<56), count: 8))
  }

  @Test func `All orders of the files are as frequent`() throws {
    let streams = try Streams(counting([2, 2, 2]), batchSize: 1, bptt: 100, seed: 5)
    var counts: [[Int32]: Int] = [:]
    for window in windows(streams, 1200) { counts[window.inputs[0], default: 0] += 1 }
    #expect(counts.count == 6)
    // 200 expected; five standard deviations.
    for count in counts.values { #expect(abs(count - 200) < 65) }
  }

  @Test func `A part of a text is cut on its own`() throws {
    let corpus = try counting([30, 30], .file).part(20..<51, name: "part")
    let streams = try Streams(corpus, batchSize: 2, bptt: 20)
    let read = windows(streams, 1)[0]
    #expect(read.inputs == [Array(20..<34), Array(35..<49)])
    #expect(read.resets[0] == (20..<34).map { $0 == 30 ? 1 : 0 })
  }

  @Test func `Too little text for the streams is refused`() throws {
    let corpus = try counting([9])
    #expect(try Streams(corpus, batchSize: 4, bptt: 35).windowsPerEpoch == 1)
    let error = #expect(throws: DataError.self) { try Streams(corpus, batchSize: 5, bptt: 35) }
    #expect(try #require(error).message.contains("has 9 symbols"))
    #expect(try #require(error).message.contains("a batch_size of at most 4"))
    #expect(throws: DataError.self) { try Streams(corpus, batchSize: 0, bptt: 35) }
    let one = corpus.part(0..<1, name: "one")
    let second = #expect(throws: DataError.self) { try Streams(one, batchSize: 1, bptt: 35) }
    #expect(try #require(second).message.hasSuffix("give more text"))
  }
}
