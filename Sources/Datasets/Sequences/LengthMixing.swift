internal import LinearAlgebra

/// How sequences of nearly the same lengths come into each other's batches.
///
/// In each epoch the sorted sequences are divided anew into blocks of about two batches, and shuffled in
/// each, as far as batches have room: for a sixteenth more steps than the longest of their sorted
/// sequences, and of sources, but for no more windows of `bptt` steps and no more than `batchTokens`
/// allow. So batches differ from epoch to epoch, while their number and that of their windows stay.
struct LengthMixing {
  typealias Length = SequenceOrder.Length

  /// The most steps that a sequence of each cut may have.
  let rooms: [Length]
  private let lengths: [Length]
  /// The cut of each place.
  private let cut: [Int32]
  private let block: Int
  /// Steps for which there is one more.
  private static let share = 16

  /// - Parameters:
  ///   - longest: of the sequences of each cut, as they are sorted.
  ///   - limit: of all of them.
  init(
    _ sequences: [Int32], _ lengths: [Length], _ cuts: [Range<Int>], _ longest: [Length],
    _ limit: Length, _ request: LoaderRequest
  ) {
    self.lengths = lengths
    cut = cuts.enumerated().flatMap { number, cut in cut.map { _ in Int32(number) } }
    block = max(2 * sequences.count / max(cuts.count, 1), 2)
    rooms = zip(cuts, longest).map { cut, longest in
      let most = request.batchTokens.map { $0 / cut.count } ?? .max
      func room(_ steps: Int, _ limit: Int) -> Int {
        min(steps + steps / Self.share, limit, max(most, steps))
      }
      var steps = room(longest.steps, limit.steps)
      if let bptt = request.bptt { steps = min(steps, (longest.steps + bptt - 1) / bptt * bptt) }
      return (steps, room(longest.source, limit.source))
    }
  }

  /// Lets sequences change places.
  /// - Parameter sequences: sorted by their lengths.
  func mix(_ sequences: inout [Int32], _ random: Philox, epoch: Int) {
    // The places of swaps begin with 1.
    var start = -random.number(below: block, at: 0, epoch: epoch)
    while start < sequences.count {
      let part = max(start, 0)..<min(start + block, sequences.count)
      for i in part.dropFirst().reversed() {
        let j = part.lowerBound + random.number(below: i - part.lowerBound + 1, at: i, epoch: epoch)
        if fits(sequences[i], in: cut[j]) && fits(sequences[j], in: cut[i]) {
          sequences.swapAt(i, j)
        }
      }
      start += block
    }
  }

  private func fits(_ sequence: Int32, in cut: Int32) -> Bool {
    let (length, room) = (lengths[Int(sequence)], rooms[Int(cut)])
    return length.steps <= room.steps && length.source <= room.source
  }
}
