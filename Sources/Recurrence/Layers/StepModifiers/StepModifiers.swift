/// A cell as the modifiers around it see it.
struct ModifiedCell {
  /// The sum of products that the cell's step begins with, x W + b before the first step.
  let preactivation: Activation
  /// The number of equal blocks of the preactivation.
  let gates: Int
  /// The output of the cell.
  let output: Activation
  /// The states of the cell, and the place of the first among those of the plan.
  let states: ArraySlice<Activation>
  /// The distribution that PyTorch draws the weights of such a cell from.
  let spread: Distribution
}

/// The modifiers of one layer, and what the layer has to know of them.
struct StepModifiers {
  /// The modifiers from the outermost to the innermost.
  let all: [any StepModifier]
  /// All of them as one.
  var nested: any StepModifier { all[0].around(all.dropFirst()) }
  /// The output of the layer.
  let output: Activation
  /// The cell's output as it is carried; with zoneout another one than the cell's own.
  let carriedOutput: Activation
  /// The states at the end of each sequence, for layers that begin with them.
  let finalStates: [FinalState]
  /// True if neither a modifier nor an initial state has weights, so that a cell without any is constant.
  let haveNoWeights: Bool

  /// Makes the modifiers that some options ask for. A new modifier is a line here.
  ///
  /// - Parameters:
  ///   - context: the surroundings of the layer in its model.
  ///   - initialStates: the activation that a state begins with, a row for each stream, as a function of
  ///     the state, its name and whether it is the output; nil where `options` says what it begins with.
  init(
    around cell: ModifiedCell, _ options: RecurrentLayerOptions, _ context: LayerContext,
    initialStates: InitialStates, in plan: inout Plan
  ) {
    var zoneouts: [Activation: Zoneout] = [:]
    if options.zoneout > 0 {
      for state in cell.states where plan.isDifferentiated(state) {
        zoneouts[state] = Zoneout(
          options.zoneout, isSampled: options.samplesZoneout, of: state, seed: context.seed,
          in: &plan)
      }
    }
    func carried(_ state: Activation) -> Activation { zoneouts[state]?.held ?? state }
    let carriedOutput = carried(cell.output)
    let feedback = options.feedback.map {
      OutputFeedback($0, around: cell, carriedOutput, in: &plan)
    }
    let output = feedback?.output ?? carriedOutput
    let teacherForcing =
      options.feedsTargets
      ? TargetFeedback(
        into: cell.preactivation, names: ("weight_feedback_target", "feedback_target"),
        gates: cell.gates, spread: cell.spread, in: &plan) : nil
    let attention = context.attention.map { StepAttention($0, around: cell, in: &plan) }

    let states = plan.states[cell.states.startIndex...].filter { plan.isState($0) }
    // A state that only its cell reads is never masked.
    var dropouts: [Activation: RecurrentDropout] = [:]
    for state in states where context.dropout > 0 && plan.isShown(state) {
      dropouts[state] = RecurrentDropout(context.dropout, of: state, seed: context.seed, in: &plan)
    }
    let carriedStates = CarriedStates(
      states, options.initialState, output: output, initialStates: initialStates, carried: carried,
      dropouts: dropouts, in: &plan)
    finalStates =
      !context.givesFinalStates
      ? []
      : states.filter { plan.isDifferentiated($0) }.map {
        FinalState(
          of: carried($0), named: plan.ownName(of: $0), isShown: output == carried($0), in: &plan)
      }
    self.output = output
    self.carriedOutput = carriedOutput
    haveNoWeights =
      feedback == nil && teacherForcing == nil && attention == nil && carriedStates.areZero
    var all: [any StepModifier] = [carriedStates]
    all += finalStates
    if let feedback { all.append(feedback) }
    if let teacherForcing { all.append(teacherForcing) }
    if let attention { all.append(attention) }
    all += cell.states.compactMap { zoneouts[$0] }
    self.all = all
  }
}
