import LinearAlgebra
import Recurrence
import Sequences

/// A small model of padded sequences with its numbers and random data: sequences, steps, widths and
/// numbers of symbols are all different.
struct SequenceTrial {
  static let streams = 3
  static let steps = 5
  /// The true lengths of the sequences.
  static let lengths = [5, 2, 4]
  static let symbols = 7
  static let frame = 4
  static let condition = 2

  let model: any Model
  let weights: ParameterVector
  let gradient: ParameterVector
  let tape: Tape
  let batch: Batch

  init(_ model: any Model, spread: Double = 0.5) {
    self.model = model
    let layout = ParameterLayout(model.plan)
    weights = drawWeights(model.plan, spread: spread, seed: 3)
    gradient = ParameterVector(layout)
    let interface = model.interface
    let size = WindowSize(steps: Self.steps, streams: Self.streams, sourceSteps: Self.steps + 1)
    tape = Tape(model.plan, fitting: [size], derivatives: true, resets: true)
    var widths = Batch.Widths(
      condition: interface.condition, classes: interface.classes.count)
    if case .frames(let width) = interface.input { widths.features = width }
    switch interface.output {
    case .numbers(let width), .labels(let width): widths.values = width
    case .symbols: break
    }
    let source = interface.encoded.map { _ in
      Batch(
        rows: size.sourceSteps * size.streams, streams: size.streams,
        widths: Batch.Widths(features: interface.sourceFrames))
    }
    batch = Batch(
      rows: size.steps * size.streams, streams: size.streams, widths: widths, source: source)
    fill()
  }

  /// Fills the batch with sequences of different lengths; behind an end there is padding. Where the
  /// model predicts ends, the last step of each sequence asks for its end.
  /// - Parameter position: of step 0; the sequences that are longest end in a later window then.
  func fill(lengths: [Int] = lengths, asksOnce: Bool? = nil, position: Int = 0) {
    let interface = model.interface
    let random = Philox(seed: 4, name: "data")
    var drawn: UInt64 = 0
    func uniform() -> Double {
      drawn += 1
      return random.uniform(drawn)
    }
    let steps = lengths.max()!
    batch.begin(steps: steps, streams: lengths.count, firstStream: 0)
    batch.position = position
    batch.resets.clear(0..<batch.rows)
    let (inputs, targets) = (batch.inputs.elements(), batch.targets.elements())
    for s in lengths.indices {
      batch.lengths.elements()[s] = Int32(lengths[s])
      for t in 0..<steps {
        let row = t * lengths.count + s
        if case .symbols(let count) = interface.input {
          inputs[row] = Int32(uniform() * Double(count))
        } else {
          inputs[row] = 0
        }
        if case .symbols(let count) = interface.output {
          targets[row] = Int32(uniform() * Double(count))
        } else {
          targets[row] = 0
        }
        if let end = interface.ends?.symbol, targets[row] == Int32(end) { targets[row] = 0 }
        if asksOnce ?? interface.asksOnce, t != lengths[s] - 1 { targets[row] = Batch.noTarget }
      }
    }
    for i in batch.features.elements().indices { batch.features.elements()[i] = Real(uniform()) }
    for i in batch.values.elements().indices {
      batch.values.elements()[i] = Real(uniform() < 0.5 ? 0 : 1)
    }
    for i in batch.condition.elements().indices {
      batch.condition.elements()[i] = Real(uniform() - 0.5)
    }
    for s in lengths.indices {
      for (j, count) in interface.classes.enumerated() {
        batch.classes.elements()[s * interface.classes.count + j] = Int32((s + j) % count)
      }
    }
    if let model = model as? SequenceModel, model.options.end != .symbol {
      for (s, length) in lengths.enumerated() {
        let endsLater = position > 0 && length == steps
        batch.totals.elements()[s] = Int32(position + length - (endsLater ? 0 : 1))
        if !endsLater { targets[(length - 1) * lengths.count + s] = Batch.end }
      }
    }
    batch.pad()
    guard let source = batch.source else { return }
    // The sources' lengths are those of the targets in another order, and one more.
    let others = (lengths.dropFirst() + lengths.prefix(1)).map { $0 + 1 }
    source.begin(steps: others.max()!, streams: lengths.count)
    source.resets.clear(0..<source.rows)
    for i in 0..<source.rows {
      source.inputs.elements()[i] = Int32(uniform() * Double(interface.source))
      source.targets.elements()[i] = Batch.noTarget
    }
    for i in source.features.elements().indices {
      source.features.elements()[i] = Real(uniform() - 0.5)
    }
    for s in others.indices {
      source.lengths.elements()[s] = Int32(others[s])
      // Whatever is behind an end, until `pad` clears it.
      for t in others[s]..<source.steps {
        for j in 0..<source.widths.features {
          source.featureRows[t * source.streams + s, j] = .nan
        }
      }
    }
    source.pad()
  }

  /// Runs the window there and back; the loss is the tape's.
  @discardableResult
  func run(training: Bool = true) -> Double {
    model.run(batch, on: tape, weights: weights, gradient: training ? gradient : nil)
    return tape.loss.sum
  }

  /// For each parameter, how far its derivative is from central differences, as a part of its size.
  /// - Parameter isOfFourthOrder: whether steps are long, where losses have no kinks, so that their
  ///   rounding weighs little.
  func errors(isOfFourthOrder: Bool = false) -> [(name: String, error: Double, size: Double)] {
    run()
    return weights.layout.entries.map { entry in
      let exact = Array(gradient.elements(of: entry)).map { Double($0) }
      var (difference, size) = (0.0, 0.0)
      for k in 0..<entry.count {
        let w = weights.elements(of: entry)[k]
        func loss(_ value: Real) -> Double {
          weights.update { $0.elements(of: entry)[k] = value }
          tape.clearCarried()
          // As in training, so that dropout is there too.
          let pass = tape.begin(batch, weights: weights, gradient: ParameterVector(weights.layout))
          model.forward(pass)
          return tape.loss.sum
        }
        func change(_ step: Real) -> Double { loss(w + step) - loss(w - step) }
        let numerical =
          isOfFourthOrder ? (8 * change(1e-4) - change(2e-4)) / 12e-4 : change(1e-5) / 2e-5
        weights.update { $0.elements(of: entry)[k] = w }
        difference += (numerical - exact[k]) * (numerical - exact[k])
        size += max(numerical * numerical, exact[k] * exact[k])
      }
      return (
        entry.name, (difference / max(size, 1e-300)).squareRoot(), size.squareRoot()
      )
    }
  }
}
