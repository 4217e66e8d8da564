import Testing

@Suite struct `The numbers made by PyTorch are what the equations say` {
  static let cases = Oracle.cells.cases

  @Test(arguments: cases)
  func `Every shape fits its numbers and the sizes of its case`(oracle: Oracle.Case) {
    var shapes = [
      "encoder.weight": [oracle.vocabulary, oracle.embedding],
      "decoder.weight": [oracle.vocabulary, oracle.layers.last!.width],
      "decoder.bias": [oracle.vocabulary],
    ]
    var width = oracle.embedding
    for (k, layer) in oracle.layers.enumerated() {
      let rows = layer.hidden * ["elman": 1, "lstm": 4, "gru": 3][layer.cell]!
      shapes[oracle.parameterName("weight_ih", layer: k)] = [rows, width]
      shapes[oracle.parameterName("weight_hh", layer: k)] = [rows, layer.width]
      shapes[oracle.parameterName("bias_ih", layer: k)] = [rows]
      shapes[oracle.parameterName("bias_hh", layer: k)] = [rows]
      if let projection = layer.projection {
        shapes[oracle.parameterName("weight_hr", layer: k)] = [projection, layer.hidden]
      }
      width = layer.width
    }
    #expect(oracle.parameters.mapValues(\.shape) == shapes)
    for window in oracle.windows {
      let rows = window.steps * oracle.streams
      #expect(window.gradients.mapValues(\.shape) == shapes)
      #expect(window.inputs.count == rows && window.targets.count == rows)
      #expect(window.outputs.shape == [rows, width])
      for state in [window.before, window.after] {
        #expect(state.map(\.h.shape) == oracle.layers.map { [oracle.streams, $0.width] })
        for (layer, entry) in zip(oracle.layers, state) {
          #expect(entry.c?.shape == (layer.cell == "lstm" ? [oracle.streams, layer.hidden] : nil))
        }
      }
      let tensors =
        Array(oracle.parameters.values) + Array(window.gradients.values)
        + [window.outputs] + (window.before + window.after).flatMap(\.tensors)
      #expect(tensors.allSatisfy { $0.values.count == $0.shape.reduce(1, *) })
    }
  }

  @Test(arguments: cases)
  func `A window starts from zero or from the state in which the one before ended`(
    oracle: Oracle.Case
  ) {
    var carried: [[Double]]?
    for window in oracle.windows {
      let before = window.before.flatMap(\.tensors).map(\.values)
      #expect(before == carried ?? before.map { $0.map { _ in 0 } })
      carried = window.after.flatMap(\.tensors).map(\.values)
      #expect(carried!.joined().contains { $0 != 0 })
    }
  }

  @Test(arguments: cases)
  func `Outputs, states and losses are those of the equations in plain loops`(oracle: Oracle.Case) {
    for window in oracle.windows {
      let measured = PlainRecurrence(oracle).forward(window)
      for (what, difference) in oracle.differences(of: measured, in: window)
      where !what.hasPrefix("gradient") {
        #expect(difference < 1e-11, "\(what)")
      }
    }
  }

  // Plain loops are in double precision in any build; they take minutes where tests are not optimized.
  #if REAL_IS_DOUBLE
    @Test(arguments: cases)
    func `Gradients are the central differences of the loss in plain loops`(oracle: Oracle.Case) {
      for window in oracle.windows {
        let plain = PlainRecurrence(oracle)
        var measured = plain.forward(window)
        for name in oracle.parameters.keys {
          measured.gradients[name] = plain.gradient(of: name, window)
        }
        for (what, difference) in oracle.differences(of: measured, in: window) {
          #expect(difference < 1e-8, "\(what)")
        }
      }
    }
  #endif

  @Test(arguments: cases)
  func `What an implementation leaves out is infinitely far from PyTorch`(oracle: Oracle.Case) {
    let differences = oracle.differences(of: Oracle.Measured(), in: oracle.windows[0])
    #expect(differences.filter { $0.value < .infinity }.keys.allSatisfy { $0 == "loss" })
    #expect(differences["loss"]! > 0.1)
  }
}

extension Oracle.State {
  fileprivate var tensors: [Oracle.Tensor] { [h] + (c.map { [$0] } ?? []) }
}
