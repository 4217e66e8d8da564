internal import LinearAlgebra

/// The order in which the files of a text are read in one epoch.
struct FileOrder {
  private let files: [Range<Int>]
  private let seed: UInt64?
  private var order: [Int]
  /// The start of each file, in the order of the epoch.
  private var starts: [Int]

  /// - Parameter seed: The seed that shuffles the files in every epoch; nil for the given order.
  init(_ files: [Range<Int>], seed: UInt64?) {
    self.files = files
    self.seed = seed
    order = Array(files.indices)
    starts = Array(repeating: 0, count: files.count)
    arrange(epoch: 1)
  }

  /// Shuffles the files for an epoch; the order depends on the seed and the epoch only.
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

  /// Calls `body` with the pieces of the text that are read from `start` to `end`, in order.
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
