internal import LinearAlgebra
internal import Sequences

/// The division of sequences into batches, and the order of batches, over all ranks.
///
/// Sequences sorted by their steps, and by the steps of their sources, form the same number of
/// batches of the same sizes in every epoch. Sequences of equal lengths are shuffled among each
/// other, sequences of similar lengths by `LengthMixing`, and batches as wholes. Sequences that are
/// not sorted by length are shuffled altogether and cut into batches of equal size. Both depend on
/// the seed and the epoch only.
struct SequenceOrder {
  typealias Length = (steps: Int, source: Int)

  private let set: any ExampleSet
  private let seed: UInt64?
  private let bptt: Int?
  /// True if the sequences of an epoch are sorted by length.
  private let isSorted: Bool
  /// True if a batch needs the same number of windows in every epoch, whichever sequences it has.
  private let isExact: Bool
  /// True if `batchTokens` decides how many sequences a batch has.
  private let isCutByLength: Bool
  /// The sequences in the order in which they are cut, and the same after this epoch's shuffling.
  private let sequences: [Int32]
  private var shuffled: [Int32]
  /// The ranges of sequences of equal lengths, which are shuffled among each other.
  private let ties: [Range<Int>]
  private let cuts: [Range<Int>]
  /// The number of windows of each batch.
  private let windows: [Int]
  /// The mixing of sequences of similar lengths; nil for none.
  private let mixing: LengthMixing?
  /// The batches in the order of this epoch.
  private var order: [Int]
  private var epoch = 1

  init(_ set: any ExampleSet, _ request: LoaderRequest) throws(DataError) {
    self.set = set
    seed = request.seed
    bptt = request.bptt
    isSorted = request.isBucketed && !set.isGenerated && !set.shape.isEven
    let isExact = isSorted || set.shape.isEven || (request.seed == nil && !set.isGenerated)
    self.isExact = isExact
    isCutByLength = isExact && request.batchTokens != nil && !set.shape.isEven
    var sequences = Array(0..<Int32(set.count))
    let lengths: [Length] =
      isSorted || isCutByLength ? (0..<set.count).map { set.steps(of: $0, epoch: 1) } : []
    if isSorted {
      // Source lengths alternately rise and fall with the number of steps, so that a batch that
      // spans two numbers of steps has sources of similar lengths. The index breaks ties, so that
      // the order is unique.
      func place(_ sequence: Int32) -> (Int, Int, Int) {
        let length = lengths[Int(sequence)]
        return (length.steps, length.steps % 2 == 0 ? -length.source : length.source, Int(sequence))
      }
      sequences.sort { place($0) < place($1) }
    }
    ties = isSorted ? Self.ties(sequences, lengths) : []
    let cuts = try Self.cuts(sequences, isCutByLength ? lengths : [], set, request)
    self.cuts = cuts
    self.sequences = sequences
    let longest = cuts.map { [sequences] cut in
      isExact ? Self.longest(of: sequences[cut], in: set, epoch: 1) : set.longest
    }
    let bptt = request.bptt
    windows = longest.map { length in
      bptt.map { max((length.steps + $0 - 1) / $0, 1) } ?? 1
    }
    mixing =
      isSorted && seed != nil
      ? LengthMixing(sequences, lengths, cuts, longest, set.longest, request) : nil
    shuffled = sequences
    order = Array(cuts.indices)
    arrange(epoch: 1)
  }

  /// Returns the ranges of sequences of equal lengths.
  private static func ties(_ sequences: [Int32], _ lengths: [Length]) -> [Range<Int>] {
    var ties: [Range<Int>] = []
    var start = 0
    for i in sequences.indices {
      let next = i + 1
      if next == sequences.count
        || lengths[Int(sequences[next])] != lengths[Int(sequences[start])]
      {
        if next - start > 1 { ties.append(start..<next) }
        start = next
      }
    }
    return ties
  }

  /// Cuts batches of equal size, or as many sequences as the budget of steps × sequences allows.
  private static func cuts(
    _ sequences: [Int32], _ lengths: [Length], _ set: any ExampleSet, _ request: LoaderRequest
  ) throws(DataError) -> [Range<Int>] {
    var most = request.batchSize
    if let budget = request.batchTokens {
      let longest = max(set.longest.steps, set.longest.source)
      guard longest <= budget || request.allowsLongSequences else {
        throw DataError(
          "batch_tokens \(budget) has no room for a sequence of \(set.name) with \(longest) steps: "
            + "give \(longest) or more")
      }
      if !lengths.isEmpty { return cuts(sequences, lengths, budget: budget) }
      most = max(budget / max(longest, 1), 1)
    }
    return stride(from: 0, to: sequences.count, by: most).map {
      $0..<min($0 + most, sequences.count)
    }
  }

  private static func cuts(
    _ sequences: [Int32], _ lengths: [Length], budget: Int
  ) -> [Range<Int>] {
    var cuts: [Range<Int>] = []
    var (start, longest) = (0, 0)
    for (i, sequence) in sequences.enumerated() {
      let length = max(lengths[Int(sequence)].steps, lengths[Int(sequence)].source)
      if i > start, max(longest, length) * (i + 1 - start) > budget {
        cuts.append(start..<i)
        (start, longest) = (i, 0)
      }
      longest = max(longest, length)
    }
    cuts.append(start..<sequences.count)
    return cuts
  }

  // MARK: An epoch

  var batchCount: Int { cuts.count }

  mutating func arrange(epoch: Int) {
    self.epoch = epoch
    guard let seed else { return }
    // Fresh examples are random in any order.
    guard !set.isFresh else { return }
    shuffled = sequences
    let random = Philox(seed: seed, name: "sequence order")
    if isSorted {
      for tie in ties { random.shuffle(&shuffled, tie, epoch: epoch) }
      mixing?.mix(&shuffled, Philox(seed: seed, name: "like lengths"), epoch: epoch)
      for i in order.indices { order[i] = i }
      Philox(seed: seed, name: "batch order").shuffle(&order, epoch: epoch)
    } else {
      random.shuffle(&shuffled, epoch: epoch)
    }
  }

  /// Returns the sequences of this epoch's batch `number`, over all ranks.
  func batch(_ number: Int) -> ArraySlice<Int32> { shuffled[cuts[order[number]]] }

  /// Returns the steps to which a batch and its sources are padded.
  func length(ofBatch number: Int) -> Length {
    Self.longest(of: batch(number), in: set, epoch: epoch)
  }

  private static func longest(
    of sequences: ArraySlice<Int32>, in set: any ExampleSet, epoch: Int
  ) -> Length {
    if set.shape.isEven { return set.longest }
    var longest: Length = (0, 0)
    for sequence in sequences {
      let length = set.steps(of: Int(sequence), epoch: epoch)
      longest = (max(longest.steps, length.steps), max(longest.source, length.source))
    }
    return longest
  }

  /// Returns the number of windows of a batch: as many as its steps need or, if lengths in a batch
  /// change from epoch to epoch, as many as the longest of all sequences needs, so that the number
  /// stays the same.
  func windows(ofBatch number: Int) -> Int { windows[order[number]] }

  /// Returns the sizes that windows of a rank may have, without those that fit into a larger one.
  func windowSizes(_ share: (Int) -> Int) -> [WindowSize] {
    let longest = bptt.map { min($0, set.longest.steps) } ?? set.longest.steps
    guard isSorted || isCutByLength else {
      // A rank may have more sequences of a smaller batch.
      let streams = Set(cuts.map(\.count)).map(share).max() ?? 0
      return streams == 0
        ? []
        : [WindowSize(steps: longest, streams: streams, sourceSteps: max(set.longest.source, 1))]
    }
    let found = Set(
      cuts.enumerated().compactMap { number, cut -> WindowSize? in
        let length =
          mixing?.rooms[number] ?? Self.longest(of: sequences[cut], in: set, epoch: epoch)
        let streams = share(cut.count)
        let steps = min(length.steps, bptt ?? length.steps)
        return streams == 0
          ? nil : WindowSize(steps: steps, streams: streams, sourceSteps: max(length.source, 1))
      })
    let sizes = found.sorted {
      ($0.streams, $0.steps, $0.sourceSteps) > ($1.streams, $1.steps, $1.sourceSteps)
    }
    var kept: [WindowSize] = []
    for size in sizes
    where !kept.contains(where: {
      $0.steps >= size.steps && $0.streams >= size.streams && $0.sourceSteps >= size.sourceSteps
    }) {
      kept.append(size)
    }
    return kept
  }
}
