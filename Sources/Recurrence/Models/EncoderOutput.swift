/// What an encoder leaves behind: what it shows at every step of the source, its last states, and
/// one vector for the whole.
struct EncoderOutput {
  /// Run once for each sequence.
  let layers: [any Layer]
  /// On the axis of the source.
  let output: Activation
  /// Of its layers with a state, from the bottom to the top.
  let finals: [FinalStates]
  /// The last state that the top layer shows, or where it has none, what it puts out at the end of
  /// each source; on the axis of streams.
  let summary: Activation

  init(
    _ encoder: EncoderOptions, of model: ModelOptions, reading input: TaskSignature.Input,
    seed: UInt64, in plan: inout Plan
  ) {
    let scope = plan.scope
    defer { plan.scope = scope }
    plan.scope.axis = .source
    plan.scope.prefix = "source."
    let options = model.encoderOptions(encoder)
    var stack = Stack(options, seed: seed, label: "source", givesFinalStates: true)
    let (source, _) = SequenceModel.source(
      options, input, named: "source embedding", in: &plan)
    if options.readsRows(input) {
      stack.addInput(source, in: &plan)
    } else {
      stack.source = source
    }
    stack.add(
      options.layers[...], shown: model.attention == .none ? .summary : .both, in: &plan)
    output = stack.output
    finals = stack.finals
    guard let summary = stack.summary else { preconditionFailure("an encoder without layers") }
    self.summary = summary
    layers = [SourceLayers(stack.layers)] + stack.before
  }
}

/// The states of one layer at the end of each sequence, on the axis of streams; of a bidirectional
/// layer, the forward state at the last step beside the backward state at the first.
struct FinalStates {
  /// By what the layer calls them.
  private(set) var vectors: [String: Activation] = [:]
  /// That which the layer shows.
  let shown: Activation

  /// - Parameters:
  ///   - directions: what each direction of the layer hands over, one after the other; something.
  ///   - joins: the layers that put directions side by side.
  init(of directions: [[FinalState]], joins: inout [any Layer], in plan: inout Plan) {
    let axis = plan.scope.axis
    plan.scope.axis = .stream
    defer { plan.scope.axis = axis }
    var shown: Activation?
    for (k, finalState) in directions[0].enumerated() {
      var vector = finalState.vectors
      if directions.count > 1 {
        let join = Concatenation(of: directions.map { $0[k].vectors }, in: &plan)
        joins.append(join)
        vector = join.output
      }
      vectors[finalState.name] = vector
      if finalState.isShown || shown == nil { shown = vector }
    }
    guard let shown else { preconditionFailure("a layer that hands nothing over") }
    self.shown = shown
  }
}

/// The summary of a bidirectional layer as a layer of its own, which that layer computes.
struct ShownSummary: Layer {
  let output: Activation

  func forward(_ pass: Pass) {}
  func backward(_ pass: Pass) {}
}

/// Layers that others have made once more over the summary of a sequence, with the parameters of the
/// first.
struct SummaryLayers: Layer {
  let output: Activation
  private let layers: [any Layer]

  init(_ layers: [any Layer]) {
    self.layers = layers
    output = layers.last!.output
  }

  /// None: a diagnosis looks at the layers that show every step.
  var probes: [Probe] { [] }

  func forward(_ pass: Pass) {
    for layer in layers { layer.forward(pass) }
  }

  func backward(_ pass: Pass) {
    for layer in layers.reversed() { layer.backward(pass) }
  }
}

/// What a layer without a state puts out at the true end of each sequence, for others to read.
struct LastOutput: Layer {
  /// On the axis of streams.
  var output: Activation { end.vectors }
  private let end: FinalState

  init(of layer: Activation, in plan: inout Plan) {
    end = FinalState(of: layer, named: "output", isShown: true, in: &plan)
  }

  func forward(_ pass: Pass) { end.copy(pass) }

  func backward(_ pass: Pass) {
    for t in 0..<pass.steps { end.beforeBackward(t, pass) }
  }
}
