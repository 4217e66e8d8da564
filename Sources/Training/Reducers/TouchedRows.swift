internal import Collectives
internal import LinearAlgebra
internal import Recurrence

/// The union over ranks of the rows of embeddings that were touched.
///
/// Every rank counts one for each of its own, many counters to an Int32, and the counters are summed.
final class TouchedRows {
  private let world: any Communicator
  /// Counters of the rows of all row-sparse parameters, one after another, each wide enough for the
  /// world size.
  private let counters: Buffer<Int32>
  private let width: Int
  /// The number of counters per Int32; the sign bit is not used.
  private var perNumber: Int { 31 / width }

  init(of layout: ParameterLayout, over world: any Communicator) {
    self.world = world
    width = Int.bitWidth - world.size.leadingZeroBitCount
    let rows = world.size > 1 ? layout.rowSparse.reduce(0) { $0 + $1.rows } : 0
    counters = Buffer(count: (rows + 31 / width - 1) / (31 / width))
  }

  /// The bytes that a rank sends for a union.
  var bytes: Int { world.bytesSent(summing: counters.count * MemoryLayout<Int32>.stride) }

  /// Replaces the set of touched rows by the union over ranks. Collective.
  func unite(_ gradient: ParameterVector) throws(CommunicationError) {
    guard counters.count > 0 else { return }
    counters.clear()
    let numbers = counters.elements()
    var first = 0
    for entry in gradient.layout.rowSparse {
      gradient.touchedRows(entry.parameter)!.forEachRun { rows in
        for counter in first + rows.lowerBound..<first + rows.upperBound {
          numbers[counter / perNumber] += 1 << Int32(counter % perNumber * width)
        }
      }
      first += entry.rows
    }
    try world.sum(numbers)
    first = 0
    for entry in gradient.layout.rowSparse {
      let touched = gradient.touchedRows(entry.parameter)!
      for row in 0..<entry.rows where count(first + row) > 0 { touched.insert(row) }
      first += entry.rows
    }
  }

  /// Sums the numbers from `first` on that were touched on any rank, and makes the set of touched rows the
  /// union over ranks. Where few were touched, they are moved together first. One rank moves nothing.
  /// Collective.
  /// - Parameters:
  ///   - first: The first number: that of the dense part, or of the embeddings.
  ///   - add: Replaces so many numbers, from `first` on, by their sums over ranks.
  /// - Returns: The count of numbers that were summed.
  func sum(
    _ gradient: ParameterVector, from first: Int,
    _ add: (Int) throws(CommunicationError) -> Void
  ) throws(CommunicationError) -> Int {
    try unite(gradient)
    let isPacked = world.size > 1 && gradient.isWorthPacking
    let count = (isPacked ? gradient.touchedCount : gradient.layout.count) - first
    if isPacked { gradient.pack() }
    try add(count)
    if isPacked { gradient.unpack() }
    return count
  }

  /// Returns the number of ranks on which a row was touched.
  private func count(_ counter: Int) -> Int32 {
    let shift = Int32(counter % perNumber * width)
    return counters.elements()[counter / perNumber] >> shift & (1 << Int32(width) - 1)
  }
}

extension ParameterVector {
  /// True if at most half of the numbers of embeddings were touched: moving them together is then faster
  /// than sending all.
  var isWorthPacking: Bool {
    2 * (touchedCount - layout.dense.count) <= layout.count - layout.dense.count
  }
}
