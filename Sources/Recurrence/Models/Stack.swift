internal import Sequences

/// A builder of a model's layers, from bottom to top.
struct Stack {
  let options: SequenceModelOptions
  let seed: UInt64
  var layers: [any Layer] = []
  /// The layers that run once per sequence, before its first step.
  var before: [any Layer] = []
  /// The input of the next layer.
  var source = LayerInput.nothing
  /// The conditions that enter the first recurrent layer.
  private var conditions: [StreamCondition] = []
  /// The length input of the first recurrent layer.
  private var length = LengthInput.none
  /// The condition whose linear map is the initial state of the first recurrent layer.
  private var beginning: Activation?
  /// The initial states of the recurrent layers, from bottom to top.
  private var given: [FinalStates] = []
  /// The summary of the encoder, for states that none of `given` fits.
  private var context: Activation?
  /// The prefix of the names of layers and parameters.
  private let label: String
  /// True if the stack collects the final states of its layers in `finals`, from bottom to top.
  private let givesFinalStates: Bool
  /// The terms that training adds to the loss.
  private let objective: TrainingObjective
  private(set) var finals: [FinalStates] = []
  /// The summary of everything that was read, for a stack that collects final states.
  private(set) var summary: Activation?
  /// The attention inside the first recurrent layer.
  private var stepAttention: (kind: AttentionKind, source: Activation)?
  /// The number of layers with a cell so far, and of those with a state.
  private(set) var (depth, begun) = (0, 0)
  /// The index in `layers` of the first layer with target feedback.
  var firstTeacherForced: Int?
  /// The output of the last layer, before dropout.
  var top: Activation?
  /// The summary of the topmost bidirectional layer, if its output at every step is needed too and
  /// no layer above it has a state: its layers, and its output before and after dropout.
  private var view: (layers: [any Layer], top: Activation, output: Activation)?
  /// True if this stack is a copy of the layers above such a summary, to run over the summary.
  private var isCopy = false
  /// The output of the last layer; the stack must not be empty.
  var output: Activation {
    get {
      guard case .activation(let output) = source else { preconditionFailure("an empty stack") }
      return output
    }
    set { source = .activation(newValue) }
  }

  /// - Parameters:
  ///   - label: The prefix of the names of layers and, with a point, of parameters.
  ///   - givesFinalStates: True if the stack collects the final states of its layers.
  ///   - objective: The terms that training adds to the loss.
  init(
    _ options: SequenceModelOptions, seed: UInt64, label: String = "",
    givesFinalStates: Bool = false, objective: TrainingObjective = TrainingObjective()
  ) {
    self.objective = objective
    self.options = options
    self.seed = seed
    self.label = label
    self.givesFinalStates = givesFinalStates
  }

  /// Lets the output of an encoder enter the layers that are added next.
  mutating func read(_ encoded: EncoderOutput, as place: ContextPlace) {
    if place.beginsStates { (given, context) = (encoded.finals, encoded.summary) }
    if place.isReadAtEveryStep {
      conditions.append(StreamCondition(encoded.summary, named: "context"))
    }
  }

  /// Adds attention over the encoder's output inside the first recurrent layer.
  mutating func stepAttention(_ kind: AttentionKind, to source: Activation) {
    stepAttention = (kind, source)
  }

  /// Lets the condition of each sequence enter the first recurrent layer.
  mutating func read(condition: Activation, at place: ConditionPlace) {
    switch place {
    case .everyStep: conditions.append(StreamCondition(condition))
    case .firstInput: conditions.append(StreamCondition(condition, isAtStart: true))
    case .initialState: beginning = condition
    }
  }

  /// Lets the length of each sequence enter the first recurrent layer.
  mutating func read(length: LengthInput) { self.length = length }

  /// Makes an activation of the input, with dropout.
  mutating func addInput(_ source: LayerInput, in plan: inout Plan) {
    let input: any Layer =
      switch source {
      case .lookup(let lookup):
        Embedding(
          lookup, scale: options.embeddingScale?.factor(of: lookup.width) ?? 1, in: &plan)
      default: Input(source, in: &plan)
      }
    guard let norm = options.embeddingNorm, case .lookup = source else {
      return add(input, dropout: options.dropoutOfInput, in: &plan)
    }
    add(input, dropout: 0, in: &plan)
    let scope = plan.scope
    plan.scope.layer = "embedding norm"
    plan.scope.prefix = "embedding_norm."
    plan.scope.initializer = options.initializer
    plan.scope.rateFactor = 1
    let read = output
    let normed = Normalization(norm, reading: read, in: &plan)
    plan.scope = scope
    add(normed, dropout: options.dropoutOfInput, in: &plan)
  }

  /// Adds the layers of a configuration.
  ///
  /// If each sequence has one target, at its end, the topmost bidirectional layer outputs its
  /// summary as the last step, and all layers above read it there. In an encoder, layers without a
  /// state read the summary in the same way. A layer with a state reads every step and gives its
  /// own final state.
  /// - Parameter shown: The outputs of the topmost bidirectional layer that other layers read.
  // Long because every kind of layer has its lines.
  mutating func add(
    _ all: ArraySlice<LayerOptions>, shown: Bidirectional.Shown, in plan: inout Plan
  ) {
    var summarised = all.lastIndex { $0.bidirectional != nil }
    if givesFinalStates, let index = summarised, all[(index + 1)...].contains(where: \.hasState) {
      summarised = nil
    }
    let regularized =
      objective.regularizesActivations ? all.lastIndex { $0.isRecurrent && $0.hasState } : nil
    for index in all.indices {
      let layer = all[index]
      setScope(of: layer, index, in: &plan)
      let read = source
      let isTop = index == all.endIndex - 1
      var built: any Layer
      var summary: Activation?
      var directions: [[FinalState]] = []
      switch layer.kind {
      case .recurrent(let cell, let cellOptions):
        // The final states are collected separately.
        let isHandedOver = shown == .both && isTop && layer.hasState
        (built, summary, directions) = recurrentLayer(
          layer, index, cell, cellOptions, reading: read,
          shown: index == summarised && !isHandedOver ? shown : .aligned, in: &plan)
      case .linear(let width):
        plan.scope.suffix = ""
        built = Linear(width, reading: read, in: &plan)
      case .block(let block):
        add(block, of: layer, index, in: &plan)
        continue
      case .convolution(let convolution):
        plan.scope.suffix = ""
        built = CausalConvolution(convolution, reading: output, in: &plan)
      case .tokenShift:
        plan.scope.suffix = ""
        built = TokenShift(reading: output, in: &plan)
      }
      if layer.residual, case .activation(let input) = read {
        built = Residual(around: built, reading: input, in: &plan)
      }
      if layer.feedsTargets, firstTeacherForced == nil { firstTeacherForced = layers.count }
      top = built.output
      let dropout = layer.dropout ?? options.dropout
      add(built, dropout: isCopy && isTop ? 0 : dropout, in: &plan)
      if index == regularized {
        layers.append(
          ActivationRegularizer(objective, of: built.output, dropped: output, in: plan))
      }
      let hasStates = directions.contains { !$0.isEmpty }
      if givesFinalStates, hasStates {
        finals.append(FinalStates(of: directions, joins: &before, in: &plan))
        if isTop { self.summary = finals.last!.shown }
      }
      if let summary {
        var shown: any Layer = ShownSummary(output: summary)
        if layer.residual, case .activation(let input) = read {
          shown = Residual(around: shown, reading: input, in: &plan)
        }
        var copy = Stack(options, seed: seed, label: label)
        copy.add(shown, dropout: isTop ? 0 : dropout, in: &plan)
        view = (copy.layers, shown.output, copy.output)
      }
    }
    if givesFinalStates, summary == nil { summarise(all, from: summarised, in: &plan) }
  }

  /// Keeps the output of the top layer, which has no state, at the end of each sequence.
  /// - Parameter summarised: The index of the topmost bidirectional layer, unless a layer with a
  ///   state stands above it.
  private mutating func summarise(
    _ all: ArraySlice<LayerOptions>, from summarised: Int?, in plan: inout Plan
  ) {
    if let summarised, let view {
      var copy = Stack(options, seed: seed, label: label)
      copy.layers = view.layers
      copy.top = view.top
      copy.output = view.output
      copy.isCopy = true
      plan.scope.sharesParameters = true
      copy.add(all[(summarised + 1)...], shown: .aligned, in: &plan)
      plan.scope.sharesParameters = false
      layers.append(SummaryLayers(copy.layers))
      top = copy.top
    }
    guard let top else { preconditionFailure("a summary of no layer") }
    let last = LastOutput(of: top, in: &plan)
    layers.append(last)
    summary = last.output
  }

  /// Adds attention over the encoder's output at each step of the source.
  mutating func addAttention(
    _ kind: AttentionKind, to source: Activation, in plan: inout Plan
  ) {
    plan.scope = Plan.Scope()
    plan.scope.layer = "attention"
    plan.scope.prefix = "attention."
    plan.scope.initializer = options.initializer
    let keys = AttentionKeys(kind, of: source, width: plan.width(output), in: &plan)
    before.append(keys)
    add(Attention(kind, from: output, to: keys, in: &plan), dropout: options.dropout, in: &plan)
  }

  /// Names the parameters of a layer, and sets their initializer and learning rate.
  private func setScope(of layer: LayerOptions, _ index: Int, in plan: inout Plan) {
    plan.scope.layer = (label.isEmpty ? "" : label + " ") + "layer \(index)"
    plan.scope.initializer = layer.initializer ?? options.initializer
    plan.scope.rateFactor = layer.frozen ? 0 : layer.rate
    plan.scope.prefix =
      (label.isEmpty ? "" : label + ".")
      + (options.fitsOneModule ? "rnn." : "layers.\(index).")
  }

  /// Makes a recurrent layer, in one direction or in both.
  /// - Parameter shown: The outputs of a bidirectional layer that the layer above reads.
  /// - Returns: The layer, the summary of a bidirectional one, and the final states of each direction.
  mutating func recurrentLayer(
    _ layer: LayerOptions, _ index: Int, _ cell: String, _ cellOptions: any CellOptions,
    reading read: LayerInput, shown: Bidirectional.Shown, in plan: inout Plan
  ) -> (layer: any Layer, summary: Activation?, finalStates: [[FinalState]]) {
    guard let type = Recurrence.cell(named: cell) else {
      preconditionFailure("no cell is called \(cell)")
    }
    var directions: [[FinalState]] = []
    let suffix = options.fitsOneModule ? "_l\(index)" : "_l0"
    func direction(_ read: LayerInput, _ isSecond: Bool, _ plan: inout Plan) -> any Layer {
      plan.scope.suffix = suffix + (isSecond ? "_reverse" : "")
      let (built, finalStates) = recurrent(
        type, cellOptions, around: layer.surroundings,
        dropout: options.recurrent ? layer.dropout ?? options.dropout : 0,
        weightDropout: layer.weightDropout, reading: read,
        isReversed: isSecond && read.isSymbols, in: &plan)
      directions.append(finalStates)
      return built
    }
    defer {
      depth += 1
      if layer.hasState { begun += 1 }
    }
    guard let combination = layer.bidirectional else {
      return (direction(read, false, &plan), nil, directions)
    }
    let twoWays = Bidirectional(combination, reading: read, shown: shown, in: &plan) {
      direction($0, $1, &$2)
    }
    return (twoWays, twoWays.summary, directions)
  }

  /// Adds a layer, with dropout on its output.
  private mutating func add(_ layer: any Layer, dropout rate: Double, in plan: inout Plan) {
    layers.append(layer)
    if rate > 0 {
      layers.append(
        Dropout(
          rate, variational: options.variational, seed: seed, name: plan.scope.layer,
          reading: layer.output, in: &plan))
    }
    output = layers.last!.output
  }

  private mutating func recurrent<Cell: RecurrentCell>(
    _ cell: Cell.Type, _ options: any CellOptions, around surroundings: RecurrentLayerOptions,
    dropout: Double, weightDropout: Double, reading input: LayerInput, isReversed: Bool,
    in plan: inout Plan
  ) -> (any Layer, [FinalState]) {
    guard let options = options as? Cell.Options else {
      preconditionFailure("options of \(type(of: options)) for a \(cell)")
    }
    var request: StepAttentionRequest?
    if depth == 0, let stepAttention {
      let keys = AttentionKeys(
        stepAttention.kind, of: stepAttention.source, width: options.output, derivative: .added,
        prefix: "attention_", in: &plan)
      before.append(keys)
      request = StepAttentionRequest(kind: stepAttention.kind, keys: keys)
    }
    var context = LayerContext(
      input: input, isReversed: isReversed, attention: request, dropout: dropout,
      weightDropout: weightDropout, seed: seed,
      // The memory of a matrix is no vector that another layer begins with: its output is read.
      givesFinalStates: givesFinalStates && !(Cell.self is any MatrixStateCell.Type))
    if depth == 0 { (context.conditions, context.length) = (conditions, length) }
    if let mixer = Cell.self as? any WindowMixer.Type, surroundings.surroundNoStep,
      context.surroundsNoStep
    {
      return (window(mixer, options, surroundings.initialState, context, in: &plan), [])
    }
    if let cell = Cell.self as? any MatrixStateCell.Type, surroundings.surroundNoStep,
      surroundings.initialState == .zero, weightDropout == 0, context.surroundsNoStep
    {
      return (window(cell, options, context, in: &plan), [])
    }
    let layer = Recurrent<Cell>(
      options, around: surroundings, context,
      initialStates: { beginning(of: $0, named: $1, isShown: $2, in: &$3) }, in: &plan)
    return (layer, layer.finalStates)
  }

  private func window<Cell: MatrixStateCell>(
    _ cell: Cell.Type, _ options: any CellOptions, _ context: LayerContext, in plan: inout Plan
  ) -> any Layer {
    guard let options = options as? Cell.Options else {
      preconditionFailure("options of \(type(of: options)) for a \(cell)")
    }
    return MatrixStateLayer<Cell>(options, context, in: &plan)
  }

  private mutating func window<Mixer: WindowMixer>(
    _ mixer: Mixer.Type, _ options: any CellOptions, _ initialState: InitialState,
    _ context: LayerContext, in plan: inout Plan
  ) -> any Layer {
    guard let options = options as? Mixer.Options else {
      preconditionFailure("options of \(type(of: options)) for a \(mixer)")
    }
    return WindowLayer<Mixer>(
      options, initialState: initialState, context,
      initialStates: { beginning(of: $0, named: $1, isShown: $2, in: &$3) }, in: &plan)
  }

  /// Returns the initial state for a state of the next recurrent layer; nil if there is none.
  private mutating func beginning(
    of state: Activation, named name: String, isShown: Bool, in plan: inout Plan
  ) -> Activation? {
    let width = plan.width(state)
    if begun == 0, isShown, let beginning {
      let bridge = Bridge(
        from: beginning, to: width, named: "condition_" + name, isBounded: false, in: &plan)
      before.append(bridge)
      return bridge.output
    }
    guard let context else { return nil }
    let from = begun < given.count ? given[begun] : given.last
    let vector = from?.vectors[name]
    if let vector, plan.width(vector) == width { return vector }
    let bridge = Bridge(
      from: vector ?? from?.shown ?? context, to: width, named: "bridge_" + name,
      isBounded: isShown, in: &plan)
    before.append(bridge)
    return bridge.output
  }
}
