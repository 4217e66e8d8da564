import Foundation
import LinearAlgebra
import NumericalTestSupport
import Recurrence
import Sequences
import Testing

/// Models of padded sequences with what PyTorch finds for them in Double:
/// `Tests/Oracles/sequences.json`, which the script beside it makes.
struct SequenceOracle: Decodable, CustomTestStringConvertible {
  let name: String
  private let model: ModelOptions
  var options: SequenceModelOptions { model.sequence! }
  /// True if a sequence has one target, at its end.
  let once: Bool
  let symbols: Int
  /// The true lengths of the sequences; behind them there is padding.
  let lengths: [Int]
  /// Rows are time-major: row `t · streams + s` is step t of stream s.
  let inputs: [Int32]
  /// −1 where nothing is asked for.
  let targets: [Int32]
  let sourceSymbols: Int
  let sourceLengths: [Int]
  let source: [Int32]
  /// The condition of each sequence.
  let condition: Oracle.Tensor?
  let parameters: [String: Oracle.Tensor]
  /// The input of the output layer at the steps with a target.
  let outputs: Oracle.Tensor
  /// Sum of the cross-entropies in nats.
  let loss: Double
  let gradients: [String: Oracle.Tensor]

  var testDescription: String { name }

  static let all: [SequenceOracle] = {
    struct File: Decodable { let cases: [SequenceOracle] }
    return oracle("sequences", as: File.self).cases
  }()

  private enum CodingKeys: String, CodingKey {
    case name, model, once, symbols, lengths, inputs, targets, source, condition, parameters
    case outputs, loss, gradients
    case sourceSymbols = "source_symbols"
    case sourceLengths = "source_lengths"
  }

  var interface: TaskSignature {
    TaskSignature(
      input: .symbols(symbols), output: .symbols(symbols), condition: condition?.shape[1] ?? 0,
      source: sourceSymbols, asksOnce: once)
  }

  /// The sequences as a batch, padded with what no result may depend on.
  func batch(padding: Int32) -> Batch {
    let (steps, streams) = (lengths.max()!, lengths.count)
    let further =
      sourceSymbols > 0
      ? Batch(rows: sourceLengths.max()! * streams, streams: streams) : nil
    let batch = Batch(
      rows: steps * streams, streams: streams,
      widths: Batch.Widths(condition: interface.condition), source: further)
    batch.begin(steps: steps, streams: streams, firstStream: 0)
    Self.fill(batch, inputs, targets, lengths, padding: padding)
    if let further {
      further.begin(steps: sourceLengths.max()!, streams: streams)
      let none = source.map { _ in Batch.noTarget }
      Self.fill(further, source, none, sourceLengths, padding: padding)
    }
    for (i, value) in (condition?.values ?? []).enumerated() {
      batch.condition.elements()[i] = Real(value)
    }
    return batch
  }

  private static func fill(
    _ batch: Batch, _ inputs: [Int32], _ targets: [Int32], _ lengths: [Int], padding: Int32
  ) {
    batch.resets.clear(0..<batch.rows)
    for (s, length) in lengths.enumerated() {
      batch.lengths.elements()[s] = Int32(length)
      for t in 0..<batch.steps {
        let row = t * lengths.count + s
        batch.inputs.elements()[row] = t < length ? inputs[row] : padding
        batch.targets.elements()[row] = targets[row]
      }
    }
    batch.pad()
  }
}

@Suite struct `PyTorch with sequences` {
  @Test(arguments: SequenceOracle.all)
  func `finds the same outputs, losses and gradients of padded sequences`(
    oracle: SequenceOracle
  ) throws {
    let model = SequenceModel(oracle.options, interface: oracle.interface, seed: 1)
    let layout = ParameterLayout(model.plan)
    #expect(Set(layout.entries.map(\.name)) == Set(oracle.parameters.keys))
    let weights = try readWeights(model.plan, of: oracle.parameters)
    let gradient = ParameterVector(layout)
    let size = WindowSize(
      steps: oracle.lengths.max()!, streams: oracle.lengths.count,
      sourceSteps: oracle.sourceLengths.max() ?? 0)
    let tape = Tape(model.plan, fitting: [size], derivatives: true, resets: true)
    for padding: Int32 in [0, 4] {
      let batch = oracle.batch(padding: padding)
      let pass = model.run(batch, on: tape, weights: weights, gradient: gradient)
      let loss = Oracle.Tensor(shape: [1], values: [oracle.loss]).difference(from: [tape.loss.sum])
      #expect(loss < `PyTorch`.tolerance)
      let top = pass[model.top]
      let outputs = oracle.targets.indices.filter { oracle.targets[$0] >= 0 }
        .flatMap { row in top[row].elements.map { Double($0) } }
      #expect(oracle.outputs.difference(from: outputs) < `PyTorch`.tolerance)
      for entry in layout.entries {
        let found = gradient.elements(of: entry).map { Double($0) }
        let expected = try #require(oracle.gradients[entry.name])
        #expect(expected.values.contains { abs($0) > 1e-3 }, "\(entry.name) has no gradient")
        let difference = expected.difference(from: found)
        #expect(difference < `PyTorch`.tolerance, "\(entry.name) is off by \(difference)")
      }
    }
  }
}
