internal import LinearAlgebra
public import Sequences

/// Activation checkpointing: backpropagation through a window in segments, each of which is
/// computed again before its backward pass. It needs memory for the steps of one segment and for a
/// few states, not for all steps.
///
/// The layers run through the window and store the states before some segments. Then, from the last
/// segment to the first, a segment is computed once more from the state before it, with its loss,
/// and goes through the backward pass; the gradient of that state goes to the segment before. If
/// the states before all segments are stored, each segment is computed twice at most: √T steps and
/// √T states for T steps (Chen 2016). With fewer states, a state that is not stored is computed
/// again from the last stored one before it, in the order with the fewest computations
/// (`RecomputationSchedule`).
///
/// Segments have several steps because the input product, the weights' gradients and the head take
/// all steps of a segment in one product each. Every segment is a window of the whole model, so
/// layers that need all steps at once, such as bidirectional ones, cannot be used. The result has
/// the same bits as the same segments with everything stored.
public final class ActivationCheckpointing: GradientMethod {
  /// A request for windows in segments.
  public struct Request: GradientMethodRequest {
    public let windows: [WindowSize]
    private let window: WindowSize
    private let length: Int
    private let states: Int?

    /// - Parameters:
    ///   - windows: The sizes of all windows.
    ///   - window: The size of the longest and widest window.
    ///   - length: The number of steps of a segment.
    ///   - states: The most states to store; nil for the state before every segment.
    public init(_ windows: [WindowSize], of window: WindowSize, length: Int, states: Int?) {
      self.windows = windows
      self.window = window
      self.length = length
      self.states = states
    }

    public var stepsAtOnce: Int? { length }

    public func bytes(_ plan: Plan) -> Double {
      ActivationCheckpointing.bytes(plan, of: window, length: length, states: states)
    }

    public var recomputation: String? {
      ActivationCheckpointing.words(of: window, length: length, states: states)
    }

    public func make(_ plan: Plan, on tape: Tape, _ widths: Batch.Widths) -> any GradientMethod {
      ActivationCheckpointing(
        of: window, length: length, states: states, on: tape, for: plan, widths: widths)
    }
  }

  /// The number of steps of a segment; the last one may be shorter.
  public let length: Int
  public let tape: Tape
  private let batch: Batch
  /// The stored states: those before the window, and before segments that will be computed again.
  private var kept: [Buffer<Real>] = []
  /// The states at the window's end, and the gradient that goes to the segment before.
  private let end, handed: Buffer<Real>
  private var (sum, targets, correct) = (0.0, 0, 0)

  /// - Parameters:
  ///   - window: The size of the whole window.
  ///   - length: The number of steps of a segment, at least as many as the largest lag of a state.
  ///   - states: The most states to store, including those before the window but not those at its
  ///     end; nil for the state before every segment.
  ///   - tape: A tape with memory for `length` steps.
  ///   - plan: The plan of the model.
  ///   - widths: The widths of the rows of the window's batch, which a segment's batch has too.
  public init(
    of window: WindowSize, length: Int, states: Int? = nil, on tape: Tape, for plan: Plan,
    widths: Batch.Widths
  ) {
    precondition(length >= plan.longestLag, "segments of \(length) steps")
    precondition(states ?? 1 > 0, "segments with \(states ?? 0) states")
    self.length = length
    self.tape = tape
    batch = Batch(rows: length * window.streams, streams: window.streams, widths: widths)
    kept = (0..<Self.states(of: window, length: length, atMost: states)).map { _ in
      Buffer(count: tape.states.count)
    }
    end = Buffer(count: tape.states.count)
    handed = Buffer(count: tape.states.count)
  }

  /// Returns the segment length with the least memory for windows of `steps` steps if the states
  /// before all segments are stored: ⌈√T⌉.
  public static func squareRoot(of steps: Int) -> Int {
    Int(Double(steps).squareRoot().rounded(.up))
  }

  /// Returns a sentence about the recomputation in a window of this size; nil if it is one segment.
  public static func words(of window: WindowSize, length: Int, states: Int? = nil) -> String? {
    let count = (window.steps - 1) / length + 1
    guard count > 1 else { return nil }
    let states = Self.states(of: window, length: length, atMost: states)
    let computed = RecomputationSchedule.cost(segments: count, states: states)
    let times = (10 * Double(computed) / Double(count)).rounded() / 10
    return
      "Of its \(window.steps) steps, \(min(length, window.steps)) and \(states) states are kept at "
      + "once, and each is computed \(times) times on average."
  }

  /// Returns the number of states to store. More than those before all segments but the last are
  /// useless, because the last segment is reached only once.
  private static func states(of window: WindowSize, length: Int, atMost states: Int?) -> Int {
    let count = (window.steps - 1) / length + 1
    return min(states ?? count, max(count - 1, 1))
  }

  /// Returns the bytes that states take besides the tape: the stored ones, those at the end and a
  /// gradient.
  public static func bytes(
    _ plan: Plan, of window: WindowSize, length: Int, states: Int? = nil
  ) -> Double {
    let carried = plan.carriedNumbers * window.streams * MemoryLayout<Real>.stride
    return Double(Self.states(of: window, length: length, atMost: states) + 2) * Double(carried)
  }

  /// Runs the forward and backward pass of a model over a window. Afterwards the tape carries the
  /// same states as before; `carryStates` advances to the window's end. The tape's loss is that of
  /// the window.
  public func differentiate(
    _ model: any Model, _ window: Batch, weights: ParameterVector, gradient: ParameterVector
  ) {
    (sum, targets, correct) = (0, 0, 0)
    handed.clear()
    let work = Work(model: model, window: window, weights: weights, gradient: gradient)
    takeBack(0..<(window.steps - 1) / length + 1, work, used: 0)
    (tape.loss.sum, tape.loss.targets, tape.loss.correct) = (sum, targets, correct)
  }

  /// Carries the states at the window's end into the next window.
  public func carryStates() { tape.states.restore(from: end) }

  private struct Work {
    let model: any Model
    let window: Batch
    let weights: ParameterVector
    let gradient: ParameterVector
  }

  /// Runs the backward pass over some segments; that over later segments is already done. The tape
  /// carries the states before the first of these segments, before and after the call.
  /// - Parameter used: The number of stored states that are still needed by others.
  private func takeBack(_ segments: Range<Int>, _ work: Work, used: Int) {
    var left = segments
    if left.count > 1 { tape.states.store(in: kept[used]) }
    while left.count > 1 {
      let count = RecomputationSchedule.split(segments: left.count, states: kept.count - used)
      let middle = left.lowerBound + count
      for segment in left.lowerBound..<middle {
        work.model.read(begin(segment, work))
        tape.carryStates()
      }
      takeBack(middle..<left.upperBound, work, used: used + 1)
      tape.states.restore(from: kept[used])
      left = left.lowerBound..<middle
    }
    differentiate(left.lowerBound, work)
  }

  /// Computes one segment with its loss, and its backward pass.
  private func differentiate(_ segment: Int, _ work: Work) {
    // The first segment comes last.
    tape.isLastPass = segment == 0
    defer { tape.isLastPass = true }
    let pass = begin(segment, work)
    let isLast = (segment + 1) * length >= work.window.steps
    if !isLast { tape.importStateGradient(handed) }
    work.model.forward(pass)
    if isLast { tape.storeEnd(in: end) }
    sum += tape.loss.sum
    targets += tape.loss.targets
    correct += tape.loss.correct
    work.model.backward(pass)
    tape.exportStateGradient(into: handed)
  }

  private func begin(_ segment: Int, _ work: Work) -> Pass {
    let steps = segment * length..<min((segment + 1) * length, work.window.steps)
    batch.copy(steps, of: work.window)
    return tape.begin(
      batch, weights: work.weights, gradient: work.gradient, isRepeated: true)
  }
}

extension Batch {
  /// Copies some of the steps of another batch.
  func copy(_ range: Range<Int>, of window: Batch) {
    precondition(widths == window.widths, "a part of a batch of other widths")
    begin(steps: range.count, streams: window.streams)
    (epoch, step) = (window.epoch, window.step)
    position = window.position + range.lowerBound
    origin = window.origin + range.lowerBound
    self.window = window.window
    become(partOf: window, from: range.lowerBound)
    let first = range.lowerBound * streams
    inputs.copy(rows, from: window.inputs, at: first)
    targets.copy(rows, from: window.targets, at: first)
    resets.copy(rows, from: window.resets, at: first)
    hasResets = window.hasResets
    features.copy(rows * widths.features, from: window.features, at: first * widths.features)
    values.copy(rows * widths.values, from: window.values, at: first * widths.values)
    if window.feedsPredictions {
      makeRoomForPredictions()
      feedsPredictions = true
      fed.copy(rows, from: window.fed, at: first)
      fedValues.copy(rows * widths.values, from: window.fedValues, at: first * widths.values)
    }
    condition.copy(streams * widths.condition, from: window.condition, at: 0)
    classes.copy(streams * widths.classes, from: window.classes, at: 0)
    keys.copy(streams, from: window.keys, at: 0)
    totals.copy(streams, from: window.totals, at: 0)
    let (own, whole) = (lengths.elements(count: streams), window.lengths.elements(count: streams))
    for s in 0..<streams {
      own[s] = Int32(Swift.min(Swift.max(Int(whole[s]) - range.lowerBound, 0), range.count))
    }
  }
}
