import Foundation
import LinearAlgebra
import NumericalTestSupport
import Recurrence
import Sequences
import Testing

/// Models of two blocks with the losses and gradients that other programs find for them: recurrentgemma and
/// minGRU-pytorch as `Tests/Oracles/blocks.py` writes them, xlstm as `xlstm_blocks.py` and
/// `xlstm_paper.py`, and transformers as
/// `matrix_blocks.py` do, or PyTorch from the equations, as `rwkv.py`, `m2rnn.py` and
/// `linear_attention.py` do.
private struct BlockOracle: Decodable {
  let cases: [Case]

  struct Case: Decodable {
    let name: String
    let vocabulary, streams, steps: Int
    /// The section `model` of a configuration.
    let model: String
    /// Steps and streams.
    let resets: [[Int]]
    let inputs, targets: [Int32]
    let losses: [Double]
    let parameters, gradients: [String: [Double]]
  }
}

@Suite struct `Blocks of other programs` {
  private static let cases = [
    "blocks", "xlstm_blocks", "xlstm_paper", "matrix_blocks", "m2rnn", "rwkv",
    "linear_attention",
  ].flatMap { name in
    let oracle: BlockOracle = NumericalTestSupport.oracle(name)
    return oracle.cases
  }

  @Test(arguments: cases.indices)
  func `have the same losses and gradients, where documents begin anew`(_ index: Int) throws {
    let expected = Self.cases[index]
    let options = try #require(try decodeModel(expected.model).sequence)
    let model = SequenceModel(options, vocabulary: expected.vocabulary, seed: 1)
    let layout = ParameterLayout(model.plan)
    let (weights, gradient) = (ParameterVector(layout), ParameterVector(layout))
    weights.initialize(seed: 1)
    // What the package lacks, such as the bias of a product, is zero.
    weights.update { weights in
      for entry in layout.entries {
        let values = weights.elements(of: entry)
        let given = expected.parameters[entry.name]
        #expect(given == nil || given!.count == entry.count, "\(entry.name)")
        for k in 0..<entry.count { values[k] = given.map { Real($0[k]) } ?? 0 }
      }
    }
    let missing = Set(expected.parameters.keys).subtracting(layout.entries.map(\.name))
    #expect(missing.isEmpty, "\(expected.name): \(missing)")
    let rows = expected.steps * expected.streams
    let tape = Tape(
      model.plan, steps: expected.steps, streams: expected.streams, derivatives: true, resets: true)
    let batch = Batch(rows: rows)
    batch.begin(steps: expected.steps, streams: expected.streams)
    batch.resets.clear(0..<rows)
    for row in 0..<rows {
      batch.inputs.elements()[row] = expected.inputs[row]
      batch.targets.elements()[row] = expected.targets[row]
    }
    for reset in expected.resets {
      batch.resets.elements()[reset[0] * expected.streams + reset[1]] = 1
    }
    batch.hasResets = true
    gradient.clear()
    let pass = tape.begin(batch, weights: weights, gradient: gradient)
    model.forward(pass)
    model.backward(pass)

    let isDouble = MemoryLayout<Real>.size == 8
    let tolerance = isDouble ? 1e-8 : 2e-5
    for (row, loss) in expected.losses.enumerated() {
      let found = Double(tape.loss.rows.elements()[row])
      #expect(abs(found - loss) < tolerance * max(1, abs(loss)), "\(expected.name), row \(row)")
    }
    for (name, values) in expected.gradients {
      let entry = try #require(layout.entry(named: name))
      let found = gradient.elements(of: entry).map { Double($0) }
      let size = values.map { $0 * $0 }.reduce(0, +).squareRoot()
      let error = zip(found, values).map { ($0 - $1) * ($0 - $1) }.reduce(0, +).squareRoot()
      #expect(size > 0, "\(name)")
      #expect(
        error < (isDouble ? 1e-7 : 5e-5) * size, "\(expected.name), \(name): \(error / size)")
    }
  }
}
