internal import Collectives
internal import LinearAlgebra
internal import Recurrence

/// An all-reduce of the gradient that leaves out the rows of an embedding that no rank has read.
///
/// First every rank learns which rows were touched on any: it counts one for each of its own, many
/// counters to an Int32, and the counters are summed. Then the touched rows are moved behind the
/// dense part, and both are one sum. Where more than half of the numbers were touched, moving
/// them is not worth it, and all are summed. One rank alone moves nothing.
final class SparseRowReducer: GradientReducer {
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

  /// Replaces every number of the gradient by its sum over ranks, and the set of touched rows by
  /// the union over ranks.
  func sum(_ gradient: ParameterVector) throws(CommunicationError) {
    try unite(gradient)
    let layout = gradient.layout
    let touched = gradient.touchedCount - layout.dense.count
    guard 2 * touched <= layout.count - layout.dense.count else {
      return try world.sum(gradient.buffer)
    }
    gradient.pack()
    try world.sum(gradient.buffer.elements(count: layout.dense.count + touched))
    gradient.unpack()
  }

  private func unite(_ gradient: ParameterVector) throws(CommunicationError) {
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

  /// Returns the number of ranks on which a row was touched.
  private func count(_ counter: Int) -> Int32 {
    let shift = Int32(counter % perNumber * width)
    return counters.elements()[counter / perNumber] >> shift & (1 << Int32(width) - 1)
  }
}
