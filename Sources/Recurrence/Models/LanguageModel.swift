public import LinearAlgebra

/// A recurrent language model: an embedding, a stack of layers and a softmax over the next symbol.
///
/// The model is a plan and a list of small values; its numbers live in a `ParameterVector` and a
/// `Tape`. Parameters have the names of PyTorch's word_language_model (`encoder.weight`,
/// `rnn.weight_ih_l0`, `decoder.weight`, …) where one PyTorch module can hold all the layers, and one
/// module a layer (`layers.0.weight_ih_l0`) where widths differ or kinds mix.
public struct LanguageModel: Sendable {
  public let plan: Plan
  public let options: ModelOptions
  /// The number of symbols.
  public let vocabulary: Int
  public let head: SoftmaxCrossEntropy
  let layers: [any Layer]

  /// - Parameters:
  ///   - seed: keys dropout; initial weights are drawn by `ParameterVector.initialize`.
  ///   - objective: what training differentiates in place of the plain cross-entropy.
  public init(
    _ options: ModelOptions, vocabulary: Int, seed: UInt64,
    objective: TrainingObjective = TrainingObjective()
  ) {
    if let problem = options.problem { preconditionFailure(problem.sentence) }
    var plan = Plan()
    var layers: [any Layer] = []

    func dropout(_ rate: Double, after layer: any Layer, _ plan: inout Plan) -> any Layer {
      guard rate > 0 else { return layer }
      layers.append(layer)
      return Dropout(
        rate, variational: options.variational, seed: seed, name: plan.scope.layer,
        reading: layer.output, in: &plan)
    }

    plan.scope.vocabulary = vocabulary
    plan.scope.layer = "embedding"
    plan.scope.rateFactor = options.embeddingRate
    plan.scope.initializer = options.embeddingInitializer ?? options.initializer
    let lookup = Lookup(
      vocabulary: vocabulary, width: options.embedding, isTied: options.tied, in: &plan)
    // Dropout and a shortcut read every row by itself; a layer alone, one per different symbol.
    let first: Source
    if options.dropout > 0 || options.layers[0].residual {
      layers.append(dropout(options.dropout, after: Embedding(lookup, in: &plan), &plan))
      first = .activation(layers.last!.output)
    } else {
      first = .lookup(lookup)
    }

    let inOneModule = options.fitsOneModule
    for (index, layer) in options.layers.enumerated() {
      plan.scope.layer = "layer \(index)"
      plan.scope.initializer = layer.initializer ?? options.initializer
      plan.scope.rateFactor = layer.frozen ? 0 : layer.rate
      plan.scope.prefix = inOneModule ? "rnn." : "layers.\(index)."
      let input = layers.last.map { .activation($0.output) } ?? first
      var built: any Layer
      switch layer.kind {
      case .recurrent(let cell, let cellOptions):
        plan.scope.suffix = inOneModule ? "_l\(index)" : "_l0"
        guard let type = cells[cell] else { preconditionFailure("no cell is called \(cell)") }
        built = Self.recurrent(
          type, cellOptions, around: layer.surroundings,
          dropout: options.recurrent ? layer.dropout ?? options.dropout : 0, seed: seed,
          reading: input, in: &plan)
      case .linear(let width):
        plan.scope.suffix = ""
        built = Linear(width, reading: input, in: &plan)
      }
      if layer.residual {
        built = Residual(around: built, reading: layers.last!.output, in: &plan)
      }
      layers.append(dropout(layer.dropout ?? options.dropout, after: built, &plan))
    }

    plan.scope = Plan.Scope()
    plan.scope.layer = "output"
    plan.scope.rateFactor = options.outputRate
    plan.scope.initializer = options.outputInitializer ?? options.initializer
    head = SoftmaxCrossEntropy(
      vocabulary: vocabulary, reading: layers.last!.output,
      tied: options.tied ? lookup.table : nil, bias: options.outputBias,
      objective: objective, in: &plan)
    self.plan = plan
    self.layers = layers
    self.options = options
    self.vocabulary = vocabulary
  }

  private static func recurrent<Cell: RecurrentCell>(
    _ cell: Cell.Type, _ options: any CellOptions, around surroundings: Surroundings,
    dropout: Double,
    seed: UInt64,
    reading input: Source, in plan: inout Plan
  ) -> any Layer {
    guard let options = options as? Cell.Options else {
      preconditionFailure("options of \(type(of: options)) for a \(cell)")
    }
    return Recurrent<Cell>(
      options, around: surroundings, dropout: dropout, seed: seed, reading: input, in: &plan)
  }

  /// Runs the layers over a window and takes its loss; in training the head's derivatives too.
  public func forward(_ pass: Pass) {
    read(pass)
    head.forward(pass)
    pass.mark(.output)
  }

  /// Takes the derivatives of everything below the head.
  public func backward(_ pass: Pass) {
    for layer in layers.reversed() {
      layer.backward(pass)
      pass.mark(.other)
    }
  }

  /// The logits of the next symbol at step t, streams × vocabulary, without a loss.
  public func logits(at t: Int, _ pass: Pass) -> Matrix {
    head.logits(at: t, pass)
  }

  /// Runs the layers alone.
  public func read(_ pass: Pass) {
    for layer in layers {
      layer.forward(pass)
      pass.mark(.other)
    }
  }
}

extension ModelOptions {
  /// Whether one PyTorch module holds all layers: one cell with one set of options, nothing between.
  public var fitsOneModule: Bool {
    guard case .recurrent = layers[0].kind else { return false }
    return layers.allSatisfy { !$0.residual && $0.kind == layers[0].kind }
  }
}

extension LanguageModel {
  /// Names under which a tied matrix is known besides its own, as safetensors files note them.
  public var tiedNames: [String: String] {
    options.tied ? ["decoder.weight": "encoder.weight"] : [:]
  }
}
