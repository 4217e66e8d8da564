import Foundation
import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// Cells that no other program computes, against their equations in plain loops.
@Suite struct `Plain equations` {
  /// The numbers of a parameter as they are stored, row after row.
  private func numbers(_ weights: ParameterVector, _ name: String) throws -> [Double] {
    let layout = weights.layout
    let entry = try #require((layout.entries + layout.constants).first { $0.name == name })
    let matrix = weights[entry]
    return (0..<matrix.rows).flatMap { i in matrix[i].elements.map { Double($0) } }
  }

  @Test func `an echo state network's step, by the numbers that were drawn`() throws {
    let (n, m, leak) = (6, SequenceTrial.frame, 0.4)
    let options = EchoState.Options(hidden: n, spectralRadius: 1.1, leak: leak, connections: 3)
    let trial = SequenceTrial(
      SequenceModel(
        SequenceModelOptions(
          embedding: nil, layers: [LayerOptions(.recurrent(cell: "echo-state", options))]),
        interface: TaskSignature(input: .frames(m), output: .numbers(2)), seed: 4))
    trial.run(training: false)
    let input = try numbers(trial.weights, "rnn.weight_ih_l0")
    let bias = try numbers(trial.weights, "rnn.bias_ih_l0")
    let values = try numbers(trial.weights, "rnn.weight_hh_l0")
    // Whole numbers, kept as bits.
    let layout = trial.weights.layout
    let entry = try #require(layout.constants.first { $0.name == "rnn.places_hh_l0" })
    let places = trial.weights[entry]
    let (decoder, shift) = (
      try numbers(trial.weights, "decoder.weight"), try numbers(trial.weights, "decoder.bias")
    )
    #expect(values.count == 3 * n && places.rows == 3)
    var expected = 0.0
    for (s, length) in SequenceTrial.lengths.enumerated() {
      var x = [Double](repeating: 0, count: n)
      for t in 0..<length {
        let row = t * SequenceTrial.streams + s
        let u = trial.batch.featureRows[row].elements.map { Double($0) }
        let candidate = (0..<n).map { j in
          var a = (0..<m).reduce(bias[j]) { $0 + input[j * m + $1] * u[$1] }
          for k in 0..<3 { a += values[k * n + j] * x[Int(places[k, j].bitPattern)] }
          return Foundation.tanh(a)
        }
        x = (0..<n).map { (1 - leak) * x[$0] + leak * candidate[$0] }
        for k in 0..<2 {
          let y = (0..<n).reduce(shift[k]) { $0 + decoder[k * n + $1] * x[$1] }
          let target = Double(trial.batch.valueRows[row, k])
          expected += (y - target) * (y - target) / 2
        }
      }
    }
    #expect(abs(trial.run() - expected) < 1e-5 * expected)
  }

  @Test func `a tree-LSTM's equations at every node`() throws {
    let options = `A model of trees`.options[1]
    let trial = `A model of trees`.WindowTrial(options)
    let (n, m) = (options.cell.hidden, options.cell.embedding)
    let labels = `A model of trees`.labels
    trial.run()
    let table = try numbers(trial.weights, "encoder.weight")
    let (w, u, b) = (
      try numbers(trial.weights, "tree.weight_ih"), try numbers(trial.weights, "tree.weight_hh"),
      try numbers(trial.weights, "tree.bias")
    )
    let (decoder, shift) = (
      try numbers(trial.weights, "decoder.weight"), try numbers(trial.weights, "decoder.bias")
    )
    func sigmoid(_ a: Double) -> Double { 1 / (1 + Foundation.exp(-a)) }
    let zeros = [Double](repeating: 0, count: n)
    var expected = 0.0
    for tree in `A model of trees`.trees {
      var (h, c): ([[Double]], [[Double]]) = ([], [])
      for node in tree.nodes {
        let x = node.left < 0 ? Array(table[Int(node.word) * m..<Int(node.word + 1) * m]) : []
        func child(_ k: Int32, of values: [[Double]]) -> [Double] {
          k < 0 ? zeros : values[Int(k)]
        }
        let (left, right) = (child(node.left, of: h), child(node.right, of: h))
        /// Number j of a gate, of which only the first three read words.
        func gate(_ k: Int, _ j: Int) -> Double {
          let row = k * n + j
          var a = b[row]
          for (i, value) in x.enumerated() where k < 3 { a += w[row * m + i] * value }
          for i in 0..<n {
            a += u[row * 2 * n + i] * left[i] + u[row * 2 * n + n + i] * right[i]
          }
          return a
        }
        let memory = (0..<n).map { j in
          sigmoid(gate(0, j)) * Foundation.tanh(gate(2, j))
            + sigmoid(gate(3, j)) * child(node.left, of: c)[j]
            + sigmoid(gate(4, j)) * child(node.right, of: c)[j]
        }
        c.append(memory)
        h.append((0..<n).map { sigmoid(gate(1, $0)) * Foundation.tanh(memory[$0]) })
        guard node.label >= 0 else { continue }
        let powers = (0..<labels).map { k in
          Foundation.exp((0..<n).reduce(shift[k]) { $0 + decoder[k * n + $1] * h.last![$1] })
        }
        expected -= Foundation.log(powers[Int(node.label)] / powers.reduce(0, +))
      }
    }
    #expect(abs(trial.run() - expected) < 1e-5 * expected)
  }
}
