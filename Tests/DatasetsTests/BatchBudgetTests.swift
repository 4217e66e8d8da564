import Datasets
import Testing

/// Batches of at most so many steps × sequences.
@Suite struct `Batches within a budget` {
  @Test(arguments: [true, false], [9, 16, 18, 27])
  func `A budget of steps × sequences is kept and used`(_ bucketed: Bool, _ budget: Int) throws {
    for seed in [nil, 7] as [UInt64?] {
      let loader = try ElevenSequences.loader(
        LoaderRequest(batchSize: 1, batchTokens: budget, isBucketed: bucketed, seed: seed))
      for _ in 0..<3 {
        for window in readEpoch(loader) {
          let steps = max(window.steps, window.parts[0].source.count)
          #expect(steps * window.parts.count <= budget)
        }
        #expect(loader.isAtEpochStart)
      }
      // Where lengths are known beforehand, a batch ends only before what it has no room for; else
      // each has room for as many of the longest.
      let sizes = zip(ElevenSequences.lengths, ElevenSequences.sources).map { ($0, $1) }
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
    #expect(readEpoch(loader).map(\.parts.count) == [1, 9])
  }

  @Test(arguments: [true, false])
  func `A sequence longer than the budget is a batch by itself where that is allowed`(
    _ bucketed: Bool
  ) throws {
    for lengths in [[9, 2, 1, 3, 2], [2, 1, 9, 3, 2], [1, 2, 2, 3, 9], [9]] {
      var request = LoaderRequest(batchSize: 1, batchTokens: 6, isBucketed: bucketed)
      request.allowsLongSequences = true
      let loader = try SequenceLoader(ListedExamples(lengths: lengths), request)
      let read = readEpoch(loader)
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
    #expect(try readEpoch(SequenceLoader(even, request)).map(\.parts.count) == [1, 1])
  }
}
