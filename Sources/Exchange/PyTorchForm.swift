internal import LinearAlgebra
internal import Recurrence

// The parts of PyTorch's modules that a model here may lack, and the reverse.
extension SequenceModel {
  /// Returns the first part of the model that a form of weights cannot represent, such as `layer 1
  /// has peepholes, which nn.LSTM lacks`; nil if it represents the whole model.
  ///
  /// Dropout and shortcuts have no parameters, so the author of the PyTorch modules must add them.
  func part(outside form: WeightForm) -> String? {
    if options.encoder != nil {
      return "the model has an encoder, which no module of PyTorch has"
    }
    if interface.isConditioned {
      return "the model reads a condition, which no module of PyTorch does"
    }
    if options.end != .symbol {
      return
        "the model predicts where a sequence ends (\(options.end.name)), which no module of "
        + "PyTorch does"
    }
    if options.finalNorm != nil {
      return "the model has a final_norm, which no recurrent module of PyTorch has"
    }
    if options.embeddingScale != nil {
      return "the model has an embedding_scale, which no recurrent module of PyTorch has"
    }
    for (index, layer) in options.layers.enumerated() {
      switch layer.kind {
      case .block: return "layer \(index) is a block, for which PyTorch has no recurrent module"
      case .convolution: return "layer \(index) is a conv, which no recurrent module of PyTorch has"
      case .tokenShift:
        return "layer \(index) is a token_shift, which no recurrent module of PyTorch has"
      case .recurrent, .linear: break
      }
      guard case .recurrent(let cell, let options) = layer.kind else { continue }
      if layer.surroundings.initialState != .zero {
        return "layer \(index) has an initial state (\(layer.surroundings.initialState.rawValue)), "
          + "which PyTorch's modules lack"
      }
      if layer.surroundings.feedback != nil {
        return "layer \(index) feeds back its output, which no module of PyTorch does"
      }
      if layer.surroundings.feedsTargets {
        return "layer \(index) reads the last target, which no module of PyTorch does"
      }
      if layer.surroundings.zoneout > 0 {
        return
          "layer \(index) has zoneout, which mixes states in evaluation too; PyTorch's modules lack it"
      }
      let reason = Self.obstacle(to: form, cell, options)
      if let reason { return "layer \(index) \(reason)" }
    }
    if form.updateGate == .candidate, !cellWeights.contains(where: \.hasUpdateGate) {
      let names = Self.portableCells { $0.updateGate != nil }.joined(separator: " or a ")
      return "no layer is a \(names), the only cells for --update-gate"
    }
    return nil
  }

  /// Returns why a cell does not have this form, or nil if it has.
  private static func obstacle(
    to form: WeightForm, _ name: String, _ options: any CellOptions
  ) -> String? {
    func ask<Cell: PortableCell>(_ cell: Cell.Type) -> String? {
      guard let options = options as? Cell.Options else {
        preconditionFailure("options of another cell than \(name)")
      }
      if !form.isOfModules { return cell.joiningObstacle(options) }
      return cell.pytorchModule == nil
        ? "is a \(name), for which PyTorch has no module" : cell.moduleObstacle(options)
    }
    if let cell = Recurrence.cell(named: name) as? any PortableCell.Type { return ask(cell) }
    if form.isOfModules { return "is a \(name), for which PyTorch has no module" }
    let names = portableCells { _ in true }
    return "is a \(name), and only \(names.dropLast().joined(separator: ", ")) and "
      + "\(names.last!) have another form"
  }

  /// Returns the names of the cells in the registry that adopt `PortableCell` and meet a condition.
  private static func portableCells(where meets: (any PortableCell.Type) -> Bool) -> [String] {
    cells.filter { ($1 as? any PortableCell.Type).map(meets) ?? false }.keys.sorted()
  }
}

extension Model {
  /// The biases that PyTorch's modules always have and this model lacks; they are zero there.
  var biasesLeftOut: [(name: String, count: Int)] {
    let layout = ParameterLayout(plan)
    var leftOut: [(name: String, count: Int)] = []
    for entry in layout.entries {
      let second = entry.name.replacing("bias_ih", with: "bias_hh")
      if layout.entry(named: second) == nil { leftOut.append((second, entry.count)) }
    }
    if layout.entry(named: "decoder.bias") == nil, layout.entry(named: "decoder.head.weight") == nil
    {
      leftOut.append(("decoder.bias", interface.output.width))
    }
    return leftOut
  }
}
