internal import LinearAlgebra

/// A layer of a `WindowMixer`, with states that are carried from window to window.
///
/// States begin and reset as those of `Recurrent` do, through the same `CarriedStates`: the window is cut
/// before each step at which a stream starts anew.
package struct WindowLayer<Mixer: WindowMixer>: Layer {
  package let output: Activation
  private let mixer: Mixer
  private let states: CarriedStates
  private let projection: InputProjection
  package let probes: [Probe]

  init(
    _ options: Mixer.Options, initialState: InitialState, _ context: LayerContext,
    initialStates: InitialStates = { _, _, _, _ in nil }, in plan: inout Plan
  ) {
    let known = plan.states.count
    mixer = Mixer(options, in: &plan)
    output = mixer.output
    let own = plan.states[known...]
    states = CarriedStates(
      own, initialState, output: output, initialStates: initialStates, in: &plan)
    projection = InputProjection(
      plan.width(mixer.preactivation), reading: context.input, isReversed: context.isReversed,
      isIdentity: Mixer.readsInputItself(options),
      names: ("weight_ih", "bias_ih"), gates: Mixer.gates(options),
      biasedGates: Mixer.biasedGates(options),
      pytorch: .uniform(1 / Double(options.hidden).squareRoot()), parts: Mixer.inputBias(options),
      zeroRows: Mixer.rowsFromZero(options),
      secondBias: mixer.recurrentBias, conditions: context.conditions, length: context.length,
      in: &plan)
    probes = [
      Probe(
        layer: plan.scope.layer, state: plan.isState(output) ? output : nil,
        gates: mixer.gateBlocks, transitions: mixer.transitions, input: projection.weight)
    ]
  }

  /// A layer that reads its input alone.
  package init(
    _ options: Mixer.Options, initialState: InitialState = .zero, reading input: LayerInput,
    in plan: inout Plan
  ) {
    self.init(options, initialState: initialState, LayerContext(input: input), in: &plan)
  }

  package func forward(_ pass: Pass) {
    projection.forward(into: pass[mixer.preactivation], pass)
    pass.mark(.input)
    mixer.beginWindow(pass)
    pass.mark(.recurrent)
    states.beginWindow(pass)
    var start = 0
    while start < pass.steps {
      let run = start..<endOfRun(from: start, pass)
      states.beforeRun(run, pass)
      mixer.forward(run, pass)
      // Windows that overlap go back over steps of earlier ones, at which a run may then begin.
      if pass.tape.seesCopies { states.copySteps(run.dropFirst(), pass) }
      start = run.upperBound
    }
    pass.mark(.pointwise, products: .recurrent)
  }

  package func backward(_ pass: Pass) {
    mixer.beginBackward(pass)
    var end = pass.steps
    while end > 0 {
      let run = startOfRun(before: end, pass)..<end
      states.beforeBackward(run.lowerBound, pass)
      mixer.backward(run, pass)
      states.afterBackward(run.lowerBound, pass)
      end = run.lowerBound
    }
    states.endWindow(pass)
    pass.mark(.pointwise, products: .recurrent)
    mixer.endBackward(pass)
    mixer.accumulate(pass)
    pass.mark(.recurrent)
    projection.backward(from: pass.d[mixer.preactivation], pass)
    pass.mark(.input)
  }

  /// Returns the first step after `start` at which a stream starts anew, or the window's end.
  private func endOfRun(from start: Int, _ pass: Pass) -> Int {
    (start + 1..<max(pass.steps, start + 1)).first { startsAnew(at: $0, pass) } ?? pass.steps
  }

  /// Returns the last step before `end` at which a stream starts anew, or 0.
  private func startOfRun(before end: Int, _ pass: Pass) -> Int {
    (0..<end).last { $0 == 0 || startsAnew(at: $0, pass) } ?? 0
  }

  private func startsAnew(at t: Int, _ pass: Pass) -> Bool {
    guard pass.batch.hasResets else { return false }
    return (0..<pass.streams).contains { pass.begins(t, $0) }
  }
}
