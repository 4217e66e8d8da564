import Foundation
import LinearAlgebra
import NumericalTestSupport
import Recurrence
import Sequences
import Testing

/// Label smoothing and z-loss against PyTorch's numbers, and in double precision central differences.
@Suite struct `The training objective` {
  private struct Oracle: Decodable {
    struct Case: Decodable {
      let label_smoothing, z_loss, cross_entropy: Double
      let gradients: [String: [Double]]
    }
    let vocabulary, embedding, width, streams, steps: Int
    let inputs, targets: [Int32]
    let parameters: [String: [Double]]
    let cases: [Case]
  }

  private static let tolerance = MemoryLayout<Real>.size == 8 ? 1e-12 : 2e-6

  @Test func `has PyTorch's gradients, and the loss that is reported is the plain one`() throws {
    let oracle = oracle("objectives", as: Oracle.self)
    #expect(oracle.cases.count == 4)
    for entry in oracle.cases {
      let model = SequenceModel(
        SequenceModelOptions(
          embedding: oracle.embedding, layers: [LayerOptions(.linear(oracle.width))]),
        vocabulary: oracle.vocabulary, seed: 1,
        objective: TrainingObjective(labelSmoothing: entry.label_smoothing, zLoss: entry.z_loss))
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
      let batch = Batch(rows: oracle.inputs.count)
      batch.begin(steps: oracle.steps, streams: oracle.streams)
      for row in oracle.inputs.indices {
        batch.inputs.start[row] = oracle.inputs[row]
        batch.targets.start[row] = oracle.targets[row]
      }
      let tape = Tape(
        model.plan, steps: oracle.steps, streams: oracle.streams, derivatives: true)
      let pass = tape.begin(batch, weights: weights, gradient: gradient)
      model.forward(pass)
      model.backward(pass)
      #expect((pass.loss.sum / entry.cross_entropy - 1).magnitude < Self.tolerance)
      for parameter in layout.entries {
        let exact = entry.gradients[parameter.name]!
        let size = exact.map(\.magnitude).max()!
        for (k, number) in exact.enumerated() {
          let found = Double(gradient.elements(of: parameter)[k])
          #expect(
            (found - number).magnitude < Self.tolerance * size,
            "\(parameter.name)[\(k)] at ε = \(entry.label_smoothing), z = \(entry.z_loss)")
        }
      }
    }
  }

  @Test func `changes no loss, in training or evaluation`() {
    let options = SequenceModelOptions(
      embedding: 3, layers: [LayerOptions(.recurrent(cell: "elman", Elman.Options(hidden: 5)))])
    let plain = WindowTrial(options)
    let smoothed = WindowTrial(
      options, objective: TrainingObjective(labelSmoothing: 0.3, zLoss: 0.2))
    plain.fill(window: 0)
    smoothed.fill(window: 0)
    let loss = plain.run(training: false)
    #expect(smoothed.run(training: false) == loss)
    #expect(smoothed.run(training: true) == loss && plain.run(training: true) == loss)
    #expect(Array(smoothed.gradient.buffer.elements()) != Array(plain.gradient.buffer.elements()))
  }

  #if REAL_IS_DOUBLE
    @Test(arguments: [(0.2, 0.0), (0.0, 0.03), (0.4, 0.1)], [false, true])
    func `agrees with central differences of its definition`(
      objective: (Double, Double), bias: Bool
    ) {
      let (smoothing, z) = objective
      var options = SequenceModelOptions(
        embedding: 3, layers: [LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 5)))])
      options.output.bias = bias ? .learnt() : .none
      let trial = WindowTrial(
        options, objective: TrainingObjective(labelSmoothing: smoothing, zLoss: z))
      trial.fill(window: 0)
      trial.batch.targets.start[3] = Batch.noTarget
      trial.run(training: true)
      let exact = Array(trial.gradient.buffer.elements())

      /// The definition, from the logits alone.
      func value() -> Double {
        trial.run(training: false)
        let pass = trial.tape.pass(over: trial.batch, weights: trial.weights)
        var sum = 0.0
        for t in 0..<WindowTrial.steps {
          let l = trial.model.outputs(at: t, pass)
          for s in 0..<WindowTrial.streams {
            let target = trial.batch.targets.start[t * WindowTrial.streams + s]
            if target == Batch.noTarget { continue }
            let row = Array(l[s].elements)
            let normaliser = Foundation.log(row.map { Foundation.exp($0) }.reduce(0, +))
            let even = row.map { normaliser - $0 }.reduce(0, +) / Double(row.count)
            sum += (1 - smoothing) * (normaliser - row[Int(target)]) + smoothing * even
            sum += z * normaliser * normaliser
          }
        }
        return sum
      }
      for entry in trial.weights.layout.entries {
        for k in entry.range {
          let (w, step) = (trial.weights.buffer.start[k], 1e-5)
          trial.weights.update { $0.buffer.start[k] = w + step }
          let above = value()
          trial.weights.update { $0.buffer.start[k] = w - step }
          let below = value()
          trial.weights.update { $0.buffer.start[k] = w }
          let numerical = (above - below) / (2 * step)
          #expect((numerical - exact[k]).magnitude < 1e-8, "\(entry.name)[\(k - entry.offset)]")
        }
      }
    }
  #endif
}
