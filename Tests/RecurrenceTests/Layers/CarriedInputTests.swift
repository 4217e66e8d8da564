import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// Cells that convolve their inputs and remember a matrix, over windows of several chunks of steps.
@Suite struct `Cells with carried inputs and a matrix` {
  private static let steps = 37
  private static let cells: [(String, any CellOptions)] = [
    ("mamba2", Mamba2.Options(hidden: 6, heads: 3, state: 4)),
    ("mamba2", Mamba2.Options(hidden: 8, heads: 4, state: 3, groups: 2, kernel: 2)),
    ("gated-deltanet", GatedDeltaNet.Options(hidden: 5, keyWidth: 4)),
    (
      "gated-deltanet",
      GatedDeltaNet.Options(hidden: 6, heads: 2, keyWidth: 4, negativeEigenvalues: true, kernel: 3)
    ),
    ("hgrn2", HGRN2.Options(hidden: 6, heads: 2, keyWidth: 4)),
    ("hgrn2", HGRN2.Options(hidden: 5, keyWidth: 3, layerIndex: 1, layerCount: 3)),
    ("retention", Retention.Options(hidden: 5, keyWidth: 6)),
    ("retention", Retention.Options(hidden: 6, heads: 3, keyWidth: 12)),
    ("rwkv6", RWKV6.Options(hidden: 6, heads: 3, mixRank: 2, decayRank: 3)),
    (
      "rwkv6",
      RWKV6.Options(
        hidden: 6, heads: 2, inputWeights: true, mixRank: 3, decayRank: 2, normEps: 1e-2,
        layerIndex: 2, layerCount: 4)
    ),
    ("xlstm-mlstm", MatrixXLSTM.Options(hidden: 12, heads: 3)),
    ("xlstm-mlstm", MatrixXLSTM.Options(hidden: 8, heads: 1, kernel: 2)),
  ]
  private static let resets = [[], [(0, 1), (2, 0), (3, 0), (15, 1), (16, 0), (32, 1), (36, 0)]]

  /// A model; one step after the other if `stepping`, from learnt states that are zero.
  private func trial(_ cell: String, _ options: any CellOptions, stepping: Bool) -> WindowTrial {
    var layer = LayerOptions(.recurrent(cell: cell, options))
    if stepping { layer.surroundings.initialState = .learnt }
    let trial = WindowTrial(layer, steps: Self.steps)
    trial.weights.update { weights in
      for entry in weights.layout.entries where entry.name.contains("initial_") {
        weights[entry].fill(0)
      }
    }
    return trial
  }

  /// The losses of each row, and the gradients by name.
  private func numbers(_ trial: WindowTrial) -> [String: [Double]] {
    let rows = trial.batch.rows
    var result = ["losses": trial.tape.loss.rows.elements()[0..<rows].map { Double($0) }]
    for entry in trial.gradient.layout.entries where !entry.name.contains("initial_") {
      result[entry.name] = trial.gradient.elements(of: entry).map { Double($0) }
    }
    return result
  }

  private func expectAlike(
    _ found: [String: [Double]], _ expected: [String: [Double]], _ what: String
  ) {
    #expect(Set(found.keys) == Set(expected.keys))
    for (name, values) in expected {
      let other = found[name] ?? []
      let size = values.map { $0 * $0 }.reduce(0, +).squareRoot()
      let error = zip(values, other).map { ($0 - $1) * ($0 - $1) }.reduce(0, +).squareRoot()
      #expect(
        error <= 400 * Double(Real.ulpOfOne) * max(size, 1e-3), "\(what): \(name), \(error / size)")
    }
  }

  @Test func `have the numbers of stepping in a window at once`() {
    for (cell, options) in Self.cells {
      let (whole, stepping) = (
        trial(cell, options, stepping: false), trial(cell, options, stepping: true)
      )
      for window in 0..<4 {
        for trial in [whole, stepping] {
          trial.fill(window: window, steps: Self.steps, resets: Self.resets[window % 2])
          trial.run(training: true)
          trial.tape.carryStates()
        }
        expectAlike(numbers(whole), numbers(stepping), "\(cell), window \(window)")
      }
    }
  }

  @Test(arguments: [5, 16, 17])
  func `have the gradient of the whole window where it is computed in segments`(length: Int) {
    for (cell, options) in Self.cells {
      let (whole, parts) = (
        trial(cell, options, stepping: false), trial(cell, options, stepping: false)
      )
      let window = WindowSize(steps: Self.steps, streams: WindowTrial.streams)
      let tape = Tape(
        parts.model.plan, fitting: [window], atMost: length, derivatives: true, resets: true)
      let segments = ActivationCheckpointing(
        of: window, length: length, states: 2, on: tape, for: parts.model.plan,
        widths: parts.batch.widths)
      for k in 0..<3 {
        whole.fill(window: k, steps: Self.steps, resets: Self.resets[k % 2])
        whole.run(training: true)
        whole.tape.carryStates()
        parts.fill(window: k, steps: Self.steps, resets: Self.resets[k % 2])
        parts.gradient.clear()
        segments.differentiate(
          parts.model, parts.batch, weights: parts.weights, gradient: parts.gradient)
        segments.carryStates()
        var (expected, found) = (numbers(whole), numbers(parts))
        #expect(abs(tape.loss.sum - whole.tape.loss.sum) < 1e-4 * whole.tape.loss.sum)
        (expected["losses"], found["losses"]) = (nil, nil)
        expectAlike(found, expected, "\(cell), window \(k), segments of \(length)")
      }
    }
  }
}
