import Datasets
import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// One sequence's part of a window, copied out of the batch.
struct LoadedPart: Equatable {
  var key: Int32, length: Int32
  var inputs: [Int32], targets: [Int32], resets: [UInt8]
  var features: [Real], values: [Real], condition: [Real]
  var source: [Int32], sourceLength: Int32, sourceResets: [UInt8], sourceKey: Int32
}

/// One window of a loader, copied out of the batch.
struct LoadedWindow: Equatable {
  var steps: Int, epoch: Int, position: Int, startsAnew: Bool, hasResets: Bool
  var parts: [LoadedPart]

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
      LoadedPart(
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

/// The next windows of a loader, and what must hold of each of them.
func readWindows(_ loader: SequenceLoader, _ count: Int) -> [LoadedWindow] {
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
    let window = LoadedWindow(batch, startsAnew: startsAnew)
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

/// The windows of the next epoch.
func readEpoch(_ loader: SequenceLoader) -> [LoadedWindow] {
  readWindows(loader, loader.windowsPerEpoch)
}

/// Eleven sequences with sources, in batches.
enum ElevenSequences {
  static let lengths = [5, 2, 9, 4, 4, 7, 1, 3, 4, 6, 9]
  static let sources = [3, 8, 2, 5, 6, 1, 4, 4, 2, 7, 3]

  static func loader(
    _ request: LoaderRequest, rank: Int = 0, world: Int = 1, fresh: Bool = false,
    sources: [Int] = sources
  ) throws -> SequenceLoader {
    var request = request
    (request.rank, request.world, request.allowsEmptyShare) = (rank, world, true)
    return try SequenceLoader(
      ListedExamples(lengths: lengths, sources: sources, isFresh: fresh), request)
  }
}
