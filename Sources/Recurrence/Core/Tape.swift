public import LinearAlgebra
public import Sequences

/// The memory of one window: every activation at every time step, and the gradient of the loss with
/// respect to it.
///
/// A tape is allocated once, for a capacity in steps and streams, and laid out anew by `begin` for
/// whatever fits: a short last window, another number of streams, a single step. Laying out, carrying
/// states and clearing allocate nothing.
public final class Tape: @unchecked Sendable {
  /// The place of one activation in the current layout.
  struct Slot {
    /// The steps of a gradient that have memory.
    enum GradientSteps { case every, two, one }

    /// Step 0; a state has its carried steps before it.
    var value: UnsafeMutablePointer<Real>
    var derivative: UnsafeMutablePointer<Real>
    let width: Int
    /// True if each step takes the place of the one before.
    let isStepTemporary: Bool
    let gradientSteps: GradientSteps
    /// The steps of a window for each value.
    let chunk: Int
    /// The values of the window: its steps, or its chunks.
    var steps = 0
    var streams = 0
    /// The first slot of a state's copies, in the order of their lags; nil where steps read
    /// the state itself.
    var copies: Int?
    /// The first slot of the copies of a state that products read; nil where products read what
    /// steps read.
    var maskedCopies: Int?
    /// The lag of a copy, or the number of steps of a state that are carried.
    let lag: Int
  }

  private struct Extent {
    var steps = 0
    var streams = 0
    let values: Buffer<Real>
    let derivatives: Buffer<Real>
    /// The count of numbers in `derivatives` that the current layout uses.
    var used = 0
  }

  let slots: UnsafeMutablePointer<Slot>
  let scratches: [Buffer<Real>]
  /// True if there is room for gradients; without it a tape serves evaluation and sampling.
  public let hasDerivatives: Bool
  /// True if streams may start anew inside a window.
  public let canReset: Bool
  /// True if steps read earlier ones through copies in every window, not only where streams start
  /// anew.
  var seesCopies = false
  /// The loss of the window.
  public let loss: Loss
  /// The clock that a pass reports its parts to; nil costs nothing.
  public var profile: Profile?
  /// The observer of backward passes; nil costs nothing.
  public var observer: (any BackwardObserver)?
  /// True if gradients are final at the end of the next backward pass, which the observer then sees.
  var isLastPass = true

  let shapes: [Plan.ActivationShape]
  /// The states whose earlier steps may be read through copies, with the first of these.
  private let copiedStates:
    [(index: Int, axis: Axis, copies: Int, isPermanent: Bool, maskedCopies: Int?)]
  private var extents: [Extent]
  /// The states that are carried from window to window: those of the streams whose turn it is.
  package private(set) var states: StateStore
  /// True if several methods take turns on the tape, so that each keeps what it needs of its last window.
  package private(set) var takesTurns = false
  private let mostStreams: Int

  /// Allocates room for windows of up to `steps` × `streams` on every axis.
  /// - Parameters:
  ///   - plan: The plan of the model.
  ///   - steps: The most time steps of a window.
  ///   - streams: The most streams of a window.
  ///   - derivatives: False for evaluation and sampling, which have no backward pass.
  ///   - resets: True if streams may start anew inside a window; costs one more copy of every
  ///     state.
  public convenience init(
    _ plan: Plan, steps: Int, streams: Int, derivatives: Bool, resets: Bool = false
  ) {
    self.init(
      plan, fitting: [WindowSize(steps: steps, streams: streams)], derivatives: derivatives,
      resets: resets)
  }

  /// Allocates room for windows of any of some sizes.
  /// - Parameters:
  ///   - plan: The plan of the model.
  ///   - windows: The sizes of the windows.
  ///   - part: The most steps of them that there is to be room for at once; nil for all.
  ///   - derivatives: False for evaluation and sampling, which have no backward pass.
  ///   - resets: True if streams may start anew inside a window; costs one more copy of every
  ///     state.
  public init(
    _ plan: Plan, fitting windows: [WindowSize], atMost part: Int? = nil, derivatives: Bool,
    resets: Bool = false
  ) {
    let sizes = Self.sizes(windows, atMost: part)
    precondition(
      !sizes.isEmpty && sizes.allSatisfy { $0.steps > 0 && $0.streams > 0 },
      "a tape for windows of \(sizes)")
    let activations = plan.activations
    shapes = activations
    copiedStates = activations.enumerated().compactMap { index, shape in
      guard let state = shape.kind.state, let first = state.copies.first else { return nil }
      return (
        index, shape.axis, first, activations[first].kind.takesMemory(resets: false),
        state.maskedCopies?.lowerBound
      )
    }
    hasDerivatives = derivatives
    canReset = resets
    loss = Loss(rows: sizes.map { $0.steps * $0.streams }.max()!)
    extents = plan.axes.indices.map { axis in
      let size = Self.size(
        plan, Axis(index: axis), sizes, derivatives: derivatives, resets: resets)
      return Extent(
        values: Buffer(count: Int(size.values)), derivatives: Buffer(count: Int(size.derivatives)))
    }
    scratches = plan.scratches.map { Buffer(count: Int(Self.count($0, sizes))) }
    mostStreams = sizes.map(\.streams).max()!
    states = StateStore(activations, streams: mostStreams)
    slots = .allocate(capacity: max(activations.count, 1))
    for (index, shape) in activations.enumerated() {
      let start = extents[shape.axis.index].values.start
      let isTemporary = shape.kind.isStepTemporary
      (slots + index).initialize(
        to: Slot(
          value: start, derivative: start, width: shape.width, isStepTemporary: isTemporary,
          gradientSteps: isTemporary
            ? .one : shape.gradient == .rolling && derivatives ? .two : .every,
          chunk: shape.kind.chunk,
          lag: shape.kind.copiedLag ?? shape.carriedSteps))
    }
  }

  deinit { slots.deallocate() }

  /// Begins a window: lays the tape out for a batch, puts the carried states before its first step,
  /// clears the gradients of activations, and returns the pass that layers run through.
  ///
  /// - Parameters:
  ///   - batch: The inputs and targets of the window.
  ///   - weights: The weights that the pass reads.
  ///   - gradient: The gradient that the parameters' is added to; nil for evaluation.
  ///   - isRepeated: True if further passes with the same weights follow, so that packed copies of
  ///     the weights are worth keeping.
  ///   - keepsSource: True to leave the axis of the source as it is, for the next steps of a
  ///     decoder whose encoder has run.
  public func begin(
    _ batch: Batch, weights: ParameterVector, gradient: ParameterVector? = nil,
    isRepeated: Bool = false, keepsSource: Bool = false
  ) -> Pass {
    layOut(steps: batch.steps, streams: batch.streams, keepsSource ? nil : batch.source)
    return pass(over: batch, weights: weights, gradient: gradient, isRepeated: isRepeated)
  }

  /// Returns a pass over a batch that the tape is laid out for.
  package func pass(
    over batch: Batch, weights: ParameterVector, gradient: ParameterVector? = nil,
    isRepeated: Bool = false
  ) -> Pass {
    precondition(gradient == nil || hasDerivatives, "training on a tape without gradients")
    precondition(!batch.hasResets || canReset, "resets on a tape made without them")
    let products = weights.makeProducts()
    products.clock = profile?.products
    products.rowsOfStep = batch.steps > 1 ? batch.streams : 0
    products.copiesTakeTurns = gradient != nil && !isRepeated
    let dropped = gradient == nil ? nil : weights.dropWeights(for: batch)
    if let masked = dropped?.products {
      masked.clock = products.clock
      masked.rowsOfStep = products.rowsOfStep
      masked.copiesTakeTurns = products.copiesTakeTurns
    }
    read(pasts: batch, masked: gradient != nil)
    batch.findDistinct()
    if let source = batch.source {
      source.follow(batch)
      source.findDistinct()
    }
    return Pass(
      batch, on: self, weights: weights, products, dropped: dropped, gradient: gradient)
  }

  /// Lays out the axes of steps and of streams, and that of the source where there is one.
  package func layOut(steps: Int, streams: Int, _ source: Batch? = nil) {
    layOut(steps: steps, streams: streams, on: .time)
    layOut(steps: 1, streams: streams, on: .stream)
    if let source { layOut(steps: source.steps, streams: source.streams, on: .source) }
  }

  /// Lays one axis out for a window, puts the carried states before its first step and clears the
  /// gradients that are added to.
  package func layOut(steps: Int, streams: Int, on axis: Axis) {
    precondition(steps > 0 && streams > 0, "a window of \(steps) steps of \(streams) streams")
    let extent = extents[axis.index]
    var (value, derivative) = (extent.values.start, extent.derivatives.start)
    for index in 0..<shapes.count where shapes[index].axis == axis {
      let shape = shapes[index]
      guard shape.kind.takesMemory(resets: canReset) else { continue }
      let row = streams * shape.width
      let before = shape.carriedSteps * row
      let kept = shape.values(of: steps)
      let size = slots[index].isStepTemporary ? row : before + kept * row
      slots[index].steps = kept
      slots[index].streams = streams
      slots[index].value = value + before
      value += size
      if hasDerivatives && shape.gradient == .added {
        slots[index].derivative = derivative + before
        derivative += size
      } else if hasDerivatives && shape.gradient == .rolling {
        slots[index].derivative = derivative
        derivative += 2 * row
      } else {
        slots[index].derivative = slots[index].value
      }
      if let carried = states.entry(index)?.values {
        precondition(before <= carried.count, "\(streams) streams on a tape for fewer")
        (slots[index].value - before).update(from: carried.start, count: before)
      }
    }
    let used = derivative - extent.derivatives.start
    precondition(
      value - extent.values.start <= extent.values.count && used <= extent.derivatives.count,
      "a window of \(steps) × \(streams) is longer than this tape")
    extents[axis.index].steps = steps
    extents[axis.index].streams = streams
    extents[axis.index].used = used
    extent.derivatives.clear(0..<used)
  }

  /// Chooses what steps read of the earlier steps of states: copies, as on axes where a batch has resets, or
  /// the states themselves; and, for products, masked copies where there are any.
  func read(pasts batch: Batch, masked: Bool) {
    for state in copiedStates {
      let resets = state.axis == .time ? batch.hasResets : batch.source?.hasResets ?? false
      let isCopied = resets || seesCopies || state.isPermanent
      slots[state.index].copies = isCopied ? state.copies : nil
      slots[state.index].maskedCopies = masked ? state.maskedCopies : nil
    }
  }

  /// The last steps of a state in this window, as many as are carried.
  private func end(of entry: StateStore.Entry) -> (start: UnsafeMutablePointer<Real>, count: Int) {
    let slot = slots[entry.index]
    let row = slot.streams * slot.width
    return (slot.value + (slot.steps - entry.steps) * row, entry.steps * row)
  }

  /// Carries every state from the end of this window to the start of the next.
  public func carryStates() {
    for entry in states.entries {
      let (start, count) = end(of: entry)
      entry.values.start.update(from: start, count: count)
    }
  }

  /// Carries the states of chosen streams: stream s goes on from `parents[s]`, as the hypotheses of a search
  /// do.
  func carryStates(from parents: [Int]) {
    for entry in states.entries where shapes[entry.index].axis == .time {
      let streams = slots[entry.index].streams
      let end = Matrix(
        end(of: entry).start, rows: entry.steps * streams, columns: entry.width)
      let start = Matrix(entry.values, rows: end.rows, columns: end.columns)
      for step in 0..<entry.steps {
        for (s, parent) in parents.enumerated() {
          start[step * streams + s].copy(end[step * streams + parent])
        }
      }
    }
  }

  /// Copies what `carryStates` would carry into a buffer, as `StateStore.store` does then.
  func storeEnd(in buffer: Buffer<Real>) {
    for entry in states.entries {
      let (start, count) = end(of: entry)
      (buffer.start + entry.place).update(from: start, count: count)
    }
  }

  /// Copies the gradients of the carried states, those of the steps before step 0.
  func exportStateGradient(into buffer: Buffer<Real>) {
    forEachGradient { entry, slot, row in
      for k in 1...entry.steps {
        (buffer.start + entry.place + (entry.steps - k) * row).update(
          from: slot.derivative(-k)[0].elements.baseAddress!, count: row)
      }
    }
  }

  /// Puts the gradients that `exportStateGradient` has copied to the last steps of this window.
  func importStateGradient(_ buffer: Buffer<Real>) {
    forEachGradient { entry, slot, row in
      for k in 1...entry.steps {
        slot.derivative(slot.steps - k)[0].elements.baseAddress!.update(
          from: buffer.start + entry.place + (entry.steps - k) * row, count: row)
      }
    }
  }

  private func forEachGradient(_ body: (StateStore.Entry, Slot, _ row: Int) -> Void) {
    for entry in states.entries where shapes[entry.index].gradient != .none {
      let slot = slots[entry.index]
      body(entry, slot, slot.streams * slot.width)
    }
  }

  /// Makes room for the carried states of other streams, which take turns on the tape with those it has.
  package func makeStates() -> StateStore {
    takesTurns = true
    return StateStore(shapes, streams: mostStreams)
  }

  /// Gives the tape to the streams with these states.
  package func use(_ states: StateStore) { self.states = states }

  /// Forgets the carried states: every stream starts from zero.
  public func clearCarried() { states.clear() }

  /// The steps of a state that the next window finds before its first step, the earliest first:
  /// `lag · streams × width`.
  public func carried(_ state: Activation, streams: Int) -> Matrix {
    states.rows(of: state, streams: streams)
  }

  /// Returns the carried steps of a state stream by stream, the earliest step first.
  public func carriedByStream(_ state: Activation, streams: Int) -> Buffer<Real> {
    states.byStream(state, streams: streams)
  }

  /// Carries the steps that `carriedByStream` has returned.
  public func carry(_ state: Activation, byStream buffer: Buffer<Real>, streams: Int) {
    states.carry(state, byStream: buffer, streams: streams)
  }
}
