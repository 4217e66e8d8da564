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
      return "the model has an encoder, which no module of PyTorch holds"
    }
    if interface.isConditioned {
      return "the model is conditioned on a vector, which PyTorch's modules are not"
    }
    if options.end != .symbol {
      return
        "the model says by an output of its own where a sequence ends (\(options.end.rawValue)), "
        + "which PyTorch's modules do not"
    }
    for (index, layer) in options.layers.enumerated() {
      guard case .recurrent(let cell, let options) = layer.kind else { continue }
      if layer.surroundings.initialState != .zero {
        return "layer \(index) has an initial state (\(layer.surroundings.initialState.rawValue)), "
          + "which PyTorch's modules lack"
      }
      if layer.surroundings.feedback != nil {
        return "layer \(index) feeds back its output, which no module of PyTorch does"
      }
      if layer.surroundings.feedsTargets {
        return "layer \(index) is fed the last target, which no module of PyTorch is"
      }
      if layer.surroundings.zoneout > 0 {
        return
          "layer \(index) has zoneout, which mixes states in evaluation too; PyTorch's modules lack it"
      }
      let reason =
        form.isOfModules
        ? Self.reasonAgainstModule(cell, options) : Self.reasonAgainstForms(cell, options)
      if let reason { return "layer \(index) \(reason)" }
    }
    if form.updateGate == .candidate, !cellWeights.contains(where: \.isGRU) {
      return "no layer is a gru or a gru-reset-before, and others have no update gate of two signs"
    }
    return nil
  }

  /// Returns why PyTorch has no module for a cell.
  private static func reasonAgainstModule(_ cell: String, _ options: any CellOptions) -> String? {
    switch options {
    case let options as LSTM.Options where cell == "lstm":
      if options.peephole != .none { return "has peepholes, which nn.LSTM lacks" }
      if options.coupled { return "has coupled gates, which nn.LSTM lacks" }
      return options.layerNorm ? "has layer normalisation, which nn.LSTM lacks" : nil
    case is GRU.Options where cell == "gru": return nil
    case let options as Elman.Options where cell == "elman":
      if options.nonlinearity == .tanh || options.nonlinearity == .relu { return nil }
      return "has the nonlinearity \(options.nonlinearity.rawValue), and nn.RNN "
        + "has tanh and relu only"
    default: return "is a \(cell), for which PyTorch has no module"
    }
  }

  /// Returns why a cell has only one form.
  private static func reasonAgainstForms(_ cell: String, _ options: any CellOptions) -> String? {
    switch cell {
    case "elman", "gru", "gru-reset-before", "update-gru": nil
    case "leaky":
      (options as? Leaky.Options)?.recurrent == false
        ? "is a leaky without U, and so has no two matrices" : nil
    case "lstm":
      (options as? LSTM.Options)?.layerNorm == true
        ? "has layer normalisation, which takes each of the two products by itself" : nil
    default:
      "is a \(cell), and only elman, lstm, gru, gru-reset-before, update-gru and leaky have another form"
    }
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
    if layout.entry(named: "decoder.bias") == nil {
      leftOut.append(("decoder.bias", interface.output.width))
    }
    return leftOut
  }
}
