/// Merges the symbols of a word, the pair of the least rank first, of equal ones the leftmost
/// (Sennrich, Haddow and Birch, 2016). It keeps its memory from word to word.
struct WordMerger: ~Copyable {
  /// The symbols of the word, of which the first `count` are left after `merge`.
  private(set) var symbols: [Int32] = []
  private(set) var count = 0
  /// Rank and symbol of the pair that each symbol makes with the next one.
  private var pairs: [UInt64] = []
  /// The next and the previous symbol of a long word, and its pairs as a heap.
  private var next: [Int32] = []
  private var previous: [Int32] = []
  private var heap: [(value: UInt64, place: Int32)] = []

  /// The length of the words in which the least pair is found by looking at all of them.
  private static let short = 48

  mutating func begin() { count = 0 }

  @inline(__always)
  mutating func append(_ symbol: Int32) {
    if count < symbols.count { symbols[count] = symbol } else { symbols.append(symbol) }
    count += 1
  }

  mutating func merge(_ table: borrowing MergeTable) {
    guard count > 1 else { return }
    while pairs.count < count { pairs.append(MergeTable.none) }
    for i in 0..<count - 1 { pairs[i] = table.find(symbols[i], symbols[i + 1]) }
    pairs[count - 1] = MergeTable.none
    if count <= Self.short { mergeShort(table) } else { mergeLong(table) }
  }

  private mutating func mergeShort(_ table: borrowing MergeTable) {
    while true {
      var (least, place) = (MergeTable.none, 0)
      for i in 0..<count - 1 where pairs[i] < least { (least, place) = (pairs[i], i) }
      if least == MergeTable.none { return }
      symbols[place] = Int32(truncatingIfNeeded: least)
      count -= 1
      for i in place + 1..<max(count, place + 1) {
        symbols[i] = symbols[i + 1]
        pairs[i] = pairs[i + 1]
      }
      pairs[place] =
        place + 1 < count ? table.find(symbols[place], symbols[place + 1]) : MergeTable.none
      if place > 0 { pairs[place - 1] = table.find(symbols[place - 1], symbols[place]) }
    }
  }

  /// Merges with a heap of pairs over a linked list: n log n for n symbols.
  private mutating func mergeLong(_ table: borrowing MergeTable) {
    next = (0..<Int32(count)).map { $0 + 1 }
    previous = (0..<Int32(count)).map { $0 - 1 }
    heap.removeAll(keepingCapacity: true)
    for i in 0..<count - 1 where pairs[i] != MergeTable.none { push(pairs[i], Int32(i)) }
    let removed: Int32 = -1
    while let (value, place) = pop() {
      let i = Int(place)
      // A pair that has changed since is in the heap once more.
      guard symbols[i] != removed, pairs[i] == value else { continue }
      let j = Int(next[i])
      symbols[i] = Int32(truncatingIfNeeded: value)
      symbols[j] = removed
      next[i] = next[j]
      pairs[i] = MergeTable.none
      if Int(next[i]) < count {
        previous[Int(next[i])] = place
        pairs[i] = table.find(symbols[i], symbols[Int(next[i])])
        if pairs[i] != MergeTable.none { push(pairs[i], place) }
      }
      let before = Int(previous[i])
      if before >= 0 {
        pairs[before] = table.find(symbols[before], symbols[i])
        if pairs[before] != MergeTable.none { push(pairs[before], Int32(before)) }
      }
    }
    var kept = 0
    for i in 0..<count where symbols[i] != removed {
      symbols[kept] = symbols[i]
      kept += 1
    }
    count = kept
    // A long word is rare, and its memory is not kept.
    (next, previous, heap) = ([], [], [])
    if pairs.count > 1 << 16 { pairs = [] }
  }

  /// Gives back the memory of a long word.
  mutating func end() { if symbols.count > 1 << 16 { symbols = [] } }

  private mutating func push(_ value: UInt64, _ place: Int32) {
    heap.append((value, place))
    var i = heap.count - 1
    while i > 0, heap[i] < heap[(i - 1) / 2] {
      heap.swapAt(i, (i - 1) / 2)
      i = (i - 1) / 2
    }
  }

  private mutating func pop() -> (value: UInt64, place: Int32)? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if heap.isEmpty { return first }
    heap[0] = last
    var i = 0
    while 2 * i + 1 < heap.count {
      var child = 2 * i + 1
      if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
      if heap[i] < heap[child] { break }
      heap.swapAt(i, child)
      i = child
    }
    return first
  }
}
