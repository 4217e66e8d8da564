public import LinearAlgebra

/// One run of a model over one window: what every layer and cell reads and writes through.
///
/// `pass[x]` is the value of x and `pass.d[x]` the derivative of the loss with respect to x, for a
/// parameter or an activation; at one step (`pass[h, t]`, streams × width) or for all steps
/// (`pass[h]`, steps · streams × width, time-major).
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

  /// A pass over a batch with a tape that was laid out for it.
  /// - Parameter gradient: where derivatives of the parameters are added; nil to evaluate.
  public init(
    _ batch: Batch, on tape: Tape, weights: ParameterVector, gradient: ParameterVector? = nil
  ) {
    precondition(gradient == nil || tape.hasDerivatives, "training on a tape without derivatives")
    precondition(!batch.hasResets || tape.canReset, "resets on a tape made without them")
    slots = tape.slots
    self.tape = tape
    self.weights = weights
    products = weights.makeProducts()
    products.clock = tape.profile?.products
    products.rowsOfStep = batch.steps > 1 ? batch.streams : 0
    self.batch = batch
    steps = batch.steps
    streams = batch.streams
    isTraining = gradient != nil
    d = Derivatives(slots: tape.slots, gradient: gradient, products: products)
    tape.read(pasts: batch)
    batch.findDistinct()
    batch.source?.findDistinct()
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

  /// What the head reports.
  public var loss: Loss { tape.loss }

  /// A parameter as a factor of products; `.matrix` and `.row` for elementwise use.
  public subscript(p: Parameter) -> Weight { products.weight(p.index, weights[p]) }

  /// The value at one step.
  public subscript(x: Activation, t: Int) -> Matrix { slots[x.index].value(t) }

  /// The values at all steps.
  public subscript(x: Activation) -> Matrix { slots[x.index].values(from: 0) }

  /// The value of a state one step earlier, as step t sees it: the window before at t = 0, zero where
  /// the stream starts anew.
  public func before(_ h: Activation, _ t: Int) -> Matrix {
    let slot = slots[h.index]
    return slot.past < 0 ? slot.value(t - 1) : slots[slot.past].value(t)
  }

  /// The values of a state `lag` steps earlier, for all steps.
  public func before(_ h: Activation, lag: Int) -> Matrix {
    precondition(lag == 1, "a state reaches one step back")
    let slot = slots[h.index]
    return slot.past < 0 ? slot.values(from: -1) : slots[slot.past].values(from: 0)
  }

  /// Memory of the layer that asked for it.
  public func scratch(_ scratch: Scratch) -> Buffer<Real> { tape.scratches[scratch.index] }

  /// Fills in what step t of a state sees of the step before, where streams start anew.
  func maskPast(of h: Activation, _ t: Int) {
    let slot = slots[h.index]
    guard slot.past >= 0 else { return }
    let (last, past) = (slot.value(t - 1), slots[slot.past].value(t))
    past.copy(last)
    for s in 0..<streams where batch.resets.start[t * streams + s] != 0 {
      past[s].elements.update(repeating: 0)
    }
  }

  /// Makes the derivative of what step t sees of the step before zero, where streams start anew.
  func clearPast(of h: Activation, _ t: Int) {
    let slot = slots[h.index]
    if slot.past >= 0 { slots[slot.past].derivative(t).fill(0) }
  }

  /// Takes the derivative of what step t saw back to the step before, but not across a reset.
  func unmaskPast(of h: Activation, _ t: Int) {
    let slot = slots[h.index]
    guard slot.past >= 0 else { return }
    let (last, past) = (slot.derivative(t - 1), slots[slot.past].derivative(t))
    // What rolls is set, and holds the derivative of the step after until then.
    if slot.derivativeSteps != -1 { last.fill(0) }
    for s in 0..<streams where batch.resets.start[t * streams + s] == 0 {
      last.slice(rows: s..<s + 1).add(past.slice(rows: s..<s + 1))
    }
  }
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

  /// The derivative with respect to the value at one step.
  public subscript(x: Activation, t: Int) -> Matrix { slots[x.index].derivative(t) }

  /// The derivatives at all steps.
  public subscript(x: Activation) -> Matrix { slots[x.index].derivatives() }

  /// The derivative with respect to what step t saw of a state's earlier step.
  public func before(_ h: Activation, _ t: Int) -> Matrix {
    let slot = slots[h.index]
    return slot.past < 0 ? slot.derivative(t - 1) : slots[slot.past].derivative(t)
  }
}

extension Tape.Slot {
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
