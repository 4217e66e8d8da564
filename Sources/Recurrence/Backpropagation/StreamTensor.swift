public import LinearAlgebra

/// A tensor that belongs to streams and not to ranks: a row of it is a stream's.
public struct StreamTensor: Sendable {
  /// The values of a stream tensor.
  public enum Content: Sendable {
    /// A carried state.
    case state(Activation)
    /// A state before the steps that overlapping windows keep.
    case stateBeforeKept(Activation)
    /// The values of all activations at the kept steps.
    case keptValues
    /// The symbols read at the kept steps, each followed by 1 where a stream began there.
    case keptInputs
  }

  /// The name in a checkpoint.
  public let name: String
  /// The shape of one stream's part.
  public let shape: [Int]
  public let content: Content

  public init(_ name: String, shape: [Int], _ content: Content) {
    self.name = name
    self.shape = shape
    self.content = content
  }

  /// A tensor of the carried steps of a state: `[width]`, or `[lag, width]` of several.
  init(_ name: String, _ content: Content, in plan: Plan) {
    guard case .state(let state) = content.ofCarriedState else {
      preconditionFailure("\(name) is no state")
    }
    let (lag, width) = (plan.lag(of: state), plan.width(state))
    self.init(name, shape: lag == 1 ? [width] : [lag, width], content)
  }

  /// True of integers; the others are real numbers.
  public var isOfIntegers: Bool { if case .keptInputs = content { true } else { false } }
}

extension StreamTensor.Content {
  /// The state before kept steps as a state.
  fileprivate var ofCarriedState: Self {
    if case .stateBeforeKept(let state) = self { .state(state) } else { self }
  }
}

/// The values of a stream tensor, stream by stream.
public enum StreamValues {
  case numbers(Buffer<Real>)
  case integers(Buffer<Int32>)
}

extension Tape {
  /// Returns the carried steps of a state, stream by stream.
  func values(of tensor: StreamTensor, streams: Int) -> StreamValues {
    guard case .state(let state) = tensor.content.ofCarriedState else {
      preconditionFailure("a tape does not keep \(tensor.name)")
    }
    return .numbers(carriedByStream(state, streams: streams))
  }

  /// Carries the values of a state that `values(of:streams:)` has returned.
  func restore(_ tensor: StreamTensor, _ values: StreamValues, streams: Int) {
    guard case .state(let state) = tensor.content.ofCarriedState,
      case .numbers(let numbers) = values
    else { preconditionFailure("a tape does not carry \(tensor.name)") }
    carry(state, byStream: numbers, streams: streams)
  }
}
