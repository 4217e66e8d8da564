internal import LinearAlgebra

/// A layer of a `MatrixStateCell` that takes a window at once.
///
/// Streams start from zero. The memory of every head starts anew inside the cell's loop; the states of
/// earlier inputs as those of `Recurrent` do, through `CarriedStates`.
package struct MatrixStateLayer<Cell: MatrixStateCell>: Layer {
  package let output: Activation
  private let cell: Cell
  /// The states besides the memory, such as earlier inputs.
  private let states: CarriedStates
  private let projection: InputProjection
  package let probes: [Probe]

  init(_ options: Cell.Options, _ context: LayerContext, in plan: inout Plan) {
    let known = plan.states.count
    plan.scope.keepsChunks = true
    cell = Cell(options, in: &plan)
    plan.scope.keepsChunks = false
    output = cell.output
    let own = plan.states[known...].filter { [plan] in plan.keepsEveryStep(of: $0) }
    states = CarriedStates(
      own, .zero, output: output, initialStates: { _, _, _, _ in nil }, in: &plan)
    projection = InputProjection(
      plan.width(cell.preactivation), reading: context.input, isReversed: context.isReversed,
      isIdentity: Cell.readsInputItself(options), names: ("weight_ih", "bias_ih"),
      gates: Cell.gates(options), biasedGates: Cell.biasedGates(options),
      pytorch: Cell.inputDistribution(options, reading: plan.width(context.input)),
      parts: Cell.inputBias(options), zeroRows: Cell.rowsFromZero(options),
      secondBias: cell.recurrentBias, conditions: context.conditions, length: context.length,
      in: &plan)
    probes = [
      Probe(
        layer: plan.scope.layer, state: nil, gates: cell.gateBlocks,
        transitions: cell.transitions, input: projection.weight)
    ]
  }

  /// A layer that reads its input alone.
  package init(
    _ options: Cell.Options, reading input: LayerInput, isReversed: Bool = false,
    in plan: inout Plan
  ) {
    self.init(options, LayerContext(input: input, isReversed: isReversed), in: &plan)
  }

  package func forward(_ pass: Pass) {
    projection.forward(into: pass[cell.preactivation], pass)
    pass.mark(.input)
    states.beginWindow(pass)
    for t in 0..<pass.steps {
      states.beforeStep(t, pass)
      cell.mixInput(t, pass)
    }
    pass.mark(.pointwise)
    cell.project(0..<pass.steps, pass)
    pass.mark(.input)
    cell.advanceThroughWindow(pass)
    pass.mark(.recurrent)
    cell.finish(0..<pass.steps, pass)
    pass.mark(.pointwise)
  }

  package func backward(_ pass: Pass) {
    cell.beginBackward(0..<pass.steps, pass)
    pass.mark(.pointwise)
    cell.retreatThroughWindow(pass)
    pass.mark(.recurrent)
    cell.projectBack(0..<pass.steps, pass)
    cell.accumulate(pass)
    pass.mark(.input)
    for t in (0..<pass.steps).reversed() {
      states.beforeBackward(t, pass)
      cell.mixInputBack(t, pass)
      states.afterBackward(t, pass)
    }
    states.endWindow(pass)
    pass.mark(.pointwise)
    projection.backward(from: pass.d[cell.preactivation], pass)
    pass.mark(.input)
  }
}
