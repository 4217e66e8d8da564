internal import LinearAlgebra

/// The symbols that can be sampled; finds the likeliest few without sorting the others.
struct LikeliestSymbols {
  typealias Candidate = (symbol: Int32, logit: Double)

  /// The logits of these symbols, in the order of symbols.
  private(set) var logits: [Double] = []
  private var symbols: [Int32] = []
  private(set) var maximum: Double?

  init(_ row: Row, excluded: Set<Int32>) {
    var isExcluded = [Bool](repeating: false, count: row.count)
    for symbol in excluded where isExcluded.indices.contains(Int(symbol)) {
      isExcluded[Int(symbol)] = true
    }
    logits.reserveCapacity(row.count)
    symbols.reserveCapacity(row.count)
    for j in 0..<row.count where !isExcluded[j] && row[j] > -.infinity {
      let logit = Double(row[j])
      logits.append(logit)
      symbols.append(Int32(j))
      if logit > maximum ?? -.infinity { maximum = logit }
    }
  }

  var count: Int { logits.count }

  /// True if so many of the likeliest symbols are found by sorting all.
  static func sorts(_ count: Int, of all: Int) -> Bool { count * 8 >= all }

  /// Returns the `count` likeliest symbols, likeliest first (ties by symbol).
  func first(_ count: Int) -> [Candidate] {
    guard !Self.sorts(count, of: self.count) else {
      var all = logits.indices.map(candidate)
      all.sort { $0.logit > $1.logit || $0.logit == $1.logit && $0.symbol < $1.symbol }
      return Array(all.prefix(count))
    }
    // A heap with the least likely kept symbol at its root.
    var heap = Array(0..<count)
    for start in stride(from: count / 2, through: 0, by: -1) { sink(start, in: &heap) }
    for i in count..<self.count where isBefore(i, heap[0]) {
      heap[0] = i
      sink(0, in: &heap)
    }
    return heap.sorted(by: isBefore).map(candidate)
  }

  private func candidate(_ i: Int) -> Candidate { (symbols[i], logits[i]) }

  private func isBefore(_ a: Int, _ b: Int) -> Bool {
    logits[a] > logits[b] || logits[a] == logits[b] && a < b
  }

  private func sink(_ start: Int, in heap: inout [Int]) {
    var i = start
    while 2 * i + 1 < heap.count {
      var child = 2 * i + 1
      if child + 1 < heap.count, isBefore(heap[child], heap[child + 1]) { child += 1 }
      guard isBefore(heap[i], heap[child]) else { return }
      heap.swapAt(i, child)
      i = child
    }
  }
}
