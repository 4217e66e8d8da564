internal import LinearAlgebra

/// What surrounds a cell in its layer.
public struct Surroundings: Hashable, Sendable {
  /// What states are before a stream's first step.
  public var initialState: InitialState
  /// A second recurrence through an output of the layer's own.
  public var feedback: FeedbackOptions?

  /// With what probability a unit of a state keeps its old value.
  public var zoneout: Double

  public init(
    initialState: InitialState = .zero, feedback: FeedbackOptions? = nil, zoneout: Double = 0
  ) {
    self.initialState = initialState
    self.feedback = feedback
    self.zoneout = zoneout
  }
}

/// A cell unrolled over the time steps of a window.
///
/// The preactivation of all steps is one product before the loop, the gradients of the weights one
/// product each after it. Streams that start anew inside the window are handled here and nowhere else.
public struct Recurrent<Cell: RecurrentCell>: Layer {
  public let output: Activation
  let cell: Cell
  private let feedback: OutputFeedback?
  private let age: Age?
  private let states: [Remembrance]
  /// Where the cell reads earlier inputs.
  private let delayed: DelayLine?
  private let projection: Projection
  public let probes: [Probe]

  /// - Parameters:
  ///   - dropout: on the states that products read.
  ///   - seed: keys dropout and zoneout.
  public init(
    _ options: Cell.Options, around surroundings: Surroundings = Surroundings(),
    dropout: Double = 0, seed: UInt64 = 0, reading input: Source, condition: Conditioning? = nil,
    in plan: inout Plan
  ) {
    let delays = Cell.inputDelays(options)
    delayed = delays == [0] ? nil : DelayLine(delays, reading: input, in: &plan)
    let known = plan.states.count
    cell = Cell(options, in: &plan)
    var zoneouts: [Activation: Zoneout] = [:]
    if surroundings.zoneout > 0 {
      for state in plan.states[known...] where plan.isDifferentiated(state) {
        zoneouts[state] = Zoneout(surroundings.zoneout, of: state, seed: seed, in: &plan)
      }
    }
    let shown = zoneouts[cell.output]?.held ?? cell.output
    feedback = surroundings.feedback.map { [cell] feedback in
      OutputFeedback(
        feedback, into: cell.preactivation, gates: Cell.gates(options), from: shown, in: &plan)
    }
    output = feedback?.output ?? shown
    let initial = surroundings.initialState
    let own = plan.states[known...].filter { plan.isState($0) }
    // Where streams start from zero and one step back is read, carried states need no more than clearing.
    let furthest = own.reduce(1) { max($0, plan.lag(of: $1)) }
    let needsAge = !own.isEmpty && (initial != .zero || furthest > 1)
    age = needsAge ? Age(upTo: furthest, in: &plan) : nil
    var dropouts: [Activation: RecurrentDropout] = [:]
    // A memory that only its cell sees is never masked.
    for state in own where dropout > 0 && plan.isShown(state) {
      dropouts[state] = RecurrentDropout(dropout, of: state, seed: seed, in: &plan)
    }
    states = own.map { [output, age] state in
      let zoneout = zoneouts[state]
      let isShown = output == zoneout?.held ?? state
      return Remembrance(
        state, Beginning(initial, of: state, isShown: isShown, in: &plan), zoneout: zoneout,
        dropout: dropouts[state], age: age?.steps, in: plan)
    }
    projection = Projection(
      plan.width(cell.preactivation), reading: delayed.map { .activation($0.output) } ?? input,
      names: ("weight_ih", "bias_ih"), gates: Cell.gates(options),
      biasedGates: Cell.biasedGates(options),
      pytorch: .uniform(1 / Double(options.hidden).squareRoot()),
      parts: Cell.inputBias(options), secondBias: cell.recurrentBias, condition: condition,
      in: &plan)
    probes = [
      Probe(
        layer: plan.scope.layer, state: own.contains(cell.output) ? shown : nil,
        gates: cell.gateBlocks, transitions: cell.transitions)
    ]
  }

  public init(_ options: Cell.Options, reading input: Activation, in plan: inout Plan) {
    self.init(options, reading: .activation(input), in: &plan)
  }

  public func forward(_ pass: Pass) {
    delayed?.forward(pass)
    projection.forward(into: pass[cell.preactivation], pass)
    pass.mark(.input)
    for state in states { state.begin(pass) }
    for t in 0..<pass.steps {
      age?.forward(t, pass)
      for state in states { state.recall(t, pass) }
      feedback?.read(t, pass)
      cell.forward(t, pass)
      for state in states { state.zoneout?.hold(t, pass) }
      feedback?.show(t, pass)
    }
    pass.mark(.pointwise, products: .recurrent)
  }

  public func backward(_ pass: Pass) {
    for t in (0..<pass.steps).reversed() {
      for state in states { state.clear(t, pass) }
      feedback?.hide(t, pass)
      for state in states { state.zoneout?.release(t, pass) }
      cell.backward(t, pass)
      for state in states { state.zoneout?.trace(t, pass) }
      feedback?.trace(t, pass)
      for state in states { state.trace(t, pass) }
    }
    for state in states { state.finish(pass) }
    pass.mark(.pointwise, products: .recurrent)
    cell.accumulate(pass)
    feedback?.accumulate(pass)
    pass.mark(.recurrent)
    projection.backward(from: pass.d[cell.preactivation], pass)
    delayed?.backward(pass)
    pass.mark(.input)
  }
}
