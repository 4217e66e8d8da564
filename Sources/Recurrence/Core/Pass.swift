public import LinearAlgebra
public import Sequences

/// One pass of a model over one window: the views through which every layer and cell reads and writes.
///
/// `pass[x]` is the value of x and `pass.d[x]` the gradient of the loss with respect to x, for a
/// parameter or an activation; at one step (`pass[h, t]`, streams × width) or for all steps
/// (`pass[h]`, steps · streams × width, time-major). `Tape.begin` makes a pass.
public struct Pass {
  let slots: UnsafeMutablePointer<Tape.Slot>
  let tape: Tape
  let weights: ParameterVector
  private let products: WeightProducts
  /// The weights of which numbers are dropped in this window; nil for none.
  private let dropped: DroppedWeights?
  public let batch: Batch
  /// The steps and streams of the axis that the pass walks along.
  public let steps: Int
  public let streams: Int
  /// True if dropout is applied and gradients are computed.
  public let isTraining: Bool
  /// The gradients of the loss.
  public let d: Derivatives

  /// Makes views of a tape that is laid out for a batch; called by `Tape.begin`.
  init(
    _ batch: Batch, on tape: Tape, weights: ParameterVector, _ products: WeightProducts,
    dropped: DroppedWeights?, gradient: ParameterVector?
  ) {
    slots = tape.slots
    self.tape = tape
    self.weights = weights
    self.products = products
    self.dropped = dropped
    self.batch = batch
    steps = batch.steps
    streams = batch.streams
    isTraining = gradient != nil
    d = Derivatives(
      slots: tape.slots, gradient: gradient, products: products, dropped: dropped)
  }

  /// Makes the same pass along another axis.
  private init(_ pass: Pass, along axis: Axis) {
    slots = pass.slots
    tape = pass.tape
    weights = pass.weights
    products = pass.products
    dropped = pass.dropped
    batch = pass.batch.on(axis)
    steps = axis == .stream ? 1 : batch.steps
    streams = batch.streams
    isTraining = pass.isTraining
    d = pass.d
  }

  /// The same pass along another axis: its steps, streams and symbols.
  public func along(_ axis: Axis) -> Pass { Pass(self, along: axis) }

  /// Returns true if stream s starts anew at step t.
  func begins(_ t: Int, _ s: Int) -> Bool {
    batch.hasResets && batch.resets.start[t * streams + s] != 0
  }

  /// The target of stream s at step t, `Batch.noTarget` or `Batch.end`.
  func target(_ t: Int, _ s: Int) -> Int32 { batch.targets.start[t * streams + s] }

  /// True if earlier steps of a state are read through copies, which its layer fills in.
  func seesCopies(of h: Activation) -> Bool { slots[h.index].copies != nil }

  /// The loss of the window.
  public var loss: Loss { tape.loss }

  /// A parameter as a factor of products; `.matrix` and `.row` for elementwise use.
  /// In training it lacks the numbers that weight dropout drops in this window.
  public subscript(p: Parameter) -> Weight {
    dropped?.weight(p) ?? products.weight(p.index, weights[p])
  }

  /// The value at one step.
  public subscript(x: Activation, t: Int) -> Matrix { slots[x.index].value(t) }

  /// The values at all steps.
  public subscript(x: Activation) -> Matrix { slots[x.index].values(from: 0) }

  /// Returns the rows of some steps, of all streams, where steps lie one after the other.
  func rows(of range: Range<Int>) -> Range<Int> {
    range.lowerBound * streams..<range.upperBound * streams
  }

  /// The steps of a chunk of a state of which windows keep the last; 1 where every step is kept.
  func chunk(of state: Activation) -> Int { slots[state.index].chunk }

  /// The value of a state one step earlier, as step t sees it: the window before at t = 0, the
  /// initial state where the stream starts anew.
  public func before(_ h: Activation, _ t: Int) -> Matrix {
    let slot = slots[h.index]
    guard let copy = slot.copies else { return slot.value(t - 1) }
    return slots[copy].value(t)
  }

  /// The value of a state `lag` steps earlier, as step t sees it: the initial state if the stream
  /// began after that step.
  public func before(_ h: Activation, _ t: Int, lag: Int) -> Matrix {
    let slot = slots[h.index]
    precondition(
      lag <= slot.lag, "a state seen \(lag) steps later, of which \(slot.lag) are carried")
    guard let first = slot.copies else { return slot.value(t - lag) }
    return slots[slot.copy(first, of: lag, slots)].value(t)
  }

  /// The values of a state `lag` steps earlier, for all steps.
  public func before(_ h: Activation, lag: Int) -> Matrix {
    let slot = slots[h.index]
    guard let first = slot.copies else { return slot.values(from: -lag) }
    return slots[slot.copy(first, of: lag, slots)].values(from: 0)
  }

  /// The state one step earlier as products read it: `before`, masked by recurrent dropout.
  public func read(_ h: Activation, _ t: Int) -> Matrix {
    let slot = slots[h.index]
    guard let copy = slot.maskedCopies else { return before(h, t) }
    return slots[copy].value(t)
  }

  /// The state `lag` steps earlier as products read it.
  public func read(_ h: Activation, _ t: Int, lag: Int) -> Matrix {
    let slot = slots[h.index]
    guard let first = slot.maskedCopies else { return before(h, t, lag: lag) }
    return slots[slot.copy(first, of: lag, slots)].value(t)
  }

  /// The state `lag` steps earlier as products read it, for all steps.
  public func read(_ h: Activation, lag: Int) -> Matrix {
    let slot = slots[h.index]
    guard let first = slot.maskedCopies else { return before(h, lag: lag) }
    return slots[slot.copy(first, of: lag, slots)].values(from: 0)
  }

  /// True if products read masked copies of a state, which its layer fills in.
  func masksReads(of h: Activation) -> Bool { slots[h.index].maskedCopies != nil }

  /// True if each row of a product depends on that row alone, to the bit.
  var rowsAreIndependent: Bool { products.rowsAreIndependent }

  /// The rows of products of gathered rows are a multiple of this number, so that a library that makes
  /// a product for each shape has few to make.
  var rowsOfProducts: Int { products.precision == .bfloat16 ? 16 : 1 }

  /// Releases the packed copies of the weights used so far. No more products with these weights may
  /// follow in this pass.
  func releasePackedWeights() {
    products.releasePackedWeights()
    dropped?.products.releasePackedWeights()
  }

  /// The temporary memory of a layer.
  public func scratch(_ scratch: Scratch) -> Buffer<Real> { tape.scratches[scratch.index] }
}

/// The gradient of the loss with respect to activations and parameters.
///
/// A gradient that others can see is only ever added to; it starts each window at zero.
public struct Derivatives {
  let slots: UnsafeMutablePointer<Tape.Slot>
  let gradient: ParameterVector?
  let products: WeightProducts
  let dropped: DroppedWeights?

  /// The gradient of a parameter, in the shape in which it is stored; of a row-sparse one, only
  /// `addScattered` may add to it.
  public subscript(p: Parameter) -> WeightGradient {
    precondition(gradient!.touched[p.index] == nil, "a product for a gradient that is row-sparse")
    return products.gradient(dropped?.gradient(p) ?? gradient![p])
  }

  /// Ends the gradients of weights of which numbers are dropped, after everything was added to them.
  func finishDropped(_ weights: [Parameter]) {
    guard let dropped, let gradient else { return }
    for p in weights { dropped.moveGradient(of: p, to: gradient) }
  }

  /// Adds row i of `terms` to row `places[i]` of the gradient of a parameter.
  public func addScattered(_ terms: Matrix, at places: Buffer<Int32>, to p: Parameter) {
    gradient!.addScattered(terms, at: places, to: p)
  }

  /// Adds to one row of the gradient of a parameter, which may be row-sparse.
  func add(_ terms: Row, to p: Parameter, row: Int) {
    gradient!.touched[p.index]?.insert(row)
    gradient![p][row].add(terms)
  }

  /// The gradient with respect to the value at one step.
  public subscript(x: Activation, t: Int) -> Matrix { slots[x.index].derivative(t) }

  /// The gradients at all steps.
  public subscript(x: Activation) -> Matrix { slots[x.index].derivatives() }

  /// True if two steps of the gradient take turns.
  func rolls(_ h: Activation) -> Bool { slots[h.index].gradientSteps != .every }

  /// The gradient of what step t saw of a state's earlier step.
  public func before(_ h: Activation, _ t: Int) -> Matrix {
    let slot = slots[h.index]
    guard let copy = slot.copies else { return slot.derivative(t - 1) }
    return slots[copy].derivative(t)
  }

  /// The gradient of what step t saw of a state `lag` steps earlier.
  public func before(_ h: Activation, _ t: Int, lag: Int) -> Matrix {
    let slot = slots[h.index]
    guard let first = slot.copies else { return slot.derivative(t - lag) }
    return slots[slot.copy(first, of: lag, slots)].derivative(t)
  }

  /// The gradient of what products of step t read of the state one step earlier.
  public func read(_ h: Activation, _ t: Int) -> Matrix {
    let slot = slots[h.index]
    guard let copy = slot.maskedCopies else { return before(h, t) }
    return slots[copy].derivative(t)
  }

  /// The gradient of what products of step t read of the state `lag` steps earlier.
  public func read(_ h: Activation, _ t: Int, lag: Int) -> Matrix {
    let slot = slots[h.index]
    guard let first = slot.maskedCopies else { return before(h, t, lag: lag) }
    return slots[slot.copy(first, of: lag, slots)].derivative(t)
  }
}

extension Tape.Slot {
  /// Returns the slot of the copy that steps read so many steps later.
  func copy(_ first: Int, of lag: Int, _ slots: UnsafeMutablePointer<Self>) -> Int {
    precondition(lag > 0 && lag <= self.lag, "a state of \(self.lag) steps read \(lag) steps later")
    var index = first
    while slots[index].lag < lag { index += 1 }
    precondition(slots[index].lag == lag, "a state that is not read \(lag) steps later")
    return index
  }

  @inline(__always) func value(_ t: Int) -> Matrix {
    Matrix(
      value + (isStepTemporary ? 0 : t) * streams * width, rows: streams, columns: width)
  }
  @inline(__always) func values(from t: Int) -> Matrix {
    precondition(!isStepTemporary, "all steps of what lasts for one")
    return Matrix(value + t * streams * width, rows: steps * streams, columns: width)
  }
  @inline(__always) func derivative(_ t: Int) -> Matrix {
    let step =
      switch gradientSteps {
      case .every: t
      case .two: t & 1
      case .one: 0
      }
    return Matrix(derivative + step * streams * width, rows: streams, columns: width)
  }
  @inline(__always) func derivatives() -> Matrix {
    precondition(gradientSteps == .every, "all steps of a gradient that rolls")
    return Matrix(derivative, rows: steps * streams, columns: width)
  }
}
