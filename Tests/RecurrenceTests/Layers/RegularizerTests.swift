import Foundation
import LinearAlgebra
import NumericalTestSupport
import Recurrence
import Sequences
import Testing

/// Weight dropout, dropout of symbols, and the regularisation of activations against PyTorch's numbers, in
/// windows that are computed at once and in segments.
@Suite struct `The regularisers of AWD-LSTM` {
  private struct Oracle: Decodable {
    struct Case: Decodable {
      struct Window: Decodable {
        let loss: Double
        let gradients: [String: [Double]]
      }
      let weight_dropout, embedding_dropout, dropout, alpha, beta: Double
      let missing: Bool
      let windows: [Window]
    }
    let vocabulary, embedding, streams, steps, epoch: Int
    let seed: UInt64
    let hidden: [Int]
    let inputs, targets, missing: [[Int32]]
    let parameters: [String: [Double]]
    let cases: [Case]
  }

  private static let tolerance = MemoryLayout<Real>.size == 8 ? 1e-11 : 5e-6

  @Test(arguments: [nil, 2, 1])
  func `have PyTorch's losses and gradients`(segment: Int?) throws {
    let oracle = oracle("awd", as: Oracle.self)
    #expect(oracle.cases.count == 7)
    for entry in oracle.cases {
      let model = SequenceModel(
        SequenceModelOptions(
          embedding: oracle.embedding,
          layers: oracle.hidden.map {
            LayerOptions(
              .recurrent(cell: "lstm", LSTM.Options(hidden: $0)),
              weightDropout: entry.weight_dropout)
          }, dropout: entry.dropout, inputDropout: 0, embeddingDropout: entry.embedding_dropout),
        vocabulary: oracle.vocabulary, seed: oracle.seed,
        objective: TrainingObjective(
          activationRegularization: entry.alpha, temporalRegularization: entry.beta))
      let layout = ParameterLayout(model.plan)
      let (weights, gradient) = (ParameterVector(layout), ParameterVector(layout))
      #expect(Set(layout.entries.map(\.name)) == Set(oracle.parameters.keys))
      weights.update { weights in
        for parameter in layout.entries {
          for (k, number) in oracle.parameters[parameter.name]!.enumerated() {
            weights.elements(of: parameter)[k] = Real(number)
          }
        }
      }
      let window = WindowSize(steps: oracle.steps, streams: oracle.streams)
      let tape = Tape(
        model.plan, fitting: [window], atMost: segment, derivatives: true, resets: true)
      let batch = Batch(rows: oracle.steps * oracle.streams, streams: oracle.streams)
      let method: any GradientMethod =
        segment.map {
          ActivationCheckpointing(
            of: window, length: $0, on: tape, for: model.plan, widths: batch.widths)
        } ?? FullWindow(on: tape)
      for (number, expected) in entry.windows.enumerated() {
        batch.begin(steps: oracle.steps, streams: oracle.streams)
        batch.epoch = oracle.epoch
        (batch.position, batch.window) = (number * oracle.steps, number * oracle.steps)
        let targets = entry.missing ? oracle.missing : oracle.targets
        for row in 0..<batch.rows {
          batch.inputs.start[row] = oracle.inputs[number][row]
          batch.targets.start[row] = targets[number][row]
        }
        gradient.clear()
        method.differentiate(model, batch, weights: weights, gradient: gradient)
        method.carryStates()
        #expect((tape.loss.sum / expected.loss - 1).magnitude < Self.tolerance)
        for parameter in layout.entries {
          let exact = expected.gradients[parameter.name]!
          let size = exact.map(\.magnitude).max()!
          let furthest = zip(gradient.elements(of: parameter), exact).map {
            (Double($0) - $1).magnitude
          }.max()!
          #expect(
            furthest <= Self.tolerance * size,
            "\(entry.weight_dropout) \(entry.embedding_dropout) \(entry.alpha), \(parameter.name)")
        }
      }
    }
  }

  /// Returns what the terms of a window change in the gradient of the last bias of the cell's input.
  private func change(
    _ alpha: Double, _ beta: Double, _ edit: (Batch) -> Void
  ) -> [Real] {
    func gradient(_ objective: TrainingObjective) -> [Real] {
      let trial = WindowTrial(
        SequenceModelOptions(
          embedding: 3, layers: [LayerOptions(.recurrent(cell: "lstm", LSTM.Options(hidden: 5)))]),
        objective: objective)
      trial.fill(window: 0)
      edit(trial.batch)
      trial.run(training: true)
      return Array(
        trial.gradient.elements(of: trial.weights.layout.entry(named: "rnn.bias_ih_l0")!))
    }
    let plain = gradient(TrainingObjective())
    let own = gradient(
      TrainingObjective(activationRegularization: alpha, temporalRegularization: beta))
    return zip(own, plain).map { $0 - $1 }
  }

  @Test func `leave out pairs across the start of a document and rows without a target`() {
    // Where each step of each stream starts anew, there are no pairs.
    let starts = change(0, 1) { batch in
      for row in 0..<batch.rows { batch.resets.start[row] = 1 }
      batch.hasResets = true
    }
    #expect(starts.allSatisfy { $0 == 0 })
    #expect(change(0, 1) { _ in }.contains { $0 != 0 })
    let silent: (Batch) -> Void = { batch in
      for row in 0..<batch.rows { batch.targets.start[row] = Batch.noTarget }
    }
    for (alpha, beta) in [(1.0, 0.0), (0, 1)] {
      #expect(change(alpha, beta, silent).allSatisfy { $0 == 0 })
    }
    // One step with a target has activations, and no pair.
    let single: (Batch) -> Void = { batch in
      for row in 0..<batch.rows where row != 5 { batch.targets.start[row] = Batch.noTarget }
    }
    #expect(change(1, 0, single).contains { $0 != 0 })
    #expect(change(0, 1, single).allSatisfy { $0 == 0 })
  }

  @Test func `do not see the padding of sequences`() {
    let interface = TaskSignature(
      input: .symbols(SequenceTrial.symbols), output: .symbols(SequenceTrial.symbols))
    let gru = LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 4)))
    var both = gru
    both.bidirectional = .concat
    let layers = [[gru], [both], [gru, LayerOptions(.linear(3))]]
    for layers in layers {
      func gradient(_ lengths: [Int]) -> [Real] {
        let options = SequenceModelOptions(embedding: 3, layers: layers)
        let trial = SequenceTrial(
          SequenceModel(
            options, interface: interface, seed: 2,
            objective: TrainingObjective(
              activationRegularization: 2, temporalRegularization: 3)))
        trial.fill(lengths: lengths)
        // The same two sequences, whatever stands beside them.
        for s in 0..<2 {
          for t in 0..<lengths[s] {
            let row = t * lengths.count + s
            trial.batch.inputs.start[row] = Int32((3 * s + 2 * t) % SequenceTrial.symbols)
            trial.batch.targets.start[row] = Int32((s + 3 * t) % SequenceTrial.symbols)
          }
        }
        for s in 2..<lengths.count {
          for t in 0..<trial.batch.steps {
            trial.batch.targets.start[t * lengths.count + s] = Batch.noTarget
          }
        }
        trial.model.run(
          trial.batch, on: trial.tape, weights: trial.weights, gradient: trial.gradient)
        return Array(trial.gradient.buffer.elements())
      }
      let (alone, padded) = (gradient([3, 2]), gradient([3, 2, 5]))
      let size = alone.map(\.magnitude).max()!
      let furthest = zip(alone, padded).map { ($0 - $1).magnitude }.max()!
      #expect(furthest < 100 * Real.ulpOfOne * size)
    }
  }
}
