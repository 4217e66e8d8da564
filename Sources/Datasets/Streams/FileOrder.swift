internal import LinearAlgebra

/// A text as it is read in one epoch: its files one after the other, in that epoch's order.
struct FileOrder {
  private let files: [Range<Int>]
  private let seed: UInt64?
  private var order: [Int]
  /// Where each file, in the order of the epoch, starts in what is read.
  private var starts: [Int]

  /// - Parameter seed: shuffles the files anew for every epoch; nil leaves them as they are.
  init(_ files: [Range<Int>], seed: UInt64?) {
    self.files = files
    self.seed = seed
    order = Array(files.indices)
    starts = Array(repeating: 0, count: files.count)
    arrange(epoch: 1)
  }

  /// Puts the files into the order of an epoch, a function of the seed and the epoch alone.
  mutating func arrange(epoch: Int) {
    for i in order.indices { order[i] = i }
    if let seed {
      let random = Philox(seed: seed, name: "file order")
      random.shuffle(&order, epoch: epoch)
    }
    var start = 0
    for i in order.indices {
      starts[i] = start
      start += files[order[i]].count
    }
  }

  /// Hands over the pieces of the text that are read from `start` to `end`, in order.
  @inline(__always)
  func forEachPiece(_ start: Int, _ end: Int, _ body: (Range<Int>) -> Void) {
    var (low, high) = (0, starts.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= start { low = middle } else { high = middle }
    }
    var place = start
    while place < end {
      let file = files[order[low]]
      let from = file.lowerBound + place - starts[low]
      let count = min(end - place, file.upperBound - from)
      body(from..<from + count)
      place += count
      low += 1
    }
  }
}
