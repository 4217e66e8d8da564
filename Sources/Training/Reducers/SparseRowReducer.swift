internal import Collectives
internal import LinearAlgebra
internal import Recurrence

/// An all-reduce of the gradient that leaves out the rows of an embedding that no rank has read.
///
/// First every rank learns which rows were touched on any. Then the touched rows are moved behind the
/// dense part, and both are one sum. Where more than half of the numbers were touched, moving them is not
/// worth it, and all are summed. One rank alone moves nothing.
final class SparseRowReducer: GradientReducer {
  private let world: any Communicator
  private let rows: TouchedRows
  private(set) var traffic = Traffic()

  init(of layout: ParameterLayout, over world: any Communicator) {
    self.world = world
    rows = TouchedRows(of: layout, over: world)
  }

  /// Replaces every number of the gradient by its sum over ranks, and the set of touched rows by
  /// the union over ranks.
  func sum(_ gradient: ParameterVector, step: Int) throws(CommunicationError) {
    let start = ContinuousClock.now
    let count = try rows.sum(gradient, from: 0) { count throws(CommunicationError) in
      try world.sum(gradient.buffer.elements(count: count))
    }
    traffic.bytes =
      rows.bytes + world.bytesSent(summing: count * MemoryLayout<Real>.stride)
    traffic.seconds = (ContinuousClock.now - start) / .seconds(1)
  }
}
