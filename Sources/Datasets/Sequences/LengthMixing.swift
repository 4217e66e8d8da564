internal import LinearAlgebra

/// The mixing of sequences of similar lengths between batches.
///
/// In each epoch the sorted sequences are divided, with a new random offset, into blocks of about
/// two batches, and shuffled inside each block. A sequence may only enter a batch if it is at most
/// 1/16 longer than the batch's longest sequence in sorted order (for sources likewise), and if the
/// batch then needs no more windows of `bptt` steps and no more than `batchTokens`. So batches
/// differ from epoch to epoch, while their number and the number of windows stay the same.
struct LengthMixing {
  typealias Length = SequenceOrder.Length

  /// The most steps of a sequence in each batch.
  let rooms: [Length]
  private let lengths: [Length]
  /// The batch of each index in the sorted order.
  private let cut: [Int32]
  private let block: Int
  /// The number of steps that allow one more step.
  private static let share = 16

  /// - Parameters:
  ///   - longest: The longest sequence of each batch, in sorted order.
  ///   - limit: The longest of all sequences.
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

  /// Swaps sequences of similar lengths.
  /// - Parameter sequences: The sequences, sorted by length.
  func mix(_ sequences: inout [Int32], _ random: Philox, epoch: Int) {
    // Number 0 is used here; the swaps use the numbers from 1.
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
