import LinearAlgebra
import Recurrence
import Testing

/// Which of the numbers of a step a diagnosis takes for which gate.
@Suite struct `Gates` {
  /// Which part of the bias each gate's preactivation is, by cell.
  private static let gatesInBias: [(cell: String, gates: [String: Int], of: Int)] = [
    ("lstm", ["i": 0, "f": 1, "o": 3], 4), ("gru", ["r": 0, "z": 1], 3),
    ("gru-reset-before", ["r": 0, "z": 1], 3), ("update-gru", ["Γ": 0], 2),
    ("min-gru", ["z": 0], 2), ("min-lstm", ["i": 0, "f": 1], 3),
  ]

  @Test(arguments: gatesInBias.indices)
  func `tells the gates of a cell apart`(index: Int) {
    let (cell, parts, count) = Self.gatesInBias[index]
    forEveryCell(hidden: WindowTrial.hidden) { name, _, options in
      guard name == cell else { return }
      for (gate, part) in parts {
        let trial = WindowTrial(LayerOptions(.recurrent(cell: name, options)))
        trial.fill(window: 0)
        let diagnosis = GradientDiagnosis(of: trial.model, steps: WindowTrial.steps)
        // Some variants have fewer gates, and their parts lie elsewhere.
        guard diagnosis.findings(trial)[0].gates.count == parts.count else { continue }
        trial.weights.update { weights in
          for entry in weights.layout.entries where entry.name.hasPrefix("rnn.") {
            weights[entry].fill(0)
          }
          let bias = weights[weights.layout.entry(named: "rnn.bias_ih_l0")!][0]
          for j in 0..<WindowTrial.hidden { bias[bias.count / count * part + j] = -4 }
        }
        let found = diagnosis.findings(trial)[0]
        for other in found.gates {
          #expect(
            other.below == (other.name == gate ? 1 : 0) && other.above == 0,
            "\(name) \(options): \(gate) is shut, and \(other)")
        }
      }
    }
  }
}
