internal import Foundation
public import LinearAlgebra
public import Sequences

/// A model of sequences: an input, a stack of layers, and a head that predicts.
///
/// The model is a plan and a list of small values; its numbers live in a `ParameterVector` and a
/// `Tape`. Parameters have the names of PyTorch's word_language_model (`encoder.weight`,
/// `rnn.weight_ih_l0`, `decoder.weight`, …) if one PyTorch module can hold all the layers.
/// Otherwise, if widths or kinds differ, there is one module per layer (`layers.0.weight_ih_l0`).
public struct SequenceModel: Model {
  public let plan: Plan
  public let options: SequenceModelOptions
  public let interface: TaskSignature
  public let head: any Head
  /// The head, if it is a halting probability.
  let halting: Halting?
  let predictedLength: PredictedLength?
  public let encoder: [any Layer]
  public let layers: [any Layer]
  /// The index in `layers` of the first layer with target feedback; nil for none.
  let firstTeacherForced: Int?
  /// The input of the head.
  package let top: Activation

  /// - Parameters:
  ///   - options: The layers and the output of the network.
  ///   - interface: The signature of the data, which decides the inputs and the outputs.
  ///   - seed: The key of dropout; `ParameterVector.initialize` samples initial weights.
  ///   - objective: The terms that training adds to the cross-entropy.
  ///   - ranks: The rank of each output symbol by its frequency, for initial weights; nil for its
  ///     index.
  public init(
    _ options: SequenceModelOptions, interface: TaskSignature, seed: UInt64,
    objective: TrainingObjective = TrainingObjective(), ranks: [Int32]? = nil
  ) {
    if let problem = options.incompatibility(with: interface) { preconditionFailure(problem) }
    var plan = Plan()
    plan.seed = seed
    plan.ranks = ranks
    plan.widthBase = options.widthBase
    var (stack, table, encoded, known) = Self.layers(
      options, interface, seed: seed, objective: objective, in: &plan)
    let end = options.end == .symbol ? nil : interface.ends?.symbol
    let outputs = Self.outputs(
      options, interface, reading: stack.output, table: table, excluding: end,
      objective: objective, in: &plan)
    halting =
      options.end == .halt
      ? Halting(beside: outputs, end: end, reading: stack.output, in: &plan) : nil
    predictedLength =
      options.end.isLength
      ? interface.ends.map { ends in
        if known.count > 1 { stack.before.append(Self.join(known, in: &plan)) }
        return PredictedLength(
          upTo: ends.longest, beside: outputs, end: end,
          knowing: known.count > 1 ? stack.before.last!.output : known.first, in: &plan)
      } : nil
    head = halting ?? predictedLength ?? outputs
    top = stack.output
    self.plan = plan
    encoder = (encoded?.layers ?? []) + stack.before
    layers = stack.layers
    firstTeacherForced = stack.firstTeacherForced
    self.options = options
    self.interface = interface
  }

  /// Makes all layers below the head.
  /// - Returns: The layers, the matrix of the embedding, the output of the encoder, and the vectors that
  ///   are known of each whole sequence.
  private static func layers(
    _ options: SequenceModelOptions, _ interface: TaskSignature, seed: UInt64,
    objective: TrainingObjective, in plan: inout Plan
  ) -> (Stack, table: Parameter?, EncoderOutput?, known: [Activation]) {
    var stack = Stack(options, seed: seed, objective: objective)
    var encoded: EncoderOutput?
    if let encoder = options.encoder, let input = interface.encoded {
      encoded = EncoderOutput(encoder, of: options, reading: input, seed: seed, in: &plan)
    }
    plan.scope.outputs = interface.output
    let (source, table) = source(
      options, interface.input, named: "embedding", seed: seed, in: &plan)
    // Dropout and shortcuts need one row per step. Otherwise the input product is computed once per
    // distinct symbol.
    if options.readsRows(interface.input) {
      stack.addInput(source, in: &plan)
    } else {
      stack.source = source
    }
    let input = stack.layers.last?.output
    let attention = options.encoder?.attention
    if let encoded, let encoder = options.encoder {
      stack.read(encoded, as: encoder.context)
      if let attention, attention.place == .input {
        stack.stepAttention(attention.kind, to: encoded.output)
      }
    }
    var known = encoded.map { [$0.summary] } ?? []
    if interface.isConditioned {
      known.append(readCondition(options, interface, into: &stack, in: &plan))
    }
    if case .length(let input, _) = options.end { stack.read(length: input) }
    stack.add(
      options.layers[...], shown: interface.asksOnce ? .summary : .aligned, in: &plan)
    if let encoded, let attention, attention.place == .output {
      stack.addAttention(attention.kind, to: encoded.output, in: &plan)
    }
    if let norm = options.finalNorm {
      plan.scope = Plan.Scope()
      plan.scope.layer = "final norm"
      plan.scope.prefix = "final_norm."
      plan.scope.initializer = options.initializer
      plan.scope.outputs = interface.output
      stack.layers.append(Normalization(norm, reading: stack.output, in: &plan))
      stack.output = stack.layers.last!.output
    }
    if options.shortcut, let input {
      plan.scope.layer = "shortcut"
      stack.layers.append(Concatenation(of: [stack.output, input], in: &plan))
      stack.output = stack.layers.last!.output
    }
    return (stack, table, encoded, known)
  }

  /// Lets the first layer read the condition of each sequence.
  /// - Returns: The vector of the condition.
  private static func readCondition(
    _ options: SequenceModelOptions, _ interface: TaskSignature, into stack: inout Stack,
    in plan: inout Plan
  ) -> Activation {
    let vector = ConditionInput(
      interface.condition, classes: interface.classes, embedding: options.conditionEmbedding,
      initializer: options.embeddingInitializer ?? options.initializer, in: &plan)
    stack.before.append(vector)
    stack.read(condition: vector.output, at: options.condition)
    return vector.output
  }

  /// Makes the head that the data prescribes.
  /// - Parameters:
  ///   - table: The matrix of the embedding, for a tied output layer.
  ///   - end: The end-of-sequence symbol, if another output predicts the ends.
  private static func outputs(
    _ options: SequenceModelOptions, _ interface: TaskSignature, reading input: Activation,
    table: Parameter?, excluding end: Int?, objective: TrainingObjective, in plan: inout Plan
  ) -> any Head {
    plan.scope = Plan.Scope()
    plan.scope.layer = "output"
    plan.scope.rateFactor = options.output.rate
    plan.scope.initializer = options.output.initializer ?? options.initializer
    plan.scope.vectorInitializer = options.output.biasInitializer
    switch interface.output {
    case .symbols(let count):
      return softmax(
        options, over: count, reading: input, table: table, excluding: end, objective: objective,
        in: &plan)
    case .numbers(let width):
      return SquaredError(width, reading: input, bias: options.output.hasBias, in: &plan)
    case .labels(let width):
      return Logistic(width, reading: input, bias: options.output.hasBias, in: &plan)
    }
  }

  /// Makes the head that predicts symbols.
  private static func softmax(
    _ options: SequenceModelOptions, over count: Int, reading input: Activation,
    table: Parameter?, excluding end: Int?, objective: TrainingObjective, in plan: inout Plan
  ) -> any Head {
    let output = options.output
    switch output.kind {
    case .full:
      return SoftmaxCrossEntropy(
        vocabulary: count, reading: input, tied: options.tied ? table : nil, bias: output.hasBias,
        excluding: end, objective: objective, softCap: output.softCap, in: &plan)
    case .adaptive(let adaptive):
      return AdaptiveSoftmax(
        adaptive, output, vocabulary: count, reading: input, excluding: end, in: &plan)
    case .sampled(let samples):
      return SampledSoftmax(
        samples, output, vocabulary: count, reading: input, tied: options.tied ? table : nil,
        excluding: end, in: &plan)
    }
  }

  /// Makes a language model, which predicts the next of `vocabulary` symbols.
  public init(
    _ options: SequenceModelOptions, vocabulary: Int, seed: UInt64,
    objective: TrainingObjective = TrainingObjective(), ranks: [Int32]? = nil
  ) {
    self.init(
      options, interface: TaskSignature(vocabulary: vocabulary), seed: seed, objective: objective,
      ranks: ranks)
  }

  /// Returns the input of the first layer, and the table of the embedding if there is one.
  static func source(
    _ options: SequenceModelOptions, _ input: TaskSignature.Input, named name: String,
    seed: UInt64, in plan: inout Plan
  ) -> (LayerInput, Parameter?) {
    plan.scope.layer = name
    plan.scope.rateFactor = options.embeddingRate
    plan.scope.initializer = options.embeddingInitializer ?? options.initializer
    switch input {
    case .frames(let width): return (.frames(width), nil)
    case .nothing: return (.nothing, nil)
    case .symbols(let count):
      guard let width = options.embedding else { return (.symbols(count), nil) }
      let rate = options.embeddingDropout
      let lookup = Lookup(
        vocabulary: count, width: width, isTied: options.tied,
        dropout: rate > 0 ? SymbolDropout(rate, seed: seed, name: name) : nil, in: &plan)
      return (.lookup(lookup), lookup.table)
    }
  }

  /// The greatest length that the model can predict; nil without length prediction.
  public var longestPredicted: Int? { predictedLength?.longest }

  /// Concatenates the summary of the source and the condition of each stream.
  private static func join(_ vectors: [Activation], in plan: inout Plan) -> Concatenation {
    plan.scope.axis = .stream
    defer { plan.scope.axis = .time }
    return Concatenation(of: vectors, in: &plan)
  }

  public var outputWeights: [Parameter] {
    head.outputWeights + [halting?.haltWeight, predictedLength?.lengthWeight].compactMap(\.self)
  }

  /// Returns the outputs of every stream at step t, without a loss: the logits of symbols, for
  /// example.
  public func outputs(at t: Int, _ pass: Pass) -> Matrix { head.outputs(at: t, pass) }

  /// Returns the same, but −∞ is allowed for symbols that are not among the `count` likeliest of their
  /// stream; nil for all symbols.
  func outputs(at t: Int, _ pass: Pass, likeliest count: Int?) -> Matrix {
    head.outputs(at: t, pass, likeliest: count)
  }

  /// Returns ln Σ exp of the outputs of a stream: 0 if they are ln p.
  func normaliser(_ outputs: Row) -> Real { head.givesLogLikelihoods ? 0 : outputs.logSumExp }
}

extension SequenceModel {
  public var tiedNames: [String: String] {
    options.tied ? ["decoder.weight": "encoder.weight"] : [:]
  }

  public var structure: [String] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.userInfo[.isStructure] = true
    func words(_ layer: LayerOptions) -> String {
      let bare = try? encoder.encode(
        LayerOptions(
          layer.kind, residual: layer.residual, bidirectional: layer.bidirectional,
          surroundings: layer.surroundings))
      return String(decoding: bare ?? Data(), as: UTF8.self)
    }
    let source = options.encoder.map { encoder in
      ["source"] + encoder.layers.map(words)
        + [
          "context " + encoder.context.rawValue,
          "attention " + (encoder.attention?.kind.rawValue ?? "none") + " "
            + (encoder.attention?.place ?? .output).rawValue,
        ]
    }
    let ends =
      switch options.end {
      case .symbol: [String]()
      case .halt: ["end halt"]
      case .length(let input, _): ["end length", "length input " + input.rawValue]
      }
    let scale = options.embeddingScale.map { ["embedding scale \($0)"] } ?? []
    let first = options.embeddingNorm.map { ["embedding norm \($0.kind.rawValue) \($0.eps)"] } ?? []
    let norm = options.finalNorm.map { ["final norm \($0.kind.rawValue) \($0.eps)"] } ?? []
    return options.layers.map(words) + scale + first + norm + (options.shortcut ? ["shortcut"] : [])
      + options.output.structure
      + (interface.isConditioned ? [options.condition.rawValue] : [])
      + (source ?? [])
      + ends
  }
}

extension SequenceModelOptions {
  /// True if one PyTorch module can hold all layers: the same cell and options in each, and nothing
  /// between them.
  public var fitsOneModule: Bool {
    guard case .recurrent = layers[0].kind, layers[0].bidirectional != .sum else { return false }
    return layers.allSatisfy {
      !$0.residual && $0.kind == layers[0].kind && $0.bidirectional == layers[0].bidirectional
    }
  }

  /// True if the input must be an activation of its own, with one row per step.
  func readsRows(_ input: TaskSignature.Input) -> Bool {
    if dropoutOfInput > 0 || shortcut || layers[0].readsRows || embeddingScale != nil
      || embeddingNorm != nil
    {
      return true
    }
    guard layers[0].bidirectional != nil else { return false }
    // Symbols need no such activation, in both directions, unless a layer reads several steps at
    // once.
    if case .symbols = input { return layers[0].inputDelays != [0] }
    return true
  }
}
