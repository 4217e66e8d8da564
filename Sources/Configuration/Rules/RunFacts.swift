internal import Datasets
internal import Optimization
internal import Recurrence
package import Sequences

extension RunOptions {
  var isText: Bool { data.reader == nil && data.task == nil }
  var isTree: Bool { data.reader?.view.isTree == true }

  var isValidated: Bool {
    data.task.map { $0.validSize > 0 } ?? (data.valid != nil && data.valid != .fraction(0))
  }
  var isTested: Bool {
    data.task.map { $0.testSize > 0 } ?? (data.test != nil && data.test != .fraction(0))
  }
  var remedyOfValidation: String {
    data.task == nil ? "set data.valid" : "set data.valid_size"
  }

  /// Returns a violation of a setting that needs validation data if there is none.
  func unvalidated(_ key: String) -> [RuleViolation] {
    isValidated
      ? []
      : [
        RuleViolation(
          idle: key, because: "there is nothing to validate on", or: remedyOfValidation)
      ]
  }

  /// The texts that the model can write.
  var generation: Generation {
    if let task = data.task {
      let interface = task.task.interface
      guard case .symbols = interface.input, interface.input.width == interface.output.symbols,
        interface.encoded == nil, interface.ends?.symbol != nil
      else { return .none }
      return .continuations
    }
    guard let reader = data.reader else { return .continuations }
    switch reader.format {
    case .lines, .pairs:
      guard let source = reader.source else { return .continuations }
      return source.frames == nil ? .outputs : .none
    case .piano, .csv, .tags, .labels, .trees: return .none
    }
  }

  /// True if the loss is that of a softmax.
  var predictsSymbols: Bool {
    if let task = data.task { return !task.task.outputs.isEmpty }
    guard let reader = data.reader else { return true }
    switch reader.format {
    case .piano: return false
    case .csv: return reader.columns?.classes != nil
    case .lines, .tags, .labels, .trees, .pairs: return true
    }
  }

  /// True if sequences have a condition.
  var isConditioned: Bool {
    data.task?.task.widths.condition ?? 0 > 0 || data.reader?.condition != nil
  }

  /// True if a layer over time, outside of the encoder, has a state.
  var hasStates: Bool { model.layers.contains(where: \.hasState) }

  /// Returns true if the input of each step is the target of the step before; nil if only the examples tell.
  package func readsTargets(of data: TaskSignature) -> Bool? {
    if model.layers.contains(where: { $0.bidirectional != nil }) { return false }
    if data.isRunning || data.ends != nil { return true }
    return data.mayReadTargets ? nil : false
  }

  /// The layers of the model and of its encoder, and their keys.
  var stacks: [(layers: [LayerOptions], key: String)] {
    [(model.layers, "model.layers")]
      + (model.sequence?.encoder.map { [($0.layers, "model.encoder.layers")] } ?? [])
  }

  /// Returns true if nothing in a layer is learnt, and nothing enters it through a learnt matrix.
  func isReservoirAlone(_ layer: LayerOptions) -> Bool {
    model.sequence?.encoder == nil && model.end == .symbol && !isConditioned && layer.learnsNothing
  }
}

/// The texts that a model can write.
enum Generation {
  /// None: it does not predict the symbols that it reads, or it needs frames as sources.
  case none
  /// Continuations of a prompt.
  case continuations
  /// An output for each source.
  case outputs
}

extension TaskSignature {
  /// True if targets may be the next inputs: symbols of the same kind, or numbers, at every step. A
  /// sequence with a single step would fit anything.
  fileprivate var mayReadTargets: Bool {
    guard !asksOnce else { return false }
    return switch (input, output) {
    case (.symbols(let read), .symbols(let asked)): read == asked
    case (.frames(let read), .numbers(let asked)), (.frames(let read), .labels(let asked)):
      read == asked
    default: false
    }
  }
}

extension TaskSignature.Input {
  /// The number of symbols; nil for other inputs.
  fileprivate var width: Int? { if case .symbols(let count) = self { count } else { nil } }
}

extension TaskSignature.Output {
  /// The number of symbols; nil for other outputs.
  fileprivate var symbols: Int? { if case .symbols(let count) = self { count } else { nil } }
}
