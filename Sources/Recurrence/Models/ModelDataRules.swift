public import Sequences

/// A rule on a model of sequences and the data that it is for.
public struct ModelDataRule: Sendable {
  /// The keys of a configuration that the rule concerns, with `*` for the index of a layer.
  public let keys: [String]
  /// The rule in one sentence of Markdown.
  public let statement: String
  private let check: @Sendable (SequenceModelOptions, TaskSignature) -> String?

  fileprivate init(
    _ keys: [String], _ statement: String,
    check: @escaping @Sendable (SequenceModelOptions, TaskSignature) -> String?
  ) {
    self.keys = keys
    self.statement = statement
    self.check = check
  }

  /// Returns why a model breaks the rule, or nil if it keeps it. The rules before this one must be
  /// kept.
  public func problem(_ model: SequenceModelOptions, _ data: TaskSignature) -> String? {
    check(model, data)
  }
}

/// The rules on models of sequences and their data, in the order in which they are checked.
public let modelDataRules: [ModelDataRule] =
  inputRules + outputRules + endRules + targetRules + sourceRules + conditionRules + firstLayerRules

extension SequenceModelOptions {
  /// Returns why these options do not fit data with the given signature, or nil if they fit.
  public func incompatibility(with interface: TaskSignature) -> String? {
    if let incompatibility { return incompatibility }
    for rule in modelDataRules {
      if let problem = rule.problem(self, interface) { return problem }
    }
    return nil
  }
}

private let inputRules: [ModelDataRule] = [
  ModelDataRule(
    ["model.layers", "data.view"], "Layers over time read sequences; trees need `model.tree`."
  ) { _, data in
    data.isTree
      ? "this data's examples are trees, which no layer over time reads; give model.tree "
        + "instead of model.layers, or set data.view to root or phrases" : nil
  },
  ModelDataRule(
    ["model.layers.*.bidirectional", "data.format"],
    "A bidirectional layer reads whole sequences, no running text."
  ) { model, data in
    data.isRunning && model.isBidirectional
      ? "a bidirectional layer reads whole sequences, and this data is a running text; remove "
        + "bidirectional, or set data.format" : nil
  },
  ModelDataRule(
    ["model.layers.*.bidirectional", "data"],
    "A bidirectional layer is not for data whose outputs are the inputs of the next step."
  ) { model, data in
    data.ends != nil && model.isBidirectional
      ? "a bidirectional layer would read its own targets, because each output of this data is "
        + "the input of the next step; remove bidirectional from model.layers" : nil
  },
  ModelDataRule(
    ["model.tied", "data"], "`model.tied` needs the same symbols as inputs and outputs."
  ) { model, data in
    guard case .symbols(let count) = data.input, model.tied, data.output != .symbols(count) else {
      return nil
    }
    return "model.tied needs the same symbols as inputs and outputs, and this data has "
      + "different ones; set it to false"
  },
  ModelDataRule(
    ["model.tied", "model.shortcut"], "`model.tied` and `model.shortcut` exclude each other."
  ) { model, data in
    guard case .symbols = data.input, model.tied, model.shortcut else { return nil }
    return "model.tied and model.shortcut exclude each other; set one to false"
  },
  ModelDataRule(
    ["model.embedding", "data"], "`model.embedding` is for symbols, not for frames of numbers."
  ) { model, data in
    if case .symbols = data.input { return nil }
    return model.embedding != nil
      ? "model.embedding is for symbols, and this data has frames of numbers; remove it, or "
        + "begin model.layers with {linear: width}" : nil
  },
]

private let outputRules: [ModelDataRule] = [
  ModelDataRule(["model.output", "data"], "`model.output` is for symbols.") { model, data in
    if case .symbols = data.output { return nil }
    return model.output.structure.isEmpty
      ? nil
      : "model.output is for symbols, and this data has numbers or labels to predict; remove it"
  },
  ModelDataRule(
    ["model.output.cutoffs", "model.output.div_value", "data.vocabulary.size"],
    "The cutoffs of an adaptive softmax are below the number of symbols, and each cluster has a "
      + "projection that is at least 1 wide."
  ) { model, data in
    guard case .symbols(let count) = data.output, case .adaptive(let options) = model.output.kind
    else { return nil }
    return options.problem(vocabulary: count, reading: model.layers.last?.width ?? 1)
  },
  ModelDataRule(
    ["model.output.samples", "data.vocabulary.size"],
    "A sampled softmax has at most half as many samples as there are symbols."
  ) { model, data in
    guard case .symbols(let count) = data.output, case .sampled(let samples) = model.output.kind,
      2 * samples > count
    else { return nil }
    return
      "model.output.samples is \(samples), more than half of the \(count) symbols; give at most "
      + "\(count / 2), or set model.output.kind to full"
  },
  ModelDataRule(
    ["model.output.order", "data.vocabulary.size"],
    "At most 2²⁴ symbols are ranked by their frequency."
  ) { model, data in
    guard case .symbols(let count) = data.output, model.output.ranksSymbols,
      count > TaskSignature.mostSymbolsFed
    else { return nil }
    return
      "model.output.order: frequency is for at most \(TaskSignature.mostSymbolsFed) symbols, and "
      + "there are \(count); sort the vocabulary by frequency and set it to index"
  },
]

private let endRules: [ModelDataRule] = [
  ModelDataRule(
    ["model.end", "data.format"],
    "An `end` other than `symbol` is for whole sequences, no running text."
  ) { model, data in
    model.end != .symbol && data.isRunning
      ? "model.end: \(model.end.name) is for whole sequences, and this data is a running text; "
        + "remove it, or set data.format to lines" : nil
  },
  ModelDataRule(
    ["model.end", "data"],
    "An `end` other than `symbol` is for sequences with a target at each step."
  ) { model, data in
    model.end != .symbol && data.asksOnce
      ? "model.end: \(model.end.name) is for sequences of outputs, and this data has one target per "
        + "sequence; remove it" : nil
  },
  ModelDataRule(
    ["model.end", "data"],
    "An `end` other than `symbol` is for outputs that the model reads back until the sequence ends."
  ) { model, data in
    model.end != .symbol && data.ends == nil
      ? "model.end: \(model.end.name) is for outputs that the model reads back until the sequence "
        + "ends, such as lines, pairs, piano rolls or the task conditioned; this data has no end to "
        + "predict; remove it" : nil
  },
  ModelDataRule(
    ["model.length_input", "model.layers"], "`model.length_input` needs a layer with a cell."
  ) { model, data in
    guard case .length(let input, _) = model.end, input != .none, !model.hasCell else { return nil }
    return
      "model.length_input enters a layer with a cell, and model.layers has none; add one, or set "
      + "length_input to none"
  },
]

private let targetRules: [ModelDataRule] = [
  ModelDataRule(
    ["model.layers.*.teacher_forcing", "model.layers.*.feedback", "data.vocabulary.size"],
    "A target that is fed to a layer is one of at most 2²⁴ symbols."
  ) { model, data in
    guard let fed = model.firstFed, case .symbols(let count) = data.output,
      count > TaskSignature.mostSymbolsFed
    else { return nil }
    return
      "\(fed.words), which is stored as a number that is exact up to \(TaskSignature.mostSymbolsFed), "
      + "and this data has \(count) symbols; set data.vocabulary.size, or remove \(fed.remedy)"
  },
  ModelDataRule(
    ["model.layers.*.teacher_forcing", "model.layers.*.feedback", "data"],
    "A layer is fed the last target only where each step has one."
  ) { model, data in
    guard let fed = model.firstFed, data.asksOnce else { return nil }
    return
      "\(fed.words), and this data has one target, at the end of each sequence; remove "
      + fed.remedy
  },
  ModelDataRule(
    [
      "model.layers.*.teacher_forcing", "model.layers.*.feedback", "model.layers.*.bidirectional",
    ],
    "No bidirectional layer stands at or above a layer that is fed targets."
  ) { model, data in
    guard let fed = model.firstFed,
      let index = model.layers.indices.first(where: {
        $0 >= fed.index && model.layers[$0].bidirectional != nil
      })
    else { return nil }
    return
      "\(fed.words), and layer \(index) is bidirectional and would read targets before they are "
      + "predicted; remove bidirectional from it, or \(fed.remedy)"
  },
]

private let sourceRules: [ModelDataRule] = [
  ModelDataRule(["model.encoder", "data.source"], "Data with a source needs `model.encoder`.") {
    model, data in
    model.encoder == nil && data.encoded != nil
      ? "this data has a source, and the model has no encoder to read it; set model.encoder" : nil
  },
  ModelDataRule(["model.encoder", "data.source"], "`model.encoder` needs data with a source.") {
    model, data in
    model.encoder != nil && data.encoded == nil
      ? "this data has no source for model.encoder to read; remove it" : nil
  },
  ModelDataRule(
    ["model.encoder.embedding", "data.source"],
    "`model.encoder.embedding` is for symbols, not for frames of numbers."
  ) { model, data in
    guard case .frames = data.encoded, model.encoder?.embedding != nil else { return nil }
    return
      "model.encoder.embedding is for symbols, and this data's source has frames of numbers; "
      + "remove it, or begin model.encoder.layers with {linear: width}"
  },
  ModelDataRule(
    ["model.encoder", "data.source"], "The encoder fits its source as a model fits its data."
  ) { model, data in
    guard let encoder = model.encoder, let input = data.encoded else { return nil }
    return model.encoderOptions(encoder)
      .incompatibility(with: TaskSignature(input: input, output: data.output))
      .map { "model.encoder: " + $0 }
  },
  ModelDataRule(
    ["model.encoder", "model.layers.*.bidirectional"], "No layer of a decoder is bidirectional."
  ) { model, _ in
    guard model.encoder != nil,
      let index = model.layers.firstIndex(where: { $0.bidirectional != nil })
    else { return nil }
    return
      "layer \(index) of the decoder is bidirectional and would read its own targets; "
      + "remove bidirectional there"
  },
  ModelDataRule(["model.encoder", "model.layers"], "A decoder has a layer with a cell.") {
    model, _ in
    model.encoder != nil && !model.hasCell ? "a decoder needs at least one layer with a cell" : nil
  },
  ModelDataRule(
    ["model.encoder.layers", "model.context", "model.attention", "model.end"],
    "The output of the encoder's top layer is read: it has a final state, or `model.context`, "
      + "`model.attention` or a predicted length reads it."
  ) { model, _ in
    guard let encoder = model.encoder, encoder.context == .initialState, encoder.attention == nil,
      !model.end.isLength, encoder.layers.contains(where: \.hasState),
      encoder.layers.last?.hasState == false
    else { return nil }
    return
      "the top layer of model.encoder has no final state, and nothing else reads its output; set "
      + "model.context to every_step or both, or remove the layer"
  },
  ModelDataRule(
    ["model.context", "model.layers"],
    "Final states of the encoder begin a decoder that has a state, or `model.context` is `every_step`."
  ) { model, _ in
    guard let encoder = model.encoder, encoder.context.beginsStates,
      !model.layers.contains(where: \.hasState)
    else { return nil }
    return
      "no layer of the decoder has a state that could start from the encoder's final states; set "
      + "model.context to every_step"
  },
  ModelDataRule(
    ["model.attention_place", "model.layers"],
    "`model.attention_place: input` needs a first cell with a state."
  ) { model, _ in
    guard model.encoder?.attention?.place == .input,
      let index = model.layers.firstIndex(where: \.isRecurrent),
      !model.layers[index].cellHasState
    else { return nil }
    return
      "layer \(index) has no state that attention could read; set model.attention_place to "
      + "output, or begin the decoder with another cell"
  },
  ModelDataRule(
    ["model.context", "model.layers.*.initial_state"],
    "A layer that begins with final states of the encoder has no `initial_state`."
  ) { model, _ in
    guard let encoder = model.encoder, encoder.context.beginsStates,
      let index = model.layers.firstIndex(where: { $0.surroundings.initialState != .zero })
    else { return nil }
    return
      "layer \(index) starts from the encoder's final states and cannot have an initial_state; "
      + "remove it, or set model.context to every_step"
  },
]

private let conditionRules: [ModelDataRule] = [
  ModelDataRule(
    ["model.condition_embedding", "data.condition.classes"],
    "`model.condition_embedding` needs a condition with classes."
  ) { model, data in
    model.conditionEmbedding != nil && data.classes.isEmpty
      ? "model.condition_embedding is for classes, and this data's sequences have no classes; "
        + "remove it, or set data.condition.classes" : nil
  },
  ModelDataRule(["data.condition", "model.layers"], "A condition needs a layer with a cell.") {
    model, data in
    data.isConditioned && !model.hasCell
      ? "this data's sequences have a condition, which only a layer with a cell can read; add such "
        + "a layer to model.layers, or remove data.condition" : nil
  },
  ModelDataRule(
    ["model.condition", "model.layers"],
    "`model.condition: initial_state` needs a layer with a state."
  ) { model, data in
    data.isConditioned && model.condition == .initialState
      && !model.layers.contains(where: \.hasState)
      ? "no layer has a state that could start from the condition of the sequence; set "
        + "model.condition to every_step" : nil
  },
  ModelDataRule(
    ["model.condition", "model.layers.*.initial_state"],
    "A layer that begins with the condition has no `initial_state`."
  ) { model, data in
    guard data.isConditioned, model.condition == .initialState,
      let first = model.layers.first(where: \.hasState), first.surroundings.initialState != .zero
    else { return nil }
    return
      "the first layer with a state starts from the condition of the sequence and cannot have an "
      + "initial_state; remove it, or set model.condition to every_step"
  },
  ModelDataRule(
    ["model.condition", "model.context"],
    "States begin with the condition or with the encoder's final states, not with both."
  ) { model, data in
    data.isConditioned && model.condition == .initialState
      && model.encoder?.context.beginsStates == true
      ? "the first layer cannot start from both the encoder's final states and the condition; "
        + "set model.condition or model.context to every_step" : nil
  },
]

private let firstLayerRules: [ModelDataRule] = [
  ModelDataRule(
    [
      "model.shortcut", "model.input_dropout", "model.layers.*.bidirectional",
      "data.columns.inputs",
    ],
    "Where the data has nothing to read, the first layer has no shortcut, no dropout before it and one "
      + "direction."
  ) { model, data in
    model.widthRead(of: data) == 0 && model.readsRows(data.input)
      ? "this data has no inputs, so the first layer can have no shortcut, no dropout before it "
        + "and only one direction; remove them" : nil
  },
  ModelDataRule(
    ["model.layers.*.residual", "data"],
    "A first layer that is residual, or reads its input itself, is as wide as its input."
  ) { model, data in
    let (layer, read) = (model.layers[0], model.widthRead(of: data))
    return layer.problem(reading: read).map { "layer 0 \($0)" }
  },
]

extension SequenceModelOptions {
  fileprivate var isBidirectional: Bool { layers.contains { $0.bidirectional != nil } }
  fileprivate var hasCell: Bool { layers.contains(where: \.isRecurrent) }

  /// The first layer that is fed targets, in words; nil if there is none.
  fileprivate var firstFed: (index: Int, words: String, remedy: String)? {
    layers.firstIndex(where: \.feedsTargets).map {
      (
        $0, "layer \($0) reads the target of the step before",
        "teacher_forcing and feedback: target"
      )
    }
  }

  /// Returns the width of what the first layer reads.
  fileprivate func widthRead(of data: TaskSignature) -> Int {
    switch data.input {
    case .symbols(let count): embedding ?? count
    case .frames(let width): width
    case .nothing: 0
    }
  }
}
