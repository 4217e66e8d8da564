import Foundation
import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// An encoder and a decoder learn to say a sequence backwards, and are asked for sequences that
/// they have not seen.
@Suite struct `Reversal` {
  static let (start, end): (Int32, Int32) = (0, 1)
  static let symbols = 7
  static let streams = 32
  static let longest = 6

  @Test(arguments: [AttentionPlace.output, .input])
  func `is learnt with attention`(_ place: AttentionPlace) {
    let gru = { LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: $0))) }
    var encoder = EncoderOptions(embedding: 12, layers: [gru(16)])
    encoder.layers[0].bidirectional = .concat
    let model = SequenceModel(
      SequenceModelOptions(
        embedding: 12, layers: [gru(32)],
        encoder: encoder.entering(attention: AttentionOptions(.multiplicative, at: place))),
      interface: TaskSignature(
        input: .symbols(Self.symbols), output: .symbols(Self.symbols), source: Self.symbols),
      seed: 1)
    let layout = ParameterLayout(model.plan)
    let (weights, gradient) = (ParameterVector(layout), ParameterVector(layout))
    weights.initialize(seed: 1)
    let source = Batch(rows: Self.longest * Self.streams, streams: Self.streams)
    let batch = Batch(
      rows: (Self.longest + 1) * Self.streams, streams: Self.streams, source: source)
    let tape = Tape(
      model.plan,
      fitting: [
        WindowSize(
          steps: Self.longest + 1, streams: Self.streams, sourceSteps: Self.longest)
      ], derivatives: true, resets: true)
    var adam = Adam(count: weights.buffer.count)
    let steps = 600
    for step in 0..<steps {
      fill(batch, (0..<Self.streams).map { sequence(step * Self.streams + $0) })
      model.run(batch, on: tape, weights: weights, gradient: gradient)
      let rate = 0.01 * (1 - Real(step) / Real(steps))
      weights.update { adam.update($0.buffer, gradient.buffer, Real(tape.loss.targets), rate) }
    }
    let decoder = SequenceDecoder(model, weights: weights, start: Self.start, end: Self.end)
    let unseen = (0..<200).map { sequence(1_000_000 + $0) }
    let given = unseen.map { DecoderInput(source: $0) }
    let greedy = decoder.greedy(given, maximumLength: 10)
    let right = zip(greedy, unseen).count { $0.symbols == $1.reversed() }
    #expect(right >= 190, "\(right) of 200 sequences are reversed")
    let best = decoder.search(given, beam: 4, maximumLength: 10)
    #expect(zip(best, unseen).count { $0[0].symbols == $1.reversed() } >= right - 2)
  }

  private func sequence(_ index: Int) -> [Int32] {
    let random = Philox(seed: 11, name: "sequence \(index)")
    let length = 1 + Int(random.uniform(0) * Double(Self.longest))
    return (1...length).map { 2 + Int32(random.uniform(UInt64($0)) * Double(Self.symbols - 2)) }
  }

  private func fill(_ batch: Batch, _ sequences: [[Int32]]) {
    let source = batch.source!
    let longest = sequences.map(\.count).max()!
    source.begin(steps: longest, streams: sequences.count)
    batch.begin(steps: longest + 1, streams: sequences.count)
    source.resets.clear(0..<source.rows)
    batch.resets.clear(0..<batch.rows)
    for (s, sequence) in sequences.enumerated() {
      source.lengths.elements()[s] = Int32(sequence.count)
      batch.lengths.elements()[s] = Int32(sequence.count + 1)
      let said = [Self.start] + sequence.reversed() + [Self.end]
      for t in 0...longest {
        let row = t * sequences.count + s
        batch.inputs.elements()[row] = t < said.count - 1 ? said[t] : 0
        batch.targets.elements()[row] = t < said.count - 1 ? said[t + 1] : Batch.noTarget
        if t < longest {
          source.inputs.elements()[row] = t < sequence.count ? sequence[t] : 0
          source.targets.elements()[row] = Batch.noTarget
        }
      }
    }
    source.pad()
    batch.pad()
  }
}

/// Kingma & Ba 2015.
private struct Adam {
  private var mean: [Real]
  private var square: [Real]
  private var step = 0

  init(count: Int) {
    mean = Array(repeating: 0, count: count)
    square = mean
  }

  mutating func update(_ w: Buffer<Real>, _ g: Buffer<Real>, _ targets: Real, _ rate: Real) {
    step += 1
    let (w, g) = (w.elements(), g.elements())
    let correction = (1 - Real(Foundation.pow(0.999, Double(step)))).squareRoot()
    let rate = rate * correction / (1 - Real(Foundation.pow(0.9, Double(step))))
    for i in mean.indices {
      let d = g[i] / targets
      mean[i] += 0.1 * (d - mean[i])
      square[i] += 0.001 * (d * d - square[i])
      w[i] -= rate * mean[i] / (square[i].squareRoot() + 1e-8)
    }
  }
}
