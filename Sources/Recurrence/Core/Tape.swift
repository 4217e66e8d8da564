public import LinearAlgebra

/// The memory of one window: every activation at every time step, and the derivative of the loss
/// with respect to it.
///
/// A tape is allocated once, for a capacity in steps and streams, and laid out anew by `begin` for
/// whatever fits: a short last window, another number of streams, a single step. Laying out,
/// turning and clearing allocate nothing.
public final class Tape: @unchecked Sendable {
  /// Where one activation lies in the current layout.
  struct Slot {
    /// Step 0; a state has `lag · streams` rows before it.
    var value: UnsafeMutablePointer<Real>
    var derivative: UnsafeMutablePointer<Real>
    let width: Int
    /// Which bits of a step count: all, or the last where derivatives of two steps take turns, or
    /// none where each step takes the place of the one before.
    let valueSteps: Int
    var derivativeSteps: Int
    var steps = 0
    var streams = 0
    /// Of a state, the first of the slots that hold its earlier steps as they are seen; −1 where
    /// the steps themselves are.
    var past = -1
    /// Of a state, the first of the slots that hold what products read of its earlier steps; −1
    /// where that is all that is seen.
    var reads = -1
    /// Which earlier step the slot holds, or how many of them are carried.
    let lag: Int
  }

  private struct Extent {
    var steps = 0
    var streams = 0
    let values: Buffer<Real>
    let derivatives: Buffer<Real>
    /// How much of `derivatives` the current layout uses.
    var used = 0
  }

  let slots: UnsafeMutablePointer<Slot>
  let scratches: [Buffer<Real>]
  /// Whether there is room for derivatives; without it a tape serves evaluation and generation.
  public let hasDerivatives: Bool
  /// Whether streams may start anew inside a window.
  public let canReset: Bool
  /// Whether steps see earlier ones through copies in every window, not only where streams start
  /// anew.
  var seesCopies = false
  /// What the head reports of the window.
  public let loss: Loss
  /// Where a pass reports how long its parts take; nil costs nothing.
  public var profile: Profile?

  let shapes: [Plan.ActivationShape]
  private var extents: [Extent]
  private let carried: [Int: Buffer<Real>]

  /// Allocates room for windows of up to `steps` × `streams` on every axis.
  /// - Parameters:
  ///   - derivatives: false for evaluation and generation, which need no way back.
  ///   - resets: whether streams may start anew inside a window; costs one more copy of every
  ///     state.
  public convenience init(
    _ plan: Plan, steps: Int, streams: Int, derivatives: Bool, resets: Bool = false
  ) {
    self.init(
      plan, fitting: [WindowSize(steps: steps, streams: streams)], derivatives: derivatives,
      resets: resets)
  }

  /// Allocates room for windows of any of some sizes.
  /// - Parameter part: the most steps of them that there is to be room for at once; nil for all.
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
    let streams = sizes.map(\.streams).max()!
    var carried: [Int: Buffer<Real>] = [:]
    for (index, shape) in activations.enumerated() where shape.lag > 0 {
      carried[index] = Buffer(count: shape.lag * streams * shape.width)
    }
    self.carried = carried
    slots = .allocate(capacity: max(activations.count, 1))
    for (index, shape) in activations.enumerated() {
      let start = extents[shape.axis.index].values.start
      (slots + index).initialize(
        to: Slot(
          value: start, derivative: start, width: shape.width,
          valueSteps: shape.isStepTemporary ? 0 : -1,
          derivativeSteps: shape.isStepTemporary
            ? 0 : shape.use == .rolling && derivatives ? 1 : -1,
          lag: max(shape.lag, shape.delay)))
    }
  }

  deinit { slots.deallocate() }

  /// Begins a window: lays the tape out for a batch, puts the carried states before its first step,
  /// clears the gradients of activations, and returns the pass that layers run through.
  ///
  /// - Parameters:
  ///   - gradient: the gradient that the parameters' is added to; nil for evaluation.
  ///   - isRepeated: true if further passes with the same weights follow, so that packed copies of the
  ///     weights are worth keeping.
  ///   - keepsSource: true to leave the axis of the source as it is, for the next steps of a decoder
  ///     whose encoder has run.
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
    read(pasts: batch, masked: gradient != nil)
    batch.findDistinct()
    if let source = batch.source {
      source.follow(batch)
      source.findDistinct()
    }
    return Pass(batch, on: self, weights: weights, products, gradient: gradient)
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
      if shape.delay > 0 && !canReset && !shape.isKept { continue }
      let row = streams * shape.width
      let before = shape.lag * row
      let size = shape.isStepTemporary ? row : before + steps * row
      slots[index].steps = steps
      slots[index].streams = streams
      slots[index].value = value + before
      value += size
      if hasDerivatives && shape.use == .added {
        slots[index].derivative = derivative + before
        derivative += size
      } else if hasDerivatives && shape.use == .rolling {
        slots[index].derivative = derivative
        derivative += 2 * row
      } else {
        slots[index].derivative = slots[index].value
      }
      if let last = carried[index] {
        precondition(before <= last.count, "\(streams) streams on a tape for fewer")
        (slots[index].value - before).update(from: last.start, count: before)
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

  /// Whether states are seen through copies of their earlier steps, as on axes where a batch has
  /// resets, or directly, so many steps late; and whether products read masked copies where there
  /// are any.
  func read(pasts batch: Batch, masked: Bool) {
    for index in 0..<shapes.count where shapes[index].pasts > 0 {
      let first = index - shapes[index].pasts
      let resets = shapes[index].axis == .time ? batch.hasResets : batch.source?.hasResets ?? false
      slots[index].reads = masked ? shapes[index].reads : -1
      slots[index].past = resets || seesCopies || shapes[first].isKept ? first : -1
    }
  }

  /// Carries every state from the end of this window to the start of the next.
  public func carryStates() {
    for (index, last) in carried {
      let slot = slots[index]
      let count = shapes[index].lag * slot.streams * slot.width
      let end = slot.value + slot.steps * slot.streams * slot.width
      last.start.update(from: end - count, count: count)
    }
  }

  /// Carries for every stream what another one has come to: stream s goes on from `parents[s]`, as
  /// hypotheses of a search do.
  func carryStates(from parents: [Int]) {
    for (index, last) in carried where shapes[index].axis == .time {
      let (slot, lag) = (slots[index], shapes[index].lag)
      let end = Matrix(
        slot.value + (slot.steps - lag) * slot.streams * slot.width, rows: lag * slot.streams,
        columns: slot.width)
      let start = Matrix(last, rows: end.rows, columns: end.columns)
      for step in 0..<lag {
        for (s, parent) in parents.enumerated() {
          start[step * slot.streams + s].copy(end[step * slot.streams + parent])
        }
      }
    }
  }

  /// Notes the target of a stream's last step where it is known only now, as when drawing symbols.
  func note(target: Int32, of stream: Int = 0) {
    for (index, last) in carried where shapes[index].isTarget {
      last.elements()[stream] = Real(target + 1)
    }
  }

  /// The same of numbers and labels, those of all streams one after the other.
  func note(values: [Real]) {
    for (index, last) in carried where shapes[index].isTarget {
      _ = last.elements().update(fromContentsOf: values)
    }
  }

  /// The numbers that all states carry, of as many streams as there is room for.
  var carriedCount: Int { carried.values.reduce(0) { $0 + $1.count } }

  /// Copies what the next window will find before its first step.
  func storeCarried(in buffer: Buffer<Real>) {
    forEachCarried { last, _, place in
      (buffer.start + place).update(from: last.start, count: last.count)
    }
  }

  /// Copies what `carryStates` would carry, as `storeCarried` does then.
  func storeEnd(in buffer: Buffer<Real>) {
    forEachCarried { _, index, place in
      let slot = slots[index]
      let count = shapes[index].lag * slot.streams * slot.width
      let end = slot.value + slot.steps * slot.streams * slot.width
      (buffer.start + place).update(from: end - count, count: count)
    }
  }

  /// Puts back what `storeCarried` has copied.
  func restoreCarried(from buffer: Buffer<Real>) {
    forEachCarried { last, _, place in
      last.start.update(from: buffer.start + place, count: last.count)
    }
  }

  /// Copies the derivatives of the carried states, those of the rows before step 0.
  func exportStateGradient(into buffer: Buffer<Real>) {
    forEachCarried { _, index, place in
      guard shapes[index].use != .none else { return }
      let slot = slots[index]
      let row = slot.streams * slot.width
      for k in 1...shapes[index].lag {
        (buffer.start + place + (shapes[index].lag - k) * row).update(
          from: slot.derivative(-k)[0].elements.baseAddress!, count: row)
      }
    }
  }

  /// Puts the derivatives that `exportStateGradient` has copied to the last steps of this window.
  func importStateGradient(_ buffer: Buffer<Real>) {
    forEachCarried { _, index, place in
      guard shapes[index].use != .none else { return }
      let slot = slots[index]
      let row = slot.streams * slot.width
      for k in 1...shapes[index].lag {
        slot.derivative(slot.steps - k)[0].elements.baseAddress!.update(
          from: buffer.start + place + (shapes[index].lag - k) * row, count: row)
      }
    }
  }

  func forEachCarried(_ body: (Buffer<Real>, Int, Int) -> Void) {
    var place = 0
    for index in 0..<shapes.count {
      guard let last = carried[index] else { continue }
      body(last, index, place)
      place += last.count
    }
  }

  /// Forgets what was carried: every stream starts from zero.
  public func clearCarried() {
    for last in carried.values { last.clear() }
  }

  /// What the next window will find of a state before its first step, the earliest step first:
  /// `lag · streams × width`.
  public func carried(_ state: Activation, streams: Int) -> Matrix {
    let shape = shapes[state.index]
    return Matrix(carried[state.index]!, rows: shape.lag * streams, columns: shape.width)
  }
}
