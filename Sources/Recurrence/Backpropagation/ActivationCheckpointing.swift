internal import LinearAlgebra

/// Backpropagation through a window in segments, each computed again before it is taken back:
/// memory for the steps of one segment and for a few states in place of all steps.
///
/// The layers run through the window and leave the states before some segments. Then, from the last
/// segment to the first, a segment is computed once more from the state before it, with its loss,
/// and taken back; the derivative of that state is handed to the segment before. With room for the
/// state before every segment each is computed twice at most: √T steps and √T states for T steps
/// (Chen 2016). With fewer, a state that is not kept is computed anew from the last one that is, in
/// the order that computes least (`RecomputationSchedule`).
///
/// A segment, not a step, is what is computed again, because the input's product, the weights'
/// gradients and the head take all steps of a segment in one product each. Every segment is a
/// window of the whole model, so layers that need all steps at once, such as bidirectional ones,
/// cannot be taken back like that. The result has the bits of the same segments with everything
/// stored.
public final class ActivationCheckpointing: GradientMethod {
  /// A request for windows in segments.
  public struct Request: GradientMethodRequest {
    public let windows: [WindowSize]
    private let window: WindowSize
    private let length: Int
    private let states: Int?

    /// - Parameters:
    ///   - window: the size of the longest and widest window.
    ///   - length: the steps of a segment.
    ///   - states: the most states that are kept; nil for that before every segment.
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

  /// The steps of a segment, but of the last, which may be shorter.
  public let length: Int
  public let tape: Tape
  private let batch: Batch
  /// The kept states: those before the window, and before the segments that wait to be computed
  /// again.
  private var kept: [Buffer<Real>] = []
  /// The states at the window's end, and the derivative that is handed to the segment before.
  private let end, handed: Buffer<Real>
  private var (sum, targets, correct) = (0.0, 0, 0)

  /// - Parameters:
  ///   - window: the size of the whole window.
  ///   - length: at least as long as the furthest step that a state is read.
  ///   - states: how many states are kept at most, those before the window among them and those at
  ///     its end not; nil for that before every segment.
  ///   - tape: with room for `length` steps.
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

  /// The segment length that needs the least memory for windows of so many steps where the states
  /// before all segments are kept: ⌈√T⌉.
  public static func squareRoot(of steps: Int) -> Int {
    Int(Double(steps).squareRoot().rounded(.up))
  }

  /// What is computed of a window of this size, in a sentence; nil where it is one segment.
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

  /// The states that are kept: more than those before all segments but the last are of no use,
  /// since the last is reached once.
  private static func states(of window: WindowSize, length: Int, atMost states: Int?) -> Int {
    let count = (window.steps - 1) / length + 1
    return min(states ?? count, max(count - 1, 1))
  }

  /// The bytes that states take besides the tape: the kept ones, those at the end and a derivative.
  public static func bytes(
    _ plan: Plan, of window: WindowSize, length: Int, states: Int? = nil
  ) -> Double {
    let carried = plan.carriedNumbers * window.streams * MemoryLayout<Real>.stride
    return Double(Self.states(of: window, length: length, atMost: states) + 2) * Double(carried)
  }

  /// Runs a model over a window, there and back. Afterwards the tape carries what it carried
  /// before; `turn` goes on to the window's end. The tape's loss is that of the window.
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

  /// Takes back some segments, behind which nothing is left to be taken back; the tape carries the
  /// states before the first of them, then and afterwards.
  /// - Parameter used: how many of the kept states others wait for.
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

  /// Computes one segment with its loss and takes it back.
  private func differentiate(_ segment: Int, _ work: Work) {
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
  /// Becomes some of the steps of another batch.
  func copy(_ range: Range<Int>, of window: Batch) {
    precondition(widths == window.widths, "a part of a batch of other widths")
    begin(steps: range.count, streams: window.streams)
    epoch = window.epoch
    position = window.position + range.lowerBound
    origin = window.origin + range.lowerBound
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
