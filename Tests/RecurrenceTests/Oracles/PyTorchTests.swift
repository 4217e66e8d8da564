import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// Whole language models against the losses, outputs, states and gradients that PyTorch finds.
@Suite struct `PyTorch` {
  static let tolerance = MemoryLayout<Real>.size == 8 ? 1e-9 : 1e-5

  @Test(arguments: Oracle.cells.cases + Oracle.equations.cases)
  func `finds the same outputs, states, losses and gradients`(oracle: Oracle.Case) throws {
    let model = SequenceModel(oracle.options, vocabulary: oracle.vocabulary, seed: 1)
    let layout = ParameterLayout(model.plan)
    let weights = try readWeights(model.plan, of: oracle.parameters)
    let gradient = ParameterVector(layout)
    let steps = oracle.windows.map(\.steps).max()!
    let tape = Tape(model.plan, steps: steps, streams: oracle.streams, derivatives: true)
    let batch = Batch(rows: steps * oracle.streams)
    for (number, window) in oracle.windows.enumerated() {
      batch.fill(window, streams: oracle.streams)
      gradient.buffer.clear()
      let pass = tape.begin(batch, weights: weights, gradient: gradient)
      model.forward(pass)
      model.backward(pass)
      tape.carryStates()

      var measured = Oracle.Measured()
      measured.loss = pass.loss.sum
      measured.outputs = pass[model.top].numbers
      measured.after = oracle.states(of: model.plan) { state in
        tape.carried(state, streams: oracle.streams).numbers
      }
      for entry in layout.entries {
        measured.gradients[entry.name] = gradient.elements(of: entry).map { Double($0) }
      }
      for (what, difference) in oracle.differences(of: measured, in: window) {
        #expect(difference < Self.tolerance, "\(what) in window \(number)")
      }
      #expect(pass.loss.targets == window.targets.count { $0 != Batch.noTarget })
    }
  }
}

extension Oracle.Case {
  fileprivate var options: SequenceModelOptions {
    SequenceModelOptions(embedding: embedding, layers: layers.map(\.options), tied: tied)
  }

  /// The states of each layer; where there is a memory, a plan has c before h.
  fileprivate func states(
    of plan: Plan, _ numbers: (Activation) -> [Double]
  ) -> [(h: [Double], c: [Double]?)] {
    // Counts of steps are no states of the equations.
    var rest = plan.states.filter { state in
      !["clock", "age"].contains { plan.name(of: state).contains(".\($0)") }
    }[...]
    return layers.map { layer in
      let c =
        layer.cell.hasSuffix("lstm") && layer.cell != "min-lstm" ? numbers(rest.removeFirst()) : nil
      let h = rest.popFirst().map(numbers) ?? []
      let surroundings = layer.options.surroundings
      // What is fed back is the second state.
      let isFed = surroundings.feedback != nil || surroundings.feedsTargets
      return (h, isFed ? numbers(rest.removeFirst()) : c)
    }
  }
}

extension Batch {
  fileprivate func fill(_ window: Oracle.Window, streams: Int) {
    begin(steps: window.steps, streams: streams)
    for row in 0..<rows {
      inputs.start[row] = window.inputs[row]
      targets.start[row] = window.targets[row]
      resets.start[row] = 0
    }
  }
}

extension Matrix {
  fileprivate var numbers: [Double] {
    (0..<rows).flatMap { i in self[i].elements.map { Double($0) } }
  }
}
