/// What an encoder leaves behind: what it shows at every step of the source, and its last states.
struct Encoded {
  /// Run once for each sequence.
  let layers: [any Layer]
  /// On the axis of the source.
  let output: Activation
  /// Of its recurrent layers, from the bottom to the top.
  let finals: [FinalStates]

  init(
    _ encoder: EncoderOptions, of model: ModelOptions, symbols: Int, seed: UInt64,
    in plan: inout Plan
  ) {
    let scope = plan.scope
    defer { plan.scope = scope }
    plan.scope.axis = .source
    plan.scope.prefix = "source."
    let options = model.encoderOptions(encoder)
    var stack = Stack(options, seed: seed, label: "source", handsOver: true)
    let (source, _) = SequenceModel.source(
      options, .symbols(symbols), named: "source embedding", in: &plan)
    if options.readsRows { stack.addInput(source, in: &plan) } else { stack.source = source }
    stack.add(options.layers, isSummary: false, in: &plan)
    output = stack.output
    finals = stack.finals
    layers = [OnSource(stack.layers)] + stack.before
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
  ///   - directions: what each direction of the layer hands over, one after the other.
  ///   - joins: the layers that put directions side by side.
  init(of directions: [[HandOver]], joins: inout [any Layer], in plan: inout Plan) {
    let axis = plan.scope.axis
    plan.scope.axis = .stream
    defer { plan.scope.axis = axis }
    var shown: Activation?
    for (k, handOver) in directions[0].enumerated() {
      var vector = handOver.vectors
      if directions.count > 1 {
        let join = Concatenation(of: directions.map { $0[k].vectors }, in: &plan)
        joins.append(join)
        vector = join.output
      }
      vectors[handOver.name] = vector
      if handOver.isShown || shown == nil { shown = vector }
    }
    guard let shown else { preconditionFailure("a cell without a state") }
    self.shown = shown
  }
}
