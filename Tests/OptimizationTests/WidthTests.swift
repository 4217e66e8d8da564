import LinearAlgebra
import NumericalTestSupport
import Optimization
import Recurrence
import Sequences
import Testing

/// Models of several widths whose initial values and learning rates follow from a narrow one.
@Suite struct `Widths with a base` {
  static let vocabulary = 17

  static func model(_ width: Int, base: Int?, _ initializer: Initializer) -> SequenceModel {
    let cell = LayerOptions.Kind.recurrent(cell: "lstm", LSTM.Options(hidden: width))
    return SequenceModel(
      SequenceModelOptions(
        embedding: width, layers: [LayerOptions(cell), LayerOptions(cell)],
        initializer: initializer, widthBase: base),
      vocabulary: vocabulary, seed: 1)
  }

  /// Returns by how much the logits and the states of the upper layer change in a few updates of Adam, as
  /// root mean squares.
  static func changes(
    _ width: Int, base: Int?, _ initializer: Initializer
  ) -> (logits: Double, states: Double) {
    let model = model(width, base: base, initializer)
    let layout = ParameterLayout(model.plan)
    let (weights, gradient) = (ParameterVector(layout), ParameterVector(layout))
    weights.initialize(seed: 7)
    let optimizer = OptimizerConfiguration(Adam.self).makeOptimizer(for: layout)
    let (steps, streams) = (8, 4)
    let tape = Tape(model.plan, steps: steps, streams: streams, derivatives: true)
    let batch = Batch(rows: steps * streams)
    batch.begin(steps: steps, streams: streams)
    for row in 0..<steps * streams {
      batch.inputs.elements()[row] = Int32(row * 5 % vocabulary)
      batch.targets.elements()[row] = Int32(row * 3 % vocabulary)
    }
    var (logits, states): ([[Real]], [[Real]]) = ([], [])
    for step in 0...4 {
      gradient.clear()
      let pass = tape.begin(batch, weights: weights, gradient: gradient)
      model.forward(pass)
      logits.append(
        (0..<streams).flatMap { Array(model.outputs(at: steps - 1, pass)[$0].elements) })
      states.append((0..<streams).flatMap { Array(pass[model.top, steps - 1][$0].elements) })
      if step == 4 { break }
      model.backward(pass)
      optimizer.update(
        weights, gradient: gradient, rate: 0.002, scale: 1 / Double(steps * streams))
    }
    func change(_ values: [[Real]]) -> Double {
      let squares = zip(values.first!, values.last!).map { Double(($0 - $1) * ($0 - $1)) }
      return (squares.reduce(0, +) / Double(squares.count)).squareRoot()
    }
    return (change(logits), change(states))
  }

  /// The power of the width with which the change of the logits, and of the states, grows.
  static func exponents(base: Int?, _ initializer: Initializer) -> (logits: Double, states: Double)
  {
    let (narrow, wide) = (
      changes(16, base: base, initializer), changes(256, base: base, initializer)
    )
    func exponent(_ a: Double, _ b: Double) -> Double {
      (naturalLogarithm(b) - naturalLogarithm(a)) / naturalLogarithm(16)
    }
    return (exponent(narrow.logits, wide.logits), exponent(narrow.states, wide.states))
  }

  @Test(arguments: [Initializer.pytorch, .uniform(0.2), .normal(0.1), .xavier, .orthogonal])
  func `updates change logits and states alike at any width`(_ initializer: Initializer) {
    let (with, without) = (
      Self.exponents(base: 16, initializer), Self.exponents(base: nil, initializer)
    )
    #expect(abs(with.logits) < 0.2 && abs(with.states) < 0.25, "\(with)")
    // Without a base the logits change the more, the wider the model is.
    #expect(without.logits > 0.5, "\(without)")
  }

  @Test(arguments: [Initializer.pytorch, .uniform(0.2), .normal(0.1), .xavier, .orthogonal])
  func `the base itself is a model without a base`(_ initializer: Initializer) {
    func numbers(_ base: Int?) -> ([UInt32], [Double]) {
      let layout = ParameterLayout(Self.model(24, base: base, initializer).plan)
      let weights = ParameterVector(layout)
      weights.initialize(seed: 3)
      return (weights.bits, layout.entries.map(\.rateFactor))
    }
    let (with, without) = (numbers(24), numbers(nil))
    #expect(with.1 == without.1)
    // A factor 1/(s √base) of biases is 1 up to rounding.
    let pairs = zip(with.0, without.0).map { (Float(bitPattern: $0), Float(bitPattern: $1)) }
    #expect(pairs.allSatisfy { abs($0 - $1) < 1e-6 * max(abs($1), 1) })
  }

  @Test func `rates and deviations are those of the table`() {
    let layout = ParameterLayout(Self.model(64, base: 16, .normal(0.1)).plan)
    let rates = Dictionary(uniqueKeysWithValues: layout.entries.map { ($0.name, $0.rateFactor) })
    #expect(
      rates.filter { $0.value != 1 } == [
        "rnn.weight_ih_l0": 0.25, "rnn.weight_hh_l0": 0.25, "rnn.weight_ih_l1": 0.25,
        "rnn.weight_hh_l1": 0.25, "decoder.weight": 0.25,
      ])
    let weights = ParameterVector(layout)
    weights.initialize(seed: 3)
    for (name, expected) in [
      ("encoder.weight", 0.1), ("rnn.weight_hh_l0", 0.05), ("decoder.weight", 0.025),
    ] {
      let entry = layout.entry(named: name)!
      let square =
        squaredNorm(UnsafeBufferPointer(weights.elements(of: entry))) / Double(entry.count)
      #expect(abs(square.squareRoot() / expected - 1) < 0.1, "\(name)")
    }
  }

  @Test func `decoupled weight decay shrinks wide matrices as it shrinks narrow ones`() {
    let layout = ParameterLayout(Self.model(64, base: 16, .normal(0.1)).plan)
    let weights = ParameterVector(layout), gradient = ParameterVector(layout)
    for j in 0..<layout.count { weights.buffer.elements()[j] = 1 }
    var options = AdamW.Options()
    options.weightDecay = 0.5
    OptimizerConfiguration(AdamW.self, options).makeOptimizer(for: layout).update(
      weights, gradient: gradient, rate: 0.1, scale: 1)
    for entry in layout.entries {
      #expect(abs(weights.elements(of: entry)[0] - 0.95) < 1e-6, "\(entry.name)")
    }
  }
}
