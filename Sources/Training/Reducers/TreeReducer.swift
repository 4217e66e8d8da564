internal import Collectives
internal import LinearAlgebra
internal import Recurrence

/// An all-reduce in a binary tree over ranks, which has the same bits for 1, 2, 4 … ranks if each rank has
/// summed its micro-batches in a `GradientTree`.
final class TreeReducer: GradientReducer {
  private let world: any Communicator
  private let rows: TouchedRows
  private(set) var traffic = Traffic()

  init(_ request: ReducerRequest) {
    world = request.world
    rows = TouchedRows(of: request.layout, over: request.world)
  }

  func sum(_ gradient: ParameterVector, step: Int) throws(CommunicationError) {
    let start = ContinuousClock.now
    let count = try rows.sum(gradient, from: 0) { count throws(CommunicationError) in
      try world.sumInTree(gradient.buffer.elements(count: count))
    }
    traffic.bytes = rows.bytes + world.bytesSent(summing: count * MemoryLayout<Real>.stride)
    traffic.seconds = (ContinuousClock.now - start) / .seconds(1)
  }
}
