internal import Sequences

/// The results of an encoder: its output at every step of the source, its final states, and one
/// summary vector.
struct EncoderOutput {
  /// The layers to run once per sequence.
  let layers: [any Layer]
  /// The output of the top layer, on the axis of the source.
  let output: Activation
  /// The final states of the layers that have a state, from bottom to top.
  let finals: [FinalStates]
  /// The final state of the top layer's output or, if the top layer has no state, its output at the
  /// end of each source. It lies on the axis of streams.
  let summary: Activation

  init(
    _ encoder: EncoderOptions, of model: SequenceModelOptions, reading input: TaskSignature.Input,
    seed: UInt64, in plan: inout Plan
  ) {
    let scope = plan.scope
    defer { plan.scope = scope }
    plan.scope.axis = .source
    plan.scope.prefix = "source."
    let options = model.encoderOptions(encoder)
    var stack = Stack(options, seed: seed, label: "source", givesFinalStates: true)
    let (source, _) = SequenceModel.source(
      options, input, named: "source embedding", seed: seed, in: &plan)
    if options.readsRows(input) {
      stack.addInput(source, in: &plan)
    } else {
      stack.source = source
    }
    stack.add(
      options.layers[...], shown: encoder.attention == nil ? .summary : .both, in: &plan)
    output = stack.output
    finals = stack.finals
    guard let summary = stack.summary else { preconditionFailure("an encoder without layers") }
    self.summary = summary
    layers = [SourceLayers(stack.layers)] + stack.before
  }
}

/// The final states of one layer, on the axis of streams. For a bidirectional layer: the forward
/// state at the last step beside the backward state at the first.
struct FinalStates {
  /// The vectors by the layer's own names for its states.
  private(set) var vectors: [String: Activation] = [:]
  /// The state that is also the layer's output.
  let shown: Activation

  /// - Parameters:
  ///   - directions: The final states of each direction of the layer; not empty.
  ///   - joins: The list to which layers that concatenate the directions are appended.
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
    guard let shown else { preconditionFailure("a layer without final states") }
    self.shown = shown
  }
}

/// The summary of a bidirectional layer as a layer of its own. The bidirectional layer computes it.
struct ShownSummary: Layer {
  let output: Activation

  func forward(_ pass: Pass) {}
  func backward(_ pass: Pass) {}
}

/// A second copy of layers, which shares their parameters and runs over the summary of a sequence.
struct SummaryLayers: Layer {
  let output: Activation
  private let layers: [any Layer]

  init(_ layers: [any Layer]) {
    self.layers = layers
    output = layers.last!.output
  }

  /// Empty: a gradient diagnosis measures the layers that run over every step.
  var probes: [Probe] { [] }

  func forward(_ pass: Pass) {
    for layer in layers { layer.forward(pass) }
  }

  func backward(_ pass: Pass) {
    for layer in layers.reversed() { layer.backward(pass) }
  }
}

/// The output of a layer without a state at the true end of each sequence.
struct LastOutput: Layer {
  /// The vector of each sequence, on the axis of streams.
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
