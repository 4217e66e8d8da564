public import Collectives
internal import LinearAlgebra
public import Recurrence

/// A way to sum the gradients of all ranks: an all-reduce of everything, of the touched rows alone, or one
/// with a state of its own.
///
/// Every rank ends up with the same bits. A reducer may keep tensors between steps, such as the momentum of
/// outer steps: a checkpoint saves them in `reducer.safetensors`, each under its name and that of the
/// parameter, and a resumed run goes on with them.
public protocol GradientReducer: AnyObject {
  /// Replaces every number of the gradient by its sum over ranks, and the rows that were touched here by
  /// those that were touched anywhere. A reducer that writes other rows, too, first calls
  /// `gradient.touchAllRows()`, because rows that are not touched are not cleared. Collective.
  func sum(_ gradient: ParameterVector) throws(CommunicationError)
  /// The tensors that are kept between steps, the same on every rank.
  var stateTensors: [(name: String, vector: ParameterVector)] { get }
}

extension GradientReducer {
  public var stateTensors: [(name: String, vector: ParameterVector)] { [] }
}

/// An all-reduce of the whole gradient.
final class DenseReducer: GradientReducer {
  private let world: any Communicator

  init(over world: any Communicator) { self.world = world }

  func sum(_ gradient: ParameterVector) throws(CommunicationError) {
    try world.sum(gradient.buffer)
  }
}

/// Makes the reducer of a layout and a world. A new reducer is a line here.
public func makeGradientReducer(
  _ layout: ParameterLayout, _ world: any Communicator
) -> any GradientReducer {
  if layout.rowSparse.isEmpty || world.size == 1 { return DenseReducer(over: world) }
  return SparseRowReducer(of: layout, over: world)
}
