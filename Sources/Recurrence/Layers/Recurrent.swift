internal import LinearAlgebra

/// What surrounds a cell in its layer.
public struct RecurrentLayerOptions: Hashable, Sendable {
  /// What states are before a stream's first step.
  public var initialState: InitialState
  /// A second recurrence through an output of the layer's own.
  public var feedback: FeedbackOptions?
  /// A second recurrence through what the model is asked for: each step is fed the target before.
  public var feedsTargets: Bool

  /// With what probability a unit of a state keeps its old value.
  public var zoneout: Double

  public init(
    initialState: InitialState = .zero, feedback: FeedbackOptions? = nil,
    feedsTargets: Bool = false, zoneout: Double = 0
  ) {
    self.initialState = initialState
    self.feedback = feedback
    self.feedsTargets = feedsTargets
    self.zoneout = zoneout
  }
}

/// A cell unrolled over the time steps of a window.
///
/// The preactivation of all steps is one product before the loop, the gradients of the weights one
/// product each after it. Streams that start anew inside the window are handled here and nowhere
/// else.
public struct Recurrent<Cell: RecurrentCell>: Layer {
  public let output: Activation
  let cell: Cell
  private let feedback: OutputFeedback?
  private let teacherForcing: TargetFeedback?
  private let stepAttention: StepAttention?
  private let age: StepsSinceReset?
  private let states: [CarriedState]
  /// Where the cell reads earlier inputs.
  private let delayed: DelayLine?
  private let projection: Projection
  /// What an encoder shows of its states at the end of each sequence.
  let finalStates: [FinalState]
  /// Whether nothing that is learnt would see the derivatives: a fixed cell that reads the data
  /// alone.
  private let skipsBackward: Bool
  public let probes: [Probe]

  /// - Parameters:
  ///   - dropout: on the states that products read.
  ///   - seed: keys dropout and zoneout.
  ///   - isTurned: whether the symbols of each stream are read from its end to its beginning.
  ///   - length: what is read of the length of each sequence.
  ///   - request: what is looked back at before each step.
  ///   - givesFinalStates: whether others read the states at the end of each sequence.
  ///   - given: says what states begin with, where that is a row for each stream, as a function of
  ///     the state, its name and whether the layer shows it; nil where `surroundings` says it.
  init(
    _ options: Cell.Options, around surroundings: RecurrentLayerOptions = RecurrentLayerOptions(),
    dropout: Double = 0, seed: UInt64 = 0, reading input: LayerInput, isReversed: Bool = false,
    conditions: [StreamCondition] = [],
    length: LengthInput = .none, givesFinalStates: Bool = false,
    stepAttention request: StepAttentionRequest? = nil,
    given: (Activation, String, Bool, inout Plan) -> Activation? = { _, _, _, _ in nil },
    in plan: inout Plan
  ) {
    let delays = Cell.inputDelays(options)
    precondition(!isReversed || delays == [0], "earlier inputs of symbols that are read backwards")
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
    teacherForcing =
      surroundings.feedsTargets
      ? TargetFeedback(
        into: cell.preactivation, names: ("weight_feedback_target", "feedback_target"),
        gates: Cell.gates(options), spread: .uniform(1 / Double(options.hidden).squareRoot()),
        in: &plan)
      : nil
    stepAttention = request.map { [cell] request in
      StepAttention(
        request.kind, to: request.keys, into: cell.preactivation, gates: Cell.gates(options),
        from: cell.output, in: &plan)
    }
    let initial = surroundings.initialState
    let own = plan.states[known...].filter { plan.isState($0) }
    // Where streams start from zero and one step back is read, carried states need no more than
    // clearing.
    let furthest = own.reduce(1) { max($0, plan.lag(of: $1)) }
    var dropouts: [Activation: RecurrentDropout] = [:]
    // A memory that only its cell sees is never masked.
    for state in own where dropout > 0 && plan.isShown(state) {
      dropouts[state] = RecurrentDropout(dropout, of: state, seed: seed, in: &plan)
    }
    let beginnings = own.map { [output] state in
      let isShown = output == zoneouts[state]?.held ?? state
      if plan.isDifferentiated(state),
        let vectors = given(state, plan.ownName(of: state), isShown, &plan)
      {
        return InitialStateSource.given(vectors)
      }
      return InitialStateSource(initial, of: state, isShown: isShown, in: &plan)
    }
    let areZero = beginnings.allSatisfy { if case .zero = $0 { true } else { false } }
    let needsAge = !own.isEmpty && (!areZero || furthest > 1)
    age = needsAge ? StepsSinceReset(upTo: furthest, in: &plan) : nil
    states = zip(own, beginnings).map { [age] state, beginning in
      CarriedState(
        state, beginning, zoneout: zoneouts[state], dropout: dropouts[state], age: age?.steps,
        in: plan)
    }
    finalStates =
      !givesFinalStates
      ? []
      : own.filter { plan.isDifferentiated($0) }.map { [output] in
        FinalState(
          of: zoneouts[$0]?.held ?? $0, named: plan.ownName(of: $0),
          isShown: output == zoneouts[$0]?.held ?? $0, in: &plan)
      }
    let fixed = Cell.fixedInput(options)
    projection = Projection(
      plan.width(cell.preactivation), reading: delayed.map { .activation($0.output) } ?? input,
      isReversed: isReversed, names: ("weight_ih", "bias_ih"), gates: Cell.gates(options),
      biasedGates: Cell.biasedGates(options),
      pytorch: .uniform(1 / Double(options.hidden).squareRoot()),
      parts: Cell.inputBias(options), secondBias: cell.recurrentBias, conditions: conditions,
      length: length, fixed: fixed, in: &plan)
    let readsData =
      switch input {
      case .frames, .symbols, .nothing: true
      case .activation, .lookup: false
      }
    skipsBackward =
      fixed != nil && readsData && conditions.isEmpty && length == .none
      && surroundings.feedback == nil && !surroundings.feedsTargets && areZero && request == nil
    probes = [
      Probe(
        layer: plan.scope.layer, state: own.contains(cell.output) ? shown : nil,
        gates: cell.gateBlocks, transitions: cell.transitions, input: projection.weight)
    ]
  }

  /// - Parameter isTurned: whether the symbols of each stream are read from its end to its beginning;
  ///   the second direction of a `Bidirectional` layer.
  public init(
    _ options: Cell.Options, reading input: LayerInput, isReversed: Bool = false,
    in plan: inout Plan
  ) {
    self.init(
      options, around: RecurrentLayerOptions(), reading: input, isReversed: isReversed, in: &plan)
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
      teacherForcing?.read(t, pass)
      stepAttention?.read(t, pass)
      cell.forward(t, pass)
      for state in states { state.zoneout?.hold(t, pass) }
      feedback?.show(t, pass)
    }
    for finalState in finalStates { finalState.forward(pass) }
    pass.mark(.pointwise, products: .recurrent)
  }

  public func backward(_ pass: Pass) {
    if skipsBackward { return }
    for t in (0..<pass.steps).reversed() {
      for state in states { state.clear(t, pass) }
      for finalState in finalStates { finalState.backward(t, pass) }
      feedback?.hide(t, pass)
      for state in states { state.zoneout?.release(t, pass) }
      cell.backward(t, pass)
      for state in states { state.zoneout?.trace(t, pass) }
      feedback?.trace(t, pass)
      stepAttention?.trace(t, pass)
      for state in states { state.trace(t, pass) }
    }
    for state in states { state.finish(pass) }
    pass.mark(.pointwise, products: .recurrent)
    cell.accumulate(pass)
    feedback?.accumulate(pass)
    teacherForcing?.accumulate(pass)
    stepAttention?.accumulate(pass)
    pass.mark(.recurrent)
    projection.backward(from: pass.d[cell.preactivation], pass)
    delayed?.backward(pass)
    pass.mark(.input)
  }
}
