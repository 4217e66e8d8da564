internal import LinearAlgebra
internal import Recurrence
internal import Sequences

/// The symbols of a text, the last of which are to be predicted.
package struct Continuation: Codable, Equatable {
  /// The symbols; the first is only read.
  package var symbols: [Int32]
  /// The index of the first symbol that counts, at least 1.
  package var first: Int

  package init(symbols: [Int32], first: Int) {
    self.symbols = symbols
    self.first = first
  }
}

/// Computes the log-probabilities of the ends of texts, each text from the zero state.
///
/// Texts of similar length are the parallel streams of a tape, padded at their ends. Each row of a product
/// depends on that row alone, so the result of a text depends on nothing but the text and the model.
final class ContinuationScorer {
  /// ln p of the symbols that count, and whether each was the first of the likeliest.
  struct Result: Equatable {
    var logProbability = 0.0
    var isGreedy = true
  }

  private let model: SequenceModel
  private let weights: ParameterVector
  private let windows: WindowRunner
  private let batch: Batch
  /// True if layers read targets, so that all of them have to be there.
  private let feedsTargets: Bool
  static let window = 64

  /// - Parameter streams: The most texts that are scored in parallel.
  init(_ model: SequenceModel, weights: ParameterVector, streams: Int) {
    self.model = model
    self.weights = weights
    weights.rowsAreIndependent = true
    feedsTargets = model.plan.feedsTargets
    windows = WindowRunner(
      model.plan, fitting: [WindowSize(steps: Self.window, streams: streams)], resets: true)
    batch = Batch(rows: Self.window * streams, streams: streams)
  }

  /// Groups texts of similar length, at most `streams` in each; the groups are the same for any world size.
  static func groups(_ texts: [Continuation], streams: Int) -> [[Int]] {
    let order = texts.indices.sorted {
      (texts[$0].symbols.count, $0) < (texts[$1].symbols.count, $1)
    }
    return stride(from: 0, to: order.count, by: streams).map {
      Array(order[$0..<min($0 + streams, order.count)])
    }
  }

  /// Scores texts in parallel.
  func score(_ texts: [Continuation]) -> [Result] {
    var results = [Result](repeating: Result(), count: texts.count)
    let longest = texts.map { $0.symbols.count - 1 }.max() ?? 0
    windows.clear()
    for start in stride(from: 0, to: longest, by: Self.window) {
      fill(texts, from: start, steps: min(Self.window, longest - start))
      windows.run(batch, weights: weights) { pass in
        model.forward(pass)
        add(pass.loss, of: texts, from: start, to: &results)
      }
    }
    return results
  }

  /// Fills the batch with the symbols after the first `start` of each text.
  private func fill(_ texts: [Continuation], from start: Int, steps: Int) {
    batch.begin(steps: steps, streams: texts.count)
    batch.position = start
    batch.resets.clear(0..<batch.rows)
    let (inputs, targets) = (batch.inputs.elements(), batch.targets.elements())
    for (s, text) in texts.enumerated() {
      let length = min(max(text.symbols.count - 1 - start, 0), steps)
      batch.lengths.elements()[s] = Int32(length)
      for t in 0..<steps {
        let row = t * texts.count + s
        guard t < length else {
          inputs[row] = 0
          continue
        }
        let next = start + t + 1
        inputs[row] = text.symbols[next - 1]
        targets[row] = feedsTargets || next >= text.first ? text.symbols[next] : Batch.noTarget
      }
    }
    batch.pad()
  }

  private func add(
    _ loss: Loss, of texts: [Continuation], from start: Int, to results: inout [Result]
  ) {
    let (losses, correct) = (loss.rows.elements(), loss.correctRows.elements())
    let marked = (0..<batch.rows).reduce(0) { $0 + Int(correct[$1]) }
    precondition(marked == loss.correct, "\(marked) of \(loss.correct) correct rows are marked")
    for (s, text) in texts.enumerated() {
      let length = Int(batch.lengths.elements()[s])
      for t in 0..<length where start + t + 1 >= text.first {
        let row = t * texts.count + s
        results[s].logProbability -= Double(losses[row])
        if correct[row] == 0 { results[s].isGreedy = false }
      }
    }
  }
}
