import Datasets
import LinearAlgebra
import Recurrence
import Sequences
import Synchronization
import Testing

/// Batches of sequences of nearly the same lengths, which are others in each epoch.
@Suite struct `Mixing sequences of like lengths` {
  /// No two lengths in a row are the same, and no sequence has the other's source.
  static let lengths = (0..<240).map { 60 + ($0 * 77) % 241 }
  static let sources = (0..<240).map { 40 + ($0 * 31) % 97 }
  static let budget = 2800

  static let requests: [LoaderRequest] = [
    LoaderRequest(batchSize: 8, seed: 3), LoaderRequest(batchSize: 7, bptt: 50, seed: 4),
    LoaderRequest(batchSize: 1, batchTokens: budget, seed: 5),
    LoaderRequest(batchSize: 1, bptt: 33, batchTokens: budget, seed: 6),
  ]

  struct Found: Equatable {
    var steps = 0, source = 0
    var keys: [Int32] = []
  }

  /// The batches of an epoch, and how many windows they came in.
  static func epoch(_ loader: SequenceLoader, _ batch: Batch) -> (batches: [Found], windows: Int) {
    var batches: [Found] = []
    var windows = 0
    repeat {
      if loader.startsAnew { batches.append(Found()) }
      loader.next(into: batch)
      windows += 1
      guard batch.streams > 0 else { continue }
      let last = batches.count - 1
      batches[last].steps = max(batches[last].steps, batch.position + batch.steps)
      batches[last].source = batch.source?.steps ?? 0
      batches[last].keys = Array(batch.keys.elements(count: batch.streams))
      #expect(
        loader.windowSizes.contains {
          $0.steps >= batch.steps && $0.streams >= batch.streams
            && $0.sourceSteps >= (batch.source?.steps ?? 0)
        })
    } while !loader.isAtEpochStart
    return (batches, windows)
  }

  static func loader(_ request: LoaderRequest, rank: Int = 0, world: Int = 1) throws
    -> SequenceLoader
  {
    var request = request
    (request.rank, request.world, request.allowsEmptyShare) = (rank, world, true)
    return try SequenceLoader(ListedExamples(lengths: lengths, sources: sources), request)
  }

  @Test(arguments: requests)
  func `batches have other sequences in each epoch, and nearly as little padding`(
    _ request: LoaderRequest
  ) throws {
    let loader = try Self.loader(request)
    let batch = loader.makeBatch()
    var unshuffled = request
    unshuffled.seed = nil
    let sorted = try Self.loader(unshuffled)
    let still = Self.epoch(sorted, sorted.makeBatch())
    func padded(_ batches: [Found]) -> Int {
      batches.reduce(0) { $0 + $1.keys.count * ($1.steps + $1.source) }
    }
    var mates: [Int32: Set<Int32>] = [:]
    for epoch in 1...4 {
      let (batches, windows) = Self.epoch(loader, batch)
      #expect(batches.flatMap(\.keys).sorted() == (0..<240).map { Int32($0) })
      // Schedules count on it.
      #expect(windows == loader.windowsPerEpoch && windows == still.windows)
      #expect(batches.map(\.keys.count).sorted() == still.batches.map(\.keys.count).sorted())
      #expect(Double(padded(batches)) < 1.07 * Double(padded(still.batches)))
      for found in batches {
        if request.batchTokens != nil {
          #expect(max(found.steps, found.source) * found.keys.count <= Self.budget)
        }
        let lengths = found.keys.map { Self.lengths[Int($0)] }
        #expect(lengths.max()! == found.steps)
      }
      var (same, all) = (0, 0)
      for found in batches {
        for key in found.keys {
          let now = Set(found.keys).subtracting([key])
          if epoch > 1 { same += now.intersection(mates[key]!).count }
          all += now.count
          mates[key] = now
        }
      }
      // A budget leaves less room. In the sorted order all come together again.
      let most = request.batchTokens == nil ? 0.6 : 0.75
      #expect(Double(same) < most * Double(all), "of \(all), \(same) come together again")
    }
  }

  @Test(arguments: requests, [2, 4])
  func `they are the same on any number of ranks, from any place on`(
    _ request: LoaderRequest, _ world: Int
  ) throws {
    let alone = try Self.loader(request)
    let one = alone.makeBatch()
    let ranks = try (0..<world).map { try Self.loader(request, rank: $0, world: world) }
    let parts = ranks.map { $0.makeBatch() }
    // One goes back and forth between the epochs.
    let seeker = try Self.loader(request)
    let other = seeker.makeBatch()
    for _ in 0..<3 * alone.windowsPerEpoch {
      let cursor = alone.cursor
      alone.next(into: one)
      var keys: [Int32] = []
      for (loader, part) in zip(ranks, parts) {
        loader.next(into: part)
        keys += part.keys.elements(count: part.streams)
        #expect(part.streams == 0 || part.steps == one.steps)
      }
      #expect(keys == Array(one.keys.elements(count: one.streams)))
      try seeker.seek(StreamCursor(epoch: 5, position: 1))
      try seeker.seek(cursor)
      seeker.next(into: other)
      #expect(Array(other.keys.elements(count: other.streams)) == keys)
    }
  }
}

/// Examples of unequal lengths that count how often they are made.
private final class Counted: ExampleSet {
  private let made = Mutex(0)
  let name = "the counted ones"
  let count = 24
  let isFresh: Bool
  let isGenerated = true
  let hash: UInt64 = 0
  let shape = ExampleShape()
  let longest = (steps: 12, source: 0)

  init(isFresh: Bool) { self.isFresh = isFresh }

  var times: Int { made.withLock { $0 } }

  func steps(of index: Int, epoch: Int) -> (steps: Int, source: Int) {
    (example(index, epoch: epoch).steps, 0)
  }

  func example(_ index: Int, epoch: Int) -> Example {
    made.withLock { $0 += 1 }
    var example = Example()
    example.inputs = Array(repeating: Int32(index), count: 1 + (5 * index + epoch) % 12)
    example.targets = example.inputs
    return example
  }
}

@Suite struct `Sequences that are generated` {
  @Test(arguments: [nil, 5] as [Int?], [true, false])
  func `each is made once an epoch, by the rank that reads it`(_ bptt: Int?, _ isFresh: Bool) throws
  {
    for world in 1...3 {
      var read: [Int32] = []
      for rank in 0..<world {
        let set = Counted(isFresh: isFresh)
        let loader = try SequenceLoader(
          set,
          LoaderRequest(
            batchSize: 6, bptt: bptt, seed: isFresh ? 3 : nil, rank: rank, world: world))
        let batch = loader.makeBatch()
        for _ in 0..<2 * loader.windowsPerEpoch {
          let isFirst = loader.startsAnew
          loader.next(into: batch)
          let keys = Array(batch.keys.elements(count: batch.streams))
          if isFirst { read += keys }
          let longest = batch.lengths.elements(count: batch.streams).max() ?? 0
          #expect(batch.streams == 0 || Int(longest) == batch.steps, "padded to the longest")
        }
        #expect(set.times == 2 * 24 / world)
      }
      #expect(read.sorted() == (0..<24).flatMap { [Int32($0), Int32($0)] })
    }
  }
}
