internal import LinearAlgebra
internal import Sequences

/// Runs a model over several hypotheses of several sequences, each hypothesis a stream of one tape.
/// The sources are encoded once. The hypotheses of one sequence lie side by side.
final class HypothesisReader {
  private let model: SequenceModel
  private let tape: Tape
  private let batch: Batch
  private let pass: Pass
  private var hasRead = false

  /// - Parameters:
  ///   - copies: The number of hypotheses per sequence.
  ///   - steps: The most steps per call of `read`.
  init(
    _ model: SequenceModel, _ weights: ParameterVector, given: [DecoderInput], copies: Int,
    steps: Int
  ) {
    let interface = model.interface
    self.model = model
    let streams = given.count * copies
    let sourceSteps = max(given.map(\.sourceSteps).max() ?? 1, 1)
    let source = interface.encoded.map { _ in
      Batch(
        rows: sourceSteps * given.count, streams: given.count,
        widths: Batch.Widths(features: interface.sourceFrames))
    }
    batch = Batch(
      rows: steps * streams, streams: streams,
      widths: Batch.Widths(condition: interface.condition, classes: interface.classes.count),
      source: source)
    let size = WindowSize(steps: steps, streams: streams, sourceSteps: sourceSteps)
    tape = Tape(model.plan, fitting: [size], derivatives: false, resets: true)
    batch.begin(steps: steps, streams: streams)
    for row in 0..<batch.rows { batch.targets.elements()[row] = Batch.noTarget }
    for (s, given) in given.enumerated() {
      for copy in s * copies..<(s + 1) * copies {
        batch.know(given.condition, classes: given.classes, of: copy, interface)
      }
    }
    source?.fill(given, interface)
    pass = tape.begin(batch, weights: weights)
    model.encode(pass)
  }

  /// Returns ln p of each possible length for each stream, in memory that the next call overwrites;
  /// nil for a model without length prediction. Call it before the first `read`.
  func lengths() -> Matrix? {
    guard let l = model.predictedLength?.logits(pass) else { return nil }
    for s in 0..<l.rows { l[s].add(-l[s].logSumExp) }
    return l
  }

  /// Sets the number of symbols of each stream.
  func expect(_ totals: [Int]) {
    for (s, total) in totals.enumerated() { batch.totals.elements()[s] = Int32(total) }
  }

  /// Reads one more symbol per stream and returns the logits that follow it, in memory that the
  /// next call overwrites.
  /// - Parameters:
  ///   - parents: For each stream, the stream whose state it continues.
  ///   - count: The number of likeliest symbols of each stream that are needed; others may have −∞. Nil
  ///     for all.
  func read(_ symbols: [Int32], from parents: [Int], likeliest count: Int? = nil) -> Matrix {
    if hasRead {
      tape.carryStates(from: parents)
      if model.predictedLength != nil {
        let totals = Array(batch.totals.elements(count: batch.streams))
        expect(parents.map { Int(totals[$0]) })
      }
      for (s, symbol) in symbols.enumerated() { tape.states.note(target: symbol, of: s) }
      batch.position += 1
      tape.layOut(steps: 1, streams: batch.streams)
    }
    hasRead = true
    for (s, symbol) in symbols.enumerated() { batch.inputs.elements()[s] = symbol }
    batch.findDistinct()
    model.goOn(pass)
    return model.outputs(at: 0, pass, likeliest: count)
  }

  /// Returns ln p of whole sequences, including end-of-sequence, one per stream. Each follows
  /// `start`. A sequence longer than the model can predict gets −∞.
  func read(_ sequences: [[Int32]], _ start: Int32, end: Int32) -> [Double] {
    let mark = model.options.end == .symbol ? end : Batch.end
    let longest = model.predictedLength?.longest ?? .max
    let targets = sequences.map { $0.count > longest ? [] : $0 + [mark] }
    batch.resets.clear(0..<batch.rows)
    expect(sequences.map(\.count))
    for (s, target) in targets.enumerated() {
      batch.lengths.elements()[s] = Int32(target.count)
      for t in 0..<batch.steps {
        let row = t * batch.streams + s
        batch.inputs.elements()[row] = t > 0 && t < target.count ? target[t - 1] : start
        batch.targets.elements()[row] = t < target.count ? target[t] : Batch.noTarget
      }
    }
    batch.pad()
    batch.findDistinct()
    tape.read(pasts: batch, masked: false)
    model.goOn(pass)
    model.head.forward(pass)
    let losses = tape.loss.rows.elements()
    return targets.indices.map { s in
      targets[s].isEmpty
        ? -.infinity
        : -(0..<batch.steps).reduce(0.0) { $0 + Double(losses[$1 * batch.streams + s]) }
    }
  }
}

extension Batch {
  /// Sets the condition and the classes of stream s.
  func know(_ numbers: [Real], classes known: [Int32], of s: Int, _ interface: TaskSignature) {
    precondition(
      numbers.count == interface.condition,
      "a condition of \(numbers.count) numbers for a model of \(interface.condition)")
    precondition(
      known.count == interface.classes.count
        && zip(known, interface.classes).allSatisfy { (0..<$1).contains(Int($0)) },
      "the classes \(known) for a model of \(interface.classes)")
    for (j, number) in numbers.enumerated() { conditionRows[s, j] = number }
    for (j, number) in known.enumerated() { classes.elements()[s * known.count + j] = number }
  }

  /// Fills the batch of the encoder with the sources.
  fileprivate func fill(_ given: [DecoderInput], _ interface: TaskSignature) {
    begin(steps: given.map(\.sourceSteps).max()!, streams: given.count)
    resets.clear(0..<rows)
    inputs.clear(0..<rows)
    for (s, given) in given.enumerated() {
      precondition(
        given.sourceSteps > 0 && given.frames.width == interface.sourceFrames
          && given.source.allSatisfy { $0 >= 0 && Int($0) < interface.source },
        "a source that is empty, or whose symbols or frames do not fit the encoder")
      lengths.elements()[s] = Int32(given.sourceSteps)
      for t in 0..<steps { targets.elements()[t * streams + s] = Batch.noTarget }
      for (t, symbol) in given.source.enumerated() { inputs.elements()[t * streams + s] = symbol }
      fill(given.frames, of: s)
    }
    pad()
  }
}
