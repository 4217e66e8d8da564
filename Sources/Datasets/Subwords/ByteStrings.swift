/// The bytes of each symbol, one behind the other in one array.
struct ByteStrings: Sendable {
  private var bytes: [UInt8] = []
  private var ends: [Int] = [0]

  var count: Int { ends.count - 1 }

  subscript(_ symbol: Int) -> ArraySlice<UInt8> { bytes[ends[symbol]..<ends[symbol + 1]] }

  mutating func append(_ string: some Collection<UInt8>) {
    bytes += string
    ends.append(bytes.count)
  }

  func length(_ symbol: Int) -> Int { ends[symbol + 1] - ends[symbol] }
}

/// A set of byte strings with a number each, for finding the longest that begins at a place.
///
/// A node's children are one range of `labels`, sorted; the root has a table of all 256.
struct ByteTrie: Sendable {
  private var first = [Int32](repeating: -1, count: 256)
  /// The children of node n are `starts[n]..<starts[n + 1]`.
  private var starts: [Int32] = []
  private var labels: [UInt8] = []
  private var children: [Int32] = []
  private var values: [Int32] = []

  /// True if nothing is in it.
  let isEmpty: Bool

  /// Makes the trie of strings without equal or empty ones.
  init(_ strings: [(string: [UInt8], value: Int32)]) {
    isEmpty = strings.isEmpty
    // Sorted strings of a node are a range; nodes are numbered in the order of their depth.
    let sorted = strings.sorted { $0.string.lexicographicallyPrecedes($1.string) }
    var queue: [(range: Range<Int>, depth: Int)] = [(sorted.indices, 0)]
    var next = 0
    while next < queue.count {
      var (range, depth) = queue[next]
      starts.append(Int32(labels.count))
      var value: Int32 = -1
      if let i = range.first, sorted[i].string.count == depth {
        value = sorted[i].value
        range = range.dropFirst()
      }
      values.append(value)
      while let i = range.first {
        let label = sorted[i].string[depth]
        let rest = range.firstIndex { sorted[$0].string[depth] != label } ?? range.upperBound
        if next == 0 { first[Int(label)] = Int32(queue.count) }
        labels.append(label)
        children.append(Int32(queue.count))
        queue.append((i..<rest, depth + 1))
        range = rest..<range.upperBound
      }
      next += 1
    }
    starts.append(Int32(labels.count))
  }

  /// Returns the longest string that the text has at `i`; nil if it has none there.
  @inline(__always)
  func longest(_ text: Span<UInt8>, _ i: Int, _ end: Int) -> (value: Int32, length: Int)? {
    var node = first[Int(text[i])]
    if node < 0 { return nil }
    var best: (value: Int32, length: Int)?
    var j = i + 1
    while true {
      let value = values[Int(node)]
      if value >= 0 { best = (value, j - i) }
      guard j < end, let next = child(node, text[j]) else { return best }
      node = next
      j += 1
    }
  }

  @inline(__always)
  private func child(_ node: Int32, _ label: UInt8) -> Int32? {
    var (low, high) = (Int(starts[Int(node)]), Int(starts[Int(node) + 1]))
    while high - low > 8 {
      let middle = (low + high) / 2
      if labels[middle] <= label { low = middle } else { high = middle }
    }
    while low < high {
      if labels[low] == label { return children[low] }
      low += 1
    }
    return nil
  }
}
