internal import LinearAlgebra

/// A cell unrolled over the time steps of a window, inside its step modifiers.
///
/// The input products of all steps are one product before the loop, the gradients of the weights one
/// product each after it. The layer owns time; the cell owns one step; streams that start anew inside the
/// window are the business of `CarriedStates` alone.
public struct Recurrent<Cell: RecurrentCell>: StagedLayer {
  public let output: Activation
  let cell: Cell
  /// The modifiers around the cell's step, from the outermost to the innermost, as one.
  private let modifiers: any StepModifier
  /// The earlier inputs that the cell reads; nil where it reads x(t) alone.
  private let delayed: DelayLine?
  private let projection: InputProjection
  /// The states at the end of each sequence, for layers that begin with them.
  let finalStates: [FinalState]
  /// True if no weight would see a gradient: a constant cell that reads the data alone.
  private let skipsBackward: Bool
  /// The weights of which training drops numbers.
  private let droppedWeights: [Parameter]
  let parts: [Set<Parameter>]
  public let probes: [Probe]

  /// - Parameter initialStates: the activations that states begin with, where others provide them.
  init(
    _ options: Cell.Options, around surroundings: RecurrentLayerOptions, _ context: LayerContext,
    initialStates: InitialStates = { _, _, _, _ in nil }, in plan: inout Plan
  ) {
    let delays = Cell.inputDelays(options)
    precondition(
      !context.isReversed || delays == [0], "earlier inputs of symbols that are read backwards")
    delayed = delays == [0] ? nil : DelayLine(delays, reading: context.input, in: &plan)
    let known = plan.states.count
    cell = Cell(options, in: &plan)
    droppedWeights = context.weightDropout > 0 ? cell.recurrentWeights : []
    if !droppedWeights.isEmpty {
      plan.drop(context.weightDropout, of: droppedWeights, seed: context.seed)
    }
    let spread = Distribution.uniform(1 / Double(options.hidden).squareRoot())
    let modified = ModifiedCell(
      preactivation: cell.preactivation, gates: Cell.gates(options), output: cell.output,
      states: plan.states[known...], spread: spread)
    let around = StepModifiers(
      around: modified, surroundings, context, initialStates: initialStates, in: &plan)
    modifiers = around.nested
    output = around.output
    finalStates = around.finalStates
    let fixed = Cell.fixedInput(options)
    projection = InputProjection(
      plan.width(cell.preactivation),
      reading: delayed.map { .activation($0.output) } ?? context.input,
      isReversed: context.isReversed, isIdentity: Cell.readsInputItself(options),
      names: ("weight_ih", "bias_ih"), gates: Cell.gates(options),
      biasedGates: Cell.biasedGates(options),
      pytorch: Cell.inputDistribution(
        options, reading: plan.width(delayed.map { .activation($0.output) } ?? context.input)),
      parts: Cell.inputBias(options), zeroRows: Cell.rowsFromZero(options),
      secondBias: cell.recurrentBias, conditions: context.conditions, length: context.length,
      fixed: fixed, in: &plan)
    skipsBackward =
      fixed != nil && context.input.isData && context.conditions.isEmpty
      && context.length == .none && around.haveNoWeights
    let ofCell = parameterHandles(in: cell).union(parameterHandles(in: modifiers))
    parts = [ofCell.subtracting(parameterHandles(in: projection)), projection.ownParameters]
    probes = [
      Probe(
        layer: plan.scope.layer,
        state: plan.isState(cell.output) ? around.carriedOutput : nil,
        gates: cell.gateBlocks, transitions: cell.transitions, input: projection.weight)
    ]
  }

  /// - Parameters:
  ///   - options: The options of the cell, such as its number of units.
  ///   - input: The input of each step, such as an activation or symbols.
  ///   - isReversed: True if the symbols of each stream are read from its end to its beginning; the
  ///     second direction of a `Bidirectional` layer.
  ///   - plan: The plan that the parameters and activations are added to.
  public init(
    _ options: Cell.Options, reading input: LayerInput, isReversed: Bool = false,
    in plan: inout Plan
  ) {
    self.init(
      options, around: RecurrentLayerOptions(), LayerContext(input: input, isReversed: isReversed),
      in: &plan)
  }

  /// - Parameters:
  ///   - options: The options of the cell, such as its number of units.
  ///   - surroundings: The options of the step modifiers.
  ///   - input: The input of each step, such as an activation or symbols.
  ///   - plan: The plan that the parameters and activations are added to.
  public init(
    _ options: Cell.Options, around surroundings: RecurrentLayerOptions, reading input: LayerInput,
    in plan: inout Plan
  ) {
    self.init(options, around: surroundings, LayerContext(input: input), in: &plan)
  }

  public init(_ options: Cell.Options, reading input: Activation, in plan: inout Plan) {
    self.init(options, reading: .activation(input), in: &plan)
  }

  public func forward(_ pass: Pass) {
    delayed?.forward(pass)
    projection.forward(into: pass[cell.preactivation], pass)
    pass.mark(.input)
    forward(pass, inside: modifiers)
    pass.mark(.pointwise, products: .recurrent)
  }

  private func forward(_ pass: Pass, inside modifiers: some StepModifier) {
    modifiers.beginWindow(pass)
    for t in 0..<pass.steps {
      modifiers.beforeStep(t, pass)
      cell.forward(t, pass)
      modifiers.afterStep(t, pass)
    }
  }

  public func backward(_ pass: Pass) {
    if skipsBackward { return }
    backward(pass, inside: modifiers)
    pass.mark(.pointwise, products: .recurrent)
    cell.accumulate(pass)
    pass.d.finishDropped(droppedWeights)
    modifiers.accumulate(pass)
    pass.mark(.recurrent)
    pass.finishPart()
    projection.backward(from: pass.d[cell.preactivation], pass)
    delayed?.backward(pass)
    pass.mark(.input)
  }

  private func backward(_ pass: Pass, inside modifiers: some StepModifier) {
    for t in (0..<pass.steps).reversed() {
      modifiers.beforeBackward(t, pass)
      cell.backward(t, pass)
      modifiers.afterBackward(t, pass)
    }
    modifiers.endWindow(pass)
  }
}
