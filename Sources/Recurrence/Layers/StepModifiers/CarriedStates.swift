internal import LinearAlgebra

/// The states of a layer between windows and streams: each step reads the state before it, the initial
/// state where a stream starts.
///
/// The outermost modifier: everything else reads the past through it.
struct CarriedStates: StepModifier {
  private let states: [CarriedState]
  private let sinceReset: StepsSinceReset?

  /// True if every stream starts from zeros.
  let areZero: Bool

  /// - Parameters:
  ///   - states: the states of a layer.
  ///   - output: the layer's output.
  ///   - initialStates: the activations that states begin with, where others provide them.
  ///   - carried: the activation that is carried in place of each state; the state itself unless it says
  ///     otherwise.
  ///   - dropouts: the masks of states that products read.
  init(
    _ states: some Collection<Activation>, _ initial: InitialState, output: Activation,
    initialStates: InitialStates, carried: (Activation) -> Activation = { $0 },
    dropouts: [Activation: RecurrentDropout] = [:], in plan: inout Plan
  ) {
    let sources = states.map { state in
      let isOutput = output == carried(state)
      if plan.isDifferentiated(state),
        let vectors = initialStates(state, plan.ownName(of: state), isOutput, &plan)
      {
        return InitialStateSource.given(vectors)
      }
      return InitialStateSource(initial, of: state, isShown: isOutput, in: &plan)
    }
    areZero = sources.allSatisfy(\.isZero)
    // Clearing the carried states is enough for streams that start from zero and read one step back.
    let furthest = states.reduce(1) { max($0, plan.lag(of: $1)) }
    let sinceReset =
      !states.isEmpty && (!areZero || furthest > 1)
      ? StepsSinceReset(upTo: furthest, in: &plan) : nil
    self.sinceReset = sinceReset
    self.states = zip(states, sources).map { state, source in
      CarriedState(
        state, source, carriedAs: carried(state), dropout: dropouts[state],
        sinceReset: sinceReset?.steps, in: plan)
    }
  }

  /// Fills in what the first step of a run reads; inside a run no stream starts anew.
  func beforeRun(_ run: Range<Int>, _ pass: Pass) {
    if let sinceReset { for t in run { sinceReset.forward(t, pass) } }
    for state in states { state.beforeStep(run.lowerBound, pass) }
  }

  func beginWindow(_ pass: Pass) { for state in states { state.beginWindow(pass) } }

  /// Fills in what steps would read that begin a run.
  func copySteps(_ steps: Range<Int>, _ pass: Pass) {
    for t in steps { for state in states { state.beforeStep(t, pass) } }
  }

  func beforeStep(_ t: Int, _ pass: Pass) {
    sinceReset?.forward(t, pass)
    for state in states { state.beforeStep(t, pass) }
  }

  func beforeBackward(_ t: Int, _ pass: Pass) {
    for state in states { state.beforeBackward(t, pass) }
  }

  func afterBackward(_ t: Int, _ pass: Pass) {
    for state in states { state.afterBackward(t, pass) }
  }

  func endWindow(_ pass: Pass) { for state in states { state.endWindow(pass) } }
}
