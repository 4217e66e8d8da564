import Configuration
import Formats
import LinearAlgebra
import Optimization
import Recurrence
import Sequences
import TestSupport
import Testing
import Training

/// Products use copies of the weights: transposed, packed, rounded. Whatever changes a weight has to be
/// seen by the next pass.
@Suite struct `Changed weights` {
  /// Wide enough for copies to be used in single precision too.
  private struct Model {
    let model: SequenceModel
    let weights: ParameterVector
    let tape: Tape
    let batch: Batch

    init(_ precision: Precision) {
      let options = SequenceModelOptions(
        embedding: 6, layers: [LayerOptions(.recurrent(cell: "lstm", LSTM.Options(hidden: 260)))])
      model = SequenceModel(options, vocabulary: 9, seed: 1)
      weights = ParameterVector(ParameterLayout(model.plan))
      weights.precision = precision
      weights.initialize(seed: 3)
      tape = Tape(model.plan, steps: 4, streams: 7, derivatives: false)
      batch = Batch(rows: 28)
      batch.begin(steps: 4, streams: 7)
      for row in 0..<28 {
        batch.inputs.start[row] = Int32(row % 9)
        batch.targets.start[row] = Int32((row + 4) % 9)
      }
    }

    /// Of two windows, the second of which begins with a state that is not zero.
    func loss(with weights: ParameterVector) -> Double {
      var sum = 0.0
      tape.clearCarried()
      for _ in 0..<2 {
        let pass = tape.begin(batch, weights: weights)
        model.forward(pass)
        tape.carryStates()
        sum += pass.loss.sum
      }
      return sum
    }

    /// A vector of the same numbers that has no copies yet.
    var fresh: ParameterVector {
      let fresh = ParameterVector(weights.layout)
      fresh.precision = weights.precision
      fresh.buffer.copy(from: weights.buffer)
      return fresh
    }
  }

  @Test(
    arguments: Precision.allCases,
    ["one weight", "initialize", "optimizer", "load", "average", "precision"])
  func `are seen by the next pass, whatever changed them`(
    _ precision: Precision, _ path: String
  ) throws {
    let model = Model(precision)
    let weights = model.weights
    let before = model.loss(with: weights)
    // The same bits, whatever was done before: a resumed run has done less.
    #expect(model.loss(with: weights) == before)
    switch path {
    case "one weight":
      let entry = try #require(weights.layout.entry(named: "rnn.weight_hh_l0"))
      weights.update { $0.elements(of: entry)[7] += 2 }
    case "initialize": weights.initialize(seed: 4)
    case "optimizer":
      let gradient = ParameterVector(weights.layout)
      gradient.initialize(seed: 5)
      SGD(SGD.Options(), layout: weights.layout)
        .update(weights, gradient: gradient, rate: 0.5, scale: 1)
    case "load":
      let other = Model(precision).weights
      other.initialize(seed: 6)
      try withTemporaryFolder { folder in
        try Safetensors.save(other.tensors(), metadata: [:], to: folder + "/w.safetensors")
        try SafetensorsFile(folder + "/w.safetensors").load(into: [("", weights)])
      }
    case "average":
      let average = WeightAverage(WeightAverage.Options(), of: weights)
      #expect(model.loss(with: average.vector) == before)
      weights.initialize(seed: 7)
      average.update(from: weights)
      let copy = ParameterVector(weights.layout)
      copy.precision = precision
      copy.buffer.copy(from: average.vector.buffer)
      #expect(model.loss(with: average.vector) == model.loss(with: copy))
    default: weights.precision = precision == .float32 ? .bfloat16 : .float32
    }
    let after = model.loss(with: weights)
    #expect(after != before)
    #expect(after == model.loss(with: model.fresh))
  }
}
