internal import LinearAlgebra

/// Backpropagation through a window in segments, each of which is computed twice: memory for √T steps
/// and √T states in place of T steps (Chen 2016).
///
/// The layers run through the window once and leave the states at the segments' edges. Then, from the
/// last segment to the first, a segment is computed again from its edge, with its loss, and taken back;
/// the derivative of the states at its edge is handed to the segment before. Every segment is a window
/// of the whole model, so layers that need all steps at once, such as bidirectional ones, cannot be
/// taken back like that. The result has the bits of the same segments with everything stored.
public final class Segments {
  /// The steps of a segment, but of the last, which may be shorter.
  public let length: Int
  private let tape: Tape
  private let batch: Batch
  /// The carried states at each segment's start, and at the window's end.
  private var edges: [Buffer<Real>] = []
  private let handed: Buffer<Real>

  /// - Parameters:
  ///   - length: at least as long as the furthest step that a state is read.
  ///   - tape: with room for `length` steps.
  ///   - window: the size of the whole window.
  public init(
    of window: WindowSize, length: Int, on tape: Tape, for plan: Plan, widths: Batch.Widths
  ) {
    precondition(length >= plan.longestLag, "segments of \(length) steps")
    self.length = length
    self.tape = tape
    batch = Batch(rows: length * window.streams, streams: window.streams, widths: widths)
    let count = (window.steps - 1) / length + 2
    edges = (0..<count).map { _ in Buffer(count: tape.carriedCount) }
    handed = Buffer(count: tape.carriedCount)
  }

  /// The segment length that needs the least memory for windows of so many steps: ⌈√T⌉.
  public static func squareRoot(of steps: Int) -> Int {
    Int(Double(steps).squareRoot().rounded(.up))
  }

  /// Runs a model over a window, there and back. Afterwards the tape carries what it carried before;
  /// `turn` goes on to the window's end. The tape's loss is that of the window.
  public func differentiate(
    _ model: any Model, _ window: Batch, weights: ParameterVector, gradient: ParameterVector
  ) {
    let count = (window.steps - 1) / length + 1
    tape.storeCarried(in: edges[0])
    for k in 0..<count {
      let pass = begin(k, of: window, weights, gradient)
      model.read(pass)
      tape.turn()
      tape.storeCarried(in: edges[k + 1])
    }
    end = edges[count]
    var (sum, targets, correct) = (0.0, 0, 0)
    handed.clear()
    for k in (0..<count).reversed() {
      tape.restoreCarried(from: edges[k])
      let pass = begin(k, of: window, weights, gradient)
      if k < count - 1 { tape.takeUp(handed) }
      model.forward(pass)
      sum += tape.loss.sum
      targets += tape.loss.targets
      correct += tape.loss.correct
      model.backward(pass)
      tape.handBack(into: handed)
    }
    (tape.loss.sum, tape.loss.targets, tape.loss.correct) = (sum, targets, correct)
  }
  private var end: Buffer<Real>?

  /// Carries the states at the window's end into the next window.
  public func turn() {
    if let end { tape.restoreCarried(from: end) }
  }

  private func begin(
    _ k: Int, of window: Batch, _ weights: ParameterVector, _ gradient: ParameterVector
  ) -> Pass {
    batch.copy(k * length..<min((k + 1) * length, window.steps), of: window)
    tape.begin(batch)
    return Pass(batch, on: tape, weights: weights, gradient: gradient, isRepeated: true)
  }
}

extension Batch {
  /// Becomes some of the steps of another batch.
  func copy(_ range: Range<Int>, of window: Batch) {
    precondition(widths == window.widths, "a part of a batch of other widths")
    begin(steps: range.count, streams: window.streams)
    epoch = window.epoch
    position = window.position + range.lowerBound
    origin = range.lowerBound
    let first = range.lowerBound * streams
    inputs.copy(rows, from: window.inputs, at: first)
    targets.copy(rows, from: window.targets, at: first)
    resets.copy(rows, from: window.resets, at: first)
    hasResets = window.hasResets
    features.copy(rows * widths.features, from: window.features, at: first * widths.features)
    values.copy(rows * widths.values, from: window.values, at: first * widths.values)
    condition.copy(streams * widths.condition, from: window.condition, at: 0)
    keys.copy(streams, from: window.keys, at: 0)
    totals.copy(streams, from: window.totals, at: 0)
    let (own, whole) = (lengths.elements(count: streams), window.lengths.elements(count: streams))
    for s in 0..<streams {
      own[s] = Int32(Swift.min(Swift.max(Int(whole[s]) - range.lowerBound, 0), range.count))
    }
  }
}
