public import LinearAlgebra

/// Truncated backpropagation through time in windows that overlap: an update reads k₁ new steps, whose
/// loss alone counts, and its gradient reaches back over the last k₂ (Williams & Peng 1990, BPTT(h; h′)).
///
/// What the layers computed of the k₂ − k₁ steps before is kept and not computed again with newer weights.
/// The tape is laid out for all steps; the way there runs on a view of it that begins at the first new
/// step and finds the kept ones before it, as it finds what is carried before any window; the way back runs
/// over all of it. Rows of a table that layers look symbols up in are weights and are read as they are now.
///
/// Steps see earlier ones through copies in every window, so that what they saw is kept like everything
/// else, also where streams start anew.
public final class OverlappingWindows {
  /// The most steps that are kept from one update to the next: k₂ − k₁.
  public let most: Int
  /// The steps that are kept now; fewer where streams have just begun.
  public private(set) var count = 0

  private let tape: Tape
  /// The kept steps and the new ones.
  private let window: Batch
  /// The numbers of one step of one stream.
  private let width: Int
  /// What the layers computed of the kept steps, activation by activation, and of the steps that are kept
  /// from this window on.
  private var values, coming: Buffer<Real>
  /// What was read at the kept steps.
  private let inputs: Buffer<Int32>
  private let resets: Buffer<UInt8>
  /// States before the steps that are kept from this window on, and at the window's end; the end of the
  /// window before.
  private let first, last, before: Buffer<Real>

  /// - Parameters:
  ///   - most: k₂ − k₁.
  ///   - window: k₂ steps of all streams, which the tape has room for.
  ///   - tape: made for streams that may start anew inside a window.
  public init(_ most: Int, of window: WindowSize, on tape: Tape) {
    precondition(most >= 0 && most < window.steps, "\(most) of \(window.steps) steps kept")
    precondition(tape.canReset, "kept steps on a tape without copies of what steps see")
    tape.seesCopies = true
    self.most = most
    self.tape = tape
    self.window = Batch(rows: window.steps * window.streams, streams: window.streams)
    width = tape.numbersPerStep
    values = Buffer(count: width * most * window.streams)
    coming = Buffer(count: width * most * window.streams)
    inputs = Buffer(count: most * window.streams)
    resets = Buffer(count: most * window.streams)
    first = Buffer(count: tape.carriedCount)
    last = Buffer(count: tape.carriedCount)
    before = Buffer(count: tape.carriedCount)
  }

  /// The bytes that `most` kept steps need besides the tape.
  public static func bytes(_ plan: Plan, most: Int, streams: Int) -> Double {
    let width = plan.numbersPerToken(resets: true).reduce(0) { $0 + $1.values }
    return 2 * Double(width) * Double(most) * Double(streams) * Double(MemoryLayout<Real>.stride)
  }

  /// Runs a model over new steps and back over the kept ones too; the tape's loss is that of the new ones.
  public func differentiate(
    _ model: any Model, _ batch: Batch, weights: ParameterVector, gradient: ParameterVector
  ) {
    let old = count
    read(batch)
    tape.begin(window)
    tape.put(values, at: 0..<old)
    tape.move(by: old, covering: batch.steps)
    model.forward(Pass(batch, on: tape, weights: weights, gradient: gradient))
    tape.move(by: -old, covering: window.steps)
    // The way there has put initial states before its first step.
    tape.put(values, at: 0..<old)
    let kept = max(window.steps - most, 0)..<window.steps
    tape.take(kept, into: coming)
    tape.storeStates(before: kept.lowerBound, in: first)
    tape.storeStates(before: kept.upperBound, in: last)
    model.backward(Pass(window, on: tape, weights: weights, gradient: gradient))
  }

  /// Goes on to the next steps.
  public func carryStates() {
    count = min(most, window.steps)
    swap(&values, &coming)
    let start = (window.steps - count) * window.streams
    inputs.copy(count * window.streams, from: window.inputs, at: start)
    resets.copy(count * window.streams, from: window.resets, at: start)
    before.copy(from: last)
    tape.restoreCarried(from: first)
  }

  /// Leaves the new steps out, as where a step is skipped: the next ones follow the state before them and
  /// find nothing kept.
  public func leaveOut() {
    if count > 0 { tape.restoreCarried(from: before) }
    count = 0
  }

  /// Forgets everything: streams start anew.
  public func clear() {
    count = 0
    tape.clearCarried()
  }

  /// Puts the kept steps and the new ones one behind the other.
  private func read(_ batch: Batch) {
    let streams = batch.streams
    window.begin(steps: count + batch.steps, streams: streams)
    window.keys.copy(streams, from: batch.keys, at: 0)
    window.epoch = batch.epoch
    window.position = batch.position - count
    window.hasResets = true
    let old = count * streams
    let (symbols, targets) = (window.inputs.elements(), window.targets.elements())
    let starts = window.resets.elements()
    for row in 0..<old {
      symbols[row] = inputs.elements()[row]
      targets[row] = Batch.noTarget
      starts[row] = resets.elements()[row]
    }
    let (newSymbols, newTargets) = (batch.inputs.elements(), batch.targets.elements())
    let newStarts = batch.resets.elements()
    for row in 0..<batch.rows {
      symbols[old + row] = newSymbols[row]
      targets[old + row] = newTargets[row]
      starts[old + row] = newStarts[row]
    }
  }
}

extension OverlappingWindows {
  /// What is kept of each stream, as a checkpoint holds it: steps × numbers, then the symbols read and
  /// whether streams began there.
  public func byStream(_ streams: Int) -> (values: Buffer<Real>, read: Buffer<Int32>) {
    let numbers = Buffer<Real>(count: count * width * streams)
    let read = Buffer<Int32>(count: 2 * count * streams)
    tape.exchange(values, numbers, steps: count, streams: streams) { $1.copy($0) }
    for s in 0..<streams {
      for t in 0..<count {
        read.elements()[(s * count + t) * 2] = inputs.elements()[t * streams + s]
        read.elements()[(s * count + t) * 2 + 1] = Int32(resets.elements()[t * streams + s])
      }
    }
    return (numbers, read)
  }

  /// Takes up what `byStream` has told of so many steps; the tape carries what lies before them.
  public func restore(
    _ numbers: Buffer<Real>, _ read: Buffer<Int32>, steps: Int, streams: Int
  ) {
    precondition(steps <= most, "\(steps) steps where \(most) are kept")
    count = steps
    tape.exchange(values, numbers, steps: count, streams: streams) { $0.copy($1) }
    for s in 0..<streams {
      for t in 0..<count {
        inputs.elements()[t * streams + s] = read.elements()[(s * count + t) * 2]
        resets.elements()[t * streams + s] = UInt8(read.elements()[(s * count + t) * 2 + 1])
      }
    }
  }

  /// The numbers that are kept of a step of a stream.
  public var numbersPerStep: Int { width }

  /// Calls `body` while the tape carries the states at the end of the last window, which every other way
  /// to go on begins with, and not those before the kept steps.
  public func atEnd<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
    guard count > 0 else { return try body() }
    let carried = Buffer<Real>(count: tape.carriedCount)
    tape.storeCarried(in: carried)
    tape.restoreCarried(from: before)
    defer { tape.restoreCarried(from: carried) }
    try body()
  }

  /// Notes what the tape carries as the end of the last window.
  public func noteEnd() { tape.storeCarried(in: before) }
}
