internal import Recurrence
internal import Sequences

// The parts of a model that no operators of ONNX compute, or that need a loop over steps.
extension SequenceModel {
  /// Returns the first part of the model that an ONNX graph cannot represent here, such as `layer 1 is a
  /// block, …`; nil if it represents the whole model.
  ///
  /// Dropout, weight dropout and a sampled softmax act in training only.
  var partOutsideONNX: String? {
    if options.encoder != nil { return "the model has an encoder, which export to ONNX lacks" }
    if interface.isConditioned {
      return "the model reads a condition, which export to ONNX lacks"
    }
    if case .nothing = interface.input {
      return "the model reads no input, and an ONNX graph needs one"
    }
    if options.end != .symbol {
      return "the model predicts where a sequence ends (\(options.end.name)), which export to ONNX "
        + "lacks"
    }
    if case .adaptive = options.output.kind {
      return "the output layer is an adaptive softmax, for which ONNX has no operator"
    }
    for (index, layer) in options.layers.enumerated() {
      if let reason = layer.obstacleToONNX { return "layer \(index) \(reason)" }
    }
    // Layers above a summary read the last step alone.
    if let place = summaryLayer,
      let above = options.layers.indices.first(where: {
        $0 > place && options.layers[$0].onnxOperator != nil
      })
    {
      return "layer \(above) has a state and reads the summary of layer \(place), which export to "
        + "ONNX lacks"
    }
    return nil
  }

  /// The index of the layer whose last output is the summary of a sequence; nil if there is none.
  var summaryLayer: Int? {
    interface.asksOnce ? options.layers.lastIndex { $0.bidirectional != nil } : nil
  }

  /// True if the model reads whole sequences: in both directions, or for one output each.
  var readsWholeSequences: Bool {
    interface.asksOnce || options.layers.contains { $0.bidirectional != nil }
  }
}

extension LayerOptions {
  /// The form of the layer's cell in ONNX; nil for a layer without a cell.
  var onnxForm: ONNXForm? {
    guard case .recurrent(let name, let options) = kind else { return nil }
    func ask<Cell: ONNXCell>(_ cell: Cell.Type) -> ONNXForm {
      guard let options = options as? Cell.Options else {
        preconditionFailure("options of another cell than \(name)")
      }
      return cell.onnxForm(options)
    }
    guard let cell = Recurrence.cell(named: name) as? any ONNXCell.Type else {
      return .unsupported("is a \(name), for which ONNX has no operator")
    }
    return ask(cell)
  }

  /// The recurrent operator that computes the layer; nil for a layer without a state.
  var onnxOperator: ONNXOperator? {
    if case .recurrent(let form) = onnxForm { form } else { nil }
  }

  /// Returns why no ONNX graph computes the layer, to complete "layer 1 …"; nil if one does.
  fileprivate var obstacleToONNX: String? {
    switch kind {
    case .block: return "is a block, for which ONNX has no operator"
    case .convolution: return "is a conv, which export to ONNX lacks"
    case .tokenShift: return "is a token_shift, which export to ONNX lacks"
    case .linear, .recurrent: break
    }
    if surroundings.initialState != .zero {
      return "has an initial state (\(surroundings.initialState.rawValue)), and the states of an "
        + "ONNX graph begin as the caller says"
    }
    if surroundings.feedback != nil { return "feeds back its output, which ONNX's operators lack" }
    if surroundings.feedsTargets { return "reads the last target, which ONNX's operators lack" }
    if surroundings.zoneout > 0 {
      return "has zoneout, which mixes states in evaluation too; ONNX's operators lack it"
    }
    if case .unsupported(let reason) = onnxForm { return reason }
    return nil
  }
}
