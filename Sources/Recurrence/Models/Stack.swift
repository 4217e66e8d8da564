/// Layers one above the other while they are being made.
struct Stack {
  private let options: ModelOptions
  private let seed: UInt64
  var layers: [any Layer] = []
  /// What the next layer reads.
  var source = Source.nothing
  /// What the first recurrent layer knows of each sequence.
  var condition: Conditioning?
  /// The activation of the last layer, once there is one.
  var output: Activation {
    get {
      guard case .activation(let output) = source else { preconditionFailure("an empty stack") }
      return output
    }
    set { source = .activation(newValue) }
  }

  init(_ options: ModelOptions, seed: UInt64) {
    self.options = options
    self.seed = seed
  }

  /// Makes an activation of what is read, with dropout.
  mutating func addInput(_ source: Source, in plan: inout Plan) {
    let input: any Layer =
      switch source {
      case .lookup(let lookup): Embedding(lookup, in: &plan)
      default: Input(source, in: &plan)
      }
    add(input, dropout: options.dropout, in: &plan)
  }

  /// Adds the layers of a configuration.
  /// - Parameter isSummary: whether only the last step of each sequence is of interest.
  mutating func add(_ all: [LayerOptions], isSummary: Bool, in plan: inout Plan) {
    let inOneModule = options.fitsOneModule
    for (index, layer) in all.enumerated() {
      plan.scope.layer = "layer \(index)"
      plan.scope.initializer = layer.initializer ?? options.initializer
      plan.scope.rateFactor = layer.frozen ? 0 : layer.rate
      plan.scope.prefix = inOneModule ? "rnn." : "layers.\(index)."
      let read = source
      var built: any Layer
      switch layer.kind {
      case .recurrent(let cell, let cellOptions):
        guard let type = cells[cell] else { preconditionFailure("no cell is called \(cell)") }
        let suffix = inOneModule ? "_l\(index)" : "_l0"
        let condition = condition
        self.condition = nil
        func direction(_ read: Source, _ isSecond: Bool, _ plan: inout Plan) -> any Layer {
          plan.scope.suffix = suffix + (isSecond ? "_reverse" : "")
          return recurrent(
            type, cellOptions, around: layer.surroundings,
            dropout: options.recurrent ? layer.dropout ?? options.dropout : 0, reading: read,
            condition, in: &plan)
        }
        if let combination = layer.bidirectional, case .activation(let input) = read {
          built = Bidirectional(
            combination, reading: input, isSummary: isSummary && index == all.count - 1, in: &plan
          ) { direction(.activation($0), $1, &$2) }
        } else {
          built = direction(read, false, &plan)
        }
      case .linear(let width):
        plan.scope.suffix = ""
        built = Linear(width, reading: read, in: &plan)
      }
      if layer.residual, case .activation(let input) = read {
        built = Residual(around: built, reading: input, in: &plan)
      }
      add(built, dropout: layer.dropout ?? options.dropout, in: &plan)
    }
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

  private func recurrent<Cell: RecurrentCell>(
    _ cell: Cell.Type, _ options: any CellOptions, around surroundings: Surroundings,
    dropout: Double, reading input: Source, _ condition: Conditioning?, in plan: inout Plan
  ) -> any Layer {
    guard let options = options as? Cell.Options else {
      preconditionFailure("options of \(type(of: options)) for a \(cell)")
    }
    return Recurrent<Cell>(
      options, around: surroundings, dropout: dropout, seed: seed, reading: input,
      condition: condition, in: &plan)
  }
}
