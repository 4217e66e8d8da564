internal import LinearAlgebra
public import Sequences

/// Truncated backpropagation through time with overlapping windows: an update reads k₁ new steps,
/// and only their loss counts; its gradient reaches back over the last k₂ steps (Williams & Peng
/// 1990, BPTT(h; h′)).
///
/// The activations of the k₂ − k₁ steps before are kept, and not computed again with newer weights.
/// The tape is laid out for all steps. The forward pass runs on a view of it that begins at the
/// first new step; it finds the kept steps before it, as any window finds the carried states. The
/// backward pass runs over all steps. The rows of an embedding are weights, and are read with their
/// present values.
///
/// Steps read earlier ones through copies in every window, so that the values they have read are
/// kept too, also where streams start anew.
public final class OverlappingWindows: GradientMethod {
  /// A request for windows of k₁ new steps after up to `keptSteps` = k₂ − k₁ kept ones.
  public struct Request: GradientMethodRequest {
    public let windows: [WindowSize]
    private let keptSteps: Int

    /// - Parameters:
    ///   - keptSteps: The most earlier steps whose activations are kept, k₂ − k₁.
    ///   - newSteps: The sizes of windows of the k₁ new steps alone.
    public init(keptSteps: Int, newSteps: [WindowSize]) {
      self.keptSteps = keptSteps
      windows = newSteps.map {
        WindowSize(
          steps: $0.steps + keptSteps, streams: $0.streams,
          sourceSteps: $0.sourceSteps)
      }
    }

    public var needsResets: Bool { true }
    public var needsEveryStep: Bool { true }

    public func bytes(_ plan: Plan) -> Double {
      windows.first.map {
        OverlappingWindows.bytes(plan, most: keptSteps, streams: $0.streams)
      } ?? 0
    }

    public func make(_ plan: Plan, on tape: Tape, _ widths: Batch.Widths) -> any GradientMethod {
      guard let window = windows.first else { return FullWindow(on: tape) }
      return OverlappingWindows(keptSteps, of: window, on: tape)
    }
  }

  /// The most steps that are kept from one update to the next: k₂ − k₁.
  public let most: Int
  /// The steps that are kept now; fewer where streams have just begun.
  public private(set) var count = 0

  public let tape: Tape
  /// The kept steps and the new ones.
  private let window: Batch
  /// The numbers of one step of one stream.
  private let width: Int
  /// The activations of the kept steps, one after another, and those of the steps that are kept
  /// from this window on.
  private var values, coming: Buffer<Real>
  /// The inputs of the kept steps.
  private let inputs: Buffer<Int32>
  private let resets: Buffer<UInt8>
  /// The states before the steps that are kept from this window on, the states at the window's end,
  /// and those at the end of the window before.
  private let first, last, before: Buffer<Real>

  /// - Parameters:
  ///   - most: k₂ − k₁.
  ///   - window: The size of k₂ steps of all streams, which must fit on the tape.
  ///   - tape: A tape for streams that may start anew inside a window.
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
    first = Buffer(count: tape.states.count)
    last = Buffer(count: tape.states.count)
    before = Buffer(count: tape.states.count)
  }

  /// The bytes that `most` kept steps need besides the tape.
  public static func bytes(_ plan: Plan, most: Int, streams: Int) -> Double {
    let width = plan.keepingEveryStep.numbersPerToken(resets: true).reduce(0) { $0 + $1.values }
    return 2 * Double(width) * Double(most) * Double(streams) * Double(MemoryLayout<Real>.stride)
  }

  /// Runs a model forward over the new steps, and backward over the kept steps too. The tape's loss
  /// is that of the new steps.
  public func differentiate(
    _ model: any Model, _ batch: Batch, weights: ParameterVector, gradient: ParameterVector
  ) {
    let old = count
    read(batch)
    tape.layOut(steps: window.steps, streams: window.streams)
    tape.put(values, at: 0..<old)
    tape.move(by: old, covering: batch.steps)
    model.forward(tape.pass(over: batch, weights: weights, gradient: gradient))
    tape.move(by: -old, covering: window.steps)
    // The forward pass has put initial states before its first step.
    tape.put(values, at: 0..<old)
    let kept = max(window.steps - most, 0)..<window.steps
    tape.take(kept, into: coming)
    tape.storeStates(before: kept.lowerBound, in: first)
    tape.storeStates(before: kept.upperBound, in: last)
    model.backward(tape.pass(over: window, weights: weights, gradient: gradient))
  }

  /// Advances to the next steps.
  public func carryStates() {
    count = min(most, window.steps)
    swap(&values, &coming)
    let start = (window.steps - count) * window.streams
    inputs.copy(count * window.streams, from: window.inputs, at: start)
    resets.copy(count * window.streams, from: window.resets, at: start)
    before.copy(from: last)
    tape.states.restore(from: first)
  }

  /// Leaves the new steps out, as where an update is skipped: the next ones follow the state before them
  /// and find nothing kept.
  public func discard() {
    if count > 0 { tape.states.restore(from: before) }
    count = 0
  }

  /// Clears everything: streams start anew.
  public func clear() {
    count = 0
    tape.clearCarried()
  }

  /// Puts the kept steps and the new ones one after another.
  private func read(_ batch: Batch) {
    let streams = batch.streams
    window.begin(steps: count + batch.steps, streams: streams)
    window.keys.copy(streams, from: batch.keys, at: 0)
    (window.epoch, window.step) = (batch.epoch, batch.step)
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

// The tensors in a checkpoint. The states at the position in the data have the same names with and
// without overlapping windows, so that a run can resume either way.
extension OverlappingWindows {
  public var keptSteps: Int { count }
  public var maximumKeptSteps: Int { most }

  public func streamTensors(_ plan: Plan, keptSteps: Int) -> [StreamTensor] {
    Self.streamTensors(plan, keptSteps: keptSteps)
  }

  /// The tensors that belong to streams where so many steps are kept.
  public static func streamTensors(_ plan: Plan, keptSteps: Int) -> [StreamTensor] {
    let states = plan.states.map { StreamTensor(plan.name(of: $0), .state($0), in: plan) }
    guard keptSteps > 0 else { return states }
    let before = plan.states.map {
      StreamTensor("before_kept." + plan.name(of: $0), .stateBeforeKept($0), in: plan)
    }
    let width = plan.keepingEveryStep.numbersPerToken(resets: true).reduce(0) { $0 + $1.values }
    return states + before + [
      StreamTensor("kept.values", shape: [keptSteps, width], .keptValues),
      StreamTensor("kept.read", shape: [keptSteps, 2], .keptInputs),
    ]
  }

  public func values(of tensors: [StreamTensor], streams: Int) -> [StreamValues] {
    tensors.map { tensor in
      switch tensor.content {
      case .state: atEnd { tape.values(of: tensor, streams: streams) }
      case .stateBeforeKept: tape.values(of: tensor, streams: streams)
      case .keptValues: .numbers(keptValues(streams))
      case .keptInputs: .integers(keptInputs(streams))
      }
    }
  }

  public func restore(
    _ tensors: [StreamTensor], _ values: [StreamValues], keptSteps: Int, streams: Int
  ) {
    precondition(keptSteps <= most, "\(keptSteps) steps where \(most) are kept")
    count = streams > 0 ? keptSteps : 0
    for (tensor, values) in zip(tensors, values) {
      switch (tensor.content, values) {
      case (.state, _): tape.restore(tensor, values, streams: streams)
      case (.stateBeforeKept, _): break
      case (.keptValues, .numbers(let numbers)):
        tape.exchange(self.values, numbers, steps: count, streams: streams) { $0.copy($1) }
      case (.keptInputs, .integers(let read)):
        forEachKeptInput(streams) { place, row in
          inputs.elements()[row] = read.elements()[place]
          resets.elements()[row] = UInt8(read.elements()[place + 1])
        }
      default: preconditionFailure("\(tensor.name) of another type")
      }
    }
    guard keptSteps > 0 else { return }
    // Above, the tape carries the states at the end of the last window; from here on those before the kept
    // steps.
    tape.states.store(in: before)
    for (tensor, values) in zip(tensors, values) {
      if case .stateBeforeKept = tensor.content {
        tape.restore(tensor, values, streams: streams)
      }
    }
  }

  private func keptValues(_ streams: Int) -> Buffer<Real> {
    let numbers = Buffer<Real>(count: count * width * streams)
    tape.exchange(values, numbers, steps: count, streams: streams) { $1.copy($0) }
    return numbers
  }

  private func keptInputs(_ streams: Int) -> Buffer<Int32> {
    let read = Buffer<Int32>(count: 2 * count * streams)
    forEachKeptInput(streams) { place, row in
      read.elements()[place] = inputs.elements()[row]
      read.elements()[place + 1] = Int32(resets.elements()[row])
    }
    return read
  }

  /// Visits the place of each kept step in a stream tensor and its row in this window.
  private func forEachKeptInput(_ streams: Int, _ body: (_ place: Int, _ row: Int) -> Void) {
    for s in 0..<streams {
      for t in 0..<count { body((s * count + t) * 2, t * streams + s) }
    }
  }

  /// Returns what `body` does while the tape carries the states at the end of the last window, which every
  /// other method goes on from, and not those before the kept steps.
  private func atEnd<Result>(_ body: () -> Result) -> Result {
    guard count > 0 else { return body() }
    let carried = Buffer<Real>(count: tape.states.count)
    tape.states.store(in: carried)
    tape.states.restore(from: before)
    defer { tape.states.restore(from: carried) }
    return body()
  }
}
