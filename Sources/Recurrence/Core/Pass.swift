public import LinearAlgebra

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
  public let batch: Batch
  /// The steps and streams of the axis that the pass walks along.
  public let steps: Int
  public let streams: Int
  /// Dropout is applied and derivatives are taken.
  public let isTraining: Bool
  /// The derivative of the loss with respect to whatever it is asked for.
  public let d: Derivatives

  /// Views of a tape that is laid out for a batch; `Tape.begin` makes them.
  init(
    _ batch: Batch, on tape: Tape, weights: ParameterVector, _ products: WeightProducts,
    gradient: ParameterVector?
  ) {
    slots = tape.slots
    self.tape = tape
    self.weights = weights
    self.products = products
    self.batch = batch
    steps = batch.steps
    streams = batch.streams
    isTraining = gradient != nil
    d = Derivatives(slots: tape.slots, gradient: gradient, products: products)
  }

  /// The same pass on another axis.
  private init(_ pass: Pass, along axis: Axis) {
    slots = pass.slots
    tape = pass.tape
    weights = pass.weights
    products = pass.products
    batch = pass.batch.on(axis)
    steps = axis == .stream ? 1 : batch.steps
    streams = batch.streams
    isTraining = pass.isTraining
    d = pass.d
  }

  /// What layers on an axis walk along: its steps, streams and symbols.
  public func along(_ axis: Axis) -> Pass { Pass(self, along: axis) }

  /// Whether stream s starts anew at step t.
  func begins(_ t: Int, _ s: Int) -> Bool {
    batch.hasResets && batch.resets.start[t * streams + s] != 0
  }

  /// What stream s is to predict at step t, `Batch.noTarget` or `Batch.end`.
  func target(_ t: Int, _ s: Int) -> Int32 { batch.targets.start[t * streams + s] }

  /// Whether the earlier steps of a state are seen through copies, which somebody has to fill in.
  func seesCopies(of h: Activation) -> Bool { slots[h.index].past >= 0 }

  /// What the head reports.
  public var loss: Loss { tape.loss }

  /// A parameter as a factor of products; `.matrix` and `.row` for elementwise use.
  public subscript(p: Parameter) -> Weight { products.weight(p.index, weights[p]) }

  /// The value at one step.
  public subscript(x: Activation, t: Int) -> Matrix { slots[x.index].value(t) }

  /// The values at all steps.
  public subscript(x: Activation) -> Matrix { slots[x.index].values(from: 0) }

  /// The value of a state one step earlier, as step t sees it: the window before at t = 0, the
  /// initial state where the stream starts anew.
  public func before(_ h: Activation, _ t: Int) -> Matrix {
    let slot = slots[h.index]
    return slot.past < 0 ? slot.value(t - 1) : slots[slot.past].value(t)
  }

  /// The value of a state `lag` steps earlier, as step t sees it: the initial state where the
  /// stream is younger than that.
  public func before(_ h: Activation, _ t: Int, lag: Int) -> Matrix {
    let slot = slots[h.index]
    precondition(
      lag <= slot.lag, "a state seen \(lag) steps later, of which \(slot.lag) are carried")
    return slot.past < 0 ? slot.value(t - lag) : slots[slot.past(lag, slots)].value(t)
  }

  /// The values of a state `lag` steps earlier, for all steps.
  public func before(_ h: Activation, lag: Int) -> Matrix {
    let slot = slots[h.index]
    return slot.past < 0
      ? slot.values(from: -lag) : slots[slot.past(lag, slots)].values(from: 0)
  }

  /// What products read of the state one step earlier: `before`, masked by recurrent dropout.
  public func read(_ h: Activation, _ t: Int) -> Matrix {
    let slot = slots[h.index]
    return slot.reads < 0 ? before(h, t) : slots[slot.reads].value(t)
  }

  /// What products read of the state `lag` steps earlier.
  public func read(_ h: Activation, _ t: Int, lag: Int) -> Matrix {
    let slot = slots[h.index]
    return slot.reads < 0 ? before(h, t, lag: lag) : slots[slot.read(lag, slots)].value(t)
  }

  /// What products read of the state `lag` steps earlier, for all steps.
  public func read(_ h: Activation, lag: Int) -> Matrix {
    let slot = slots[h.index]
    return slot.reads < 0 ? before(h, lag: lag) : slots[slot.read(lag, slots)].values(from: 0)
  }

  /// Whether products read masked copies of a state, which somebody has to fill in.
  func masksReads(of h: Activation) -> Bool { slots[h.index].reads >= 0 }

  /// Whether each row of a product is to depend on that row alone, to the bit.
  var rowsAreIndependent: Bool { products.rowsAreIndependent }

  /// Says that no more products with the weights that were used so far come next.
  func releasePackedWeights() { products.releasePackedWeights() }

  /// Memory of the layer that asked for it.
  public func scratch(_ scratch: Scratch) -> Buffer<Real> { tape.scratches[scratch.index] }
}

/// The derivative of the loss with respect to activations and parameters.
///
/// A derivative that others can see is only ever added to; it starts each window at zero.
public struct Derivatives {
  let slots: UnsafeMutablePointer<Tape.Slot>
  let gradient: ParameterVector?
  let products: WeightProducts

  /// The gradient of a parameter, in the shape in which it is stored; of a row-sparse one, only
  /// `addScattered` may add to it.
  public subscript(p: Parameter) -> WeightGradient {
    precondition(gradient!.touched[p.index] == nil, "a product for a gradient that is row-sparse")
    return products.gradient(gradient![p])
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

  /// The derivative with respect to the value at one step.
  public subscript(x: Activation, t: Int) -> Matrix { slots[x.index].derivative(t) }

  /// The derivatives at all steps.
  public subscript(x: Activation) -> Matrix { slots[x.index].derivatives() }

  /// Whether two steps of the derivative take turns.
  func rolls(_ h: Activation) -> Bool { slots[h.index].derivativeSteps != -1 }

  /// The derivative with respect to what step t saw of a state's earlier step.
  public func before(_ h: Activation, _ t: Int) -> Matrix {
    let slot = slots[h.index]
    return slot.past < 0 ? slot.derivative(t - 1) : slots[slot.past].derivative(t)
  }

  /// The derivative with respect to what step t saw of a state `lag` steps earlier.
  public func before(_ h: Activation, _ t: Int, lag: Int) -> Matrix {
    let slot = slots[h.index]
    return slot.past < 0 ? slot.derivative(t - lag) : slots[slot.past(lag, slots)].derivative(t)
  }

  /// The derivative with respect to what products of step t read of the state one step earlier.
  public func read(_ h: Activation, _ t: Int) -> Matrix {
    let slot = slots[h.index]
    return slot.reads < 0 ? before(h, t) : slots[slot.reads].derivative(t)
  }

  /// The derivative with respect to what products of step t read of the state `lag` steps earlier.
  public func read(_ h: Activation, _ t: Int, lag: Int) -> Matrix {
    let slot = slots[h.index]
    return slot.reads < 0 ? before(h, t, lag: lag) : slots[slot.read(lag, slots)].derivative(t)
  }
}

extension Tape.Slot {
  /// Which slot holds what is seen of a state `lag` steps earlier.
  func past(_ lag: Int, _ slots: UnsafeMutablePointer<Self>) -> Int { find(lag, past, slots) }

  /// Which slot holds what products read of a state `lag` steps earlier.
  func read(_ lag: Int, _ slots: UnsafeMutablePointer<Self>) -> Int { find(lag, reads, slots) }

  private func find(_ lag: Int, _ first: Int, _ slots: UnsafeMutablePointer<Self>) -> Int {
    precondition(lag > 0 && lag <= self.lag, "a state of \(self.lag) steps seen \(lag) steps later")
    var index = first
    while slots[index].lag < lag { index += 1 }
    precondition(slots[index].lag == lag, "a state not read \(lag) steps later")
    return index
  }

  @inline(__always) func value(_ t: Int) -> Matrix {
    Matrix(value + (t & valueSteps) * streams * width, rows: streams, columns: width)
  }
  @inline(__always) func values(from t: Int) -> Matrix {
    precondition(valueSteps == -1, "all steps of what is kept for one")
    return Matrix(value + t * streams * width, rows: steps * streams, columns: width)
  }
  @inline(__always) func derivative(_ t: Int) -> Matrix {
    Matrix(derivative + (t & derivativeSteps) * streams * width, rows: streams, columns: width)
  }
  @inline(__always) func derivatives() -> Matrix {
    precondition(derivativeSteps == -1, "all steps of a derivative that rolls")
    return Matrix(derivative, rows: steps * streams, columns: width)
  }
}
