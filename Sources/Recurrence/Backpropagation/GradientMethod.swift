internal import LinearAlgebra
public import Sequences

/// A way to find the gradient of a window's loss: backpropagation through the whole window, with
/// activation checkpointing, or through windows that overlap.
///
/// A method owns what it keeps between windows besides the states that its tape carries. `StreamTensor`s
/// name all of it, so that a checkpoint can hold it stream by stream.
public protocol GradientMethod: AnyObject {
  /// The memory of the windows.
  var tape: Tape { get }
  /// Runs a model over a window forward and backward: adds to the gradient of its parameters, and leaves
  /// the window's loss in the tape's.
  func differentiate(
    _ model: any Model, _ batch: Batch, weights: ParameterVector, gradient: ParameterVector)
  /// Carries the states at the window's end into the next window.
  func carryStates()
  /// Leaves the window out, as where an update is skipped: the next one follows the states before it.
  func discard()
  /// Forgets everything that is carried: all streams start anew.
  func clear()
  /// The number of steps before this place in the data whose values are kept, besides the states.
  var keptSteps: Int { get }
  /// The largest number of such steps.
  var maximumKeptSteps: Int { get }
  /// The tensors that belong to streams where so many steps are kept.
  func streamTensors(_ plan: Plan, keptSteps: Int) -> [StreamTensor]
  /// Returns the values of such tensors, of the first `streams` streams.
  func values(of tensors: [StreamTensor], streams: Int) -> [StreamValues]
  /// Puts back the values of `streamTensors`.
  func restore(_ tensors: [StreamTensor], _ values: [StreamValues], keptSteps: Int, streams: Int)
}

extension GradientMethod {
  public func discard() {}
  public func clear() { tape.clearCarried() }
  public var keptSteps: Int { 0 }
  public var maximumKeptSteps: Int { 0 }

  public func streamTensors(_ plan: Plan, keptSteps: Int) -> [StreamTensor] {
    plan.states.map { StreamTensor(plan.name(of: $0), .state($0), in: plan) }
  }

  public func values(of tensors: [StreamTensor], streams: Int) -> [StreamValues] {
    tensors.map { tape.values(of: $0, streams: streams) }
  }

  public func restore(
    _ tensors: [StreamTensor], _ values: [StreamValues], keptSteps: Int, streams: Int
  ) {
    for (tensor, values) in zip(tensors, values) {
      tape.restore(tensor, values, streams: streams)
    }
  }
}

/// A request for a gradient method, with what has to be known of it before memory is allocated.
public protocol GradientMethodRequest: Sendable {
  /// The windows that the tape has room for.
  var windows: [WindowSize] { get }
  /// The most steps of them that are on the tape at once; nil for all.
  var stepsAtOnce: Int? { get }
  /// True if steps read earlier ones through copies in every window.
  var needsResets: Bool { get }
  /// True if the tape must keep every step of all states, also of those too large to do so by default.
  var needsEveryStep: Bool { get }
  /// Returns the bytes that the method needs besides the tape.
  func bytes(_ plan: Plan) -> Double
  /// A sentence on what is computed more than once; nil where nothing is.
  var recomputation: String? { get }
  /// Makes the method on a tape that was made for `windows`, of batches of some widths.
  func make(_ plan: Plan, on tape: Tape, _ widths: Batch.Widths) -> any GradientMethod
}

extension GradientMethodRequest {
  public var stepsAtOnce: Int? { nil }
  public var needsResets: Bool { false }
  public var needsEveryStep: Bool { false }
  public func bytes(_ plan: Plan) -> Double { 0 }
  public var recomputation: String? { nil }
}

/// Backpropagation through every step of a window, with everything on the tape.
public final class FullWindow: GradientMethod {
  /// A request for windows of some sizes.
  public struct Request: GradientMethodRequest {
    public let windows: [WindowSize]

    public init(_ windows: [WindowSize]) { self.windows = windows }

    public func make(_ plan: Plan, on tape: Tape, _ widths: Batch.Widths) -> any GradientMethod {
      FullWindow(on: tape)
    }
  }

  public let tape: Tape
  /// The states at the window's end, where another method uses the tape before they are carried.
  private let end: Buffer<Real>?

  public init(on tape: Tape) {
    self.tape = tape
    end = tape.takesTurns ? Buffer(count: tape.states.count) : nil
  }

  public func differentiate(
    _ model: any Model, _ batch: Batch, weights: ParameterVector, gradient: ParameterVector
  ) {
    let pass = tape.begin(batch, weights: weights, gradient: gradient)
    pass.mark(.other)
    model.forward(pass)
    model.backward(pass)
    if let end { tape.storeEnd(in: end) }
  }

  public func carryStates() {
    if let end { tape.states.restore(from: end) } else { tape.carryStates() }
  }
}
