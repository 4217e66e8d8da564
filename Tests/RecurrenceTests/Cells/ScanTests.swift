import Foundation
import LinearAlgebra
import Recurrence
import Testing

/// `h(t) = a(t) h(t−1) + b(t)` of many steps at once: a pair stands for the map of a stretch of
/// time, and stretches that follow each other are put together, in any order.
private struct Stretch {
  var a, b: Double

  /// The map of this stretch and the one behind it.
  func then(_ later: Stretch) -> Stretch {
    Stretch(a: a * later.a, b: later.a * b + later.b)
  }

  /// From the first step to each of them, halves of halves put together as a tree (Blelloch 1990).
  static func scan(_ steps: [Stretch]) -> [Stretch] {
    guard steps.count > 1 else { return steps }
    let (left, right) = (
      scan(Array(steps[..<(steps.count / 2)])), scan(Array(steps[(steps.count / 2)...]))
    )
    return left + right.map { left.last!.then($0) }
  }
}

extension WindowTrial {
  /// A parameter's rows in Double.
  fileprivate func rows(_ name: String, of vector: ParameterVector) throws -> [[Double]] {
    let matrix = vector[try #require(vector.layout.entry(named: name))]
    return (0..<matrix.rows).map { i in matrix[i].elements.map { Double($0) } }
  }
}

/// Minimal cells of one layer whose loop over time is a tree of stretches, forward and backward,
/// and everything else plain sums in Double.
private struct ScannedNetwork {
  let embedding, input, output: [[Double]]
  let inputBias, outputBias: [Double]
  let cell: String
  let candidate: MinimalCandidate
  var n: Int { output[0].count }

  struct Found {
    var states: [[Double]]
    var gradient: [String: [[Double]]]
    var loss = 0.0
  }

  init(_ trial: WindowTrial, _ cell: String, _ candidate: MinimalCandidate) throws {
    embedding = try trial.rows("encoder.weight", of: trial.weights)
    input = try trial.rows("rnn.weight_ih_l0", of: trial.weights)
    inputBias = try trial.rows("rnn.bias_ih_l0", of: trial.weights)[0]
    output = try trial.rows("decoder.weight", of: trial.weights)
    outputBias = try trial.rows("decoder.bias", of: trial.weights)[0]
    (self.cell, self.candidate) = (cell, candidate)
  }

  private func sigmoid(_ v: Double) -> Double { 1 / (1 + Foundation.exp(-v)) }
  private func value(_ v: Double) -> Double {
    candidate == .linear ? v : v >= 0 ? v + 0.5 : sigmoid(v)
  }
  private func slope(_ v: Double) -> Double {
    candidate == .linear || v >= 0 ? 1 : sigmoid(v) * (1 - sigmoid(v))
  }

  /// The share of the past that is kept and that of the candidate.
  private func shares(_ v: [Double], _ j: Int) -> (kept: Double, added: Double) {
    if cell == "min-gru" { return (1 - sigmoid(v[j]), sigmoid(v[j])) }
    let (i, f) = (sigmoid(v[j]), sigmoid(v[n + j]))
    return (f / (f + i), i / (f + i))
  }

  /// One stream of a window, from a state; resets are the steps at which it starts anew.
  func run(
    _ symbols: [Int], _ targets: [Int], from first: [Double], resets: Set<Int>
  ) -> Found {
    let all = symbols.indices
    let v = symbols.map { symbol in
      input.indices.map { i in
        zip(input[i], embedding[symbol]).reduce(inputBias[i]) { $0 + $1.0 * $1.1 }
      }
    }
    let width = input.count
    var found = Found(states: all.map { _ in Array(repeating: 0, count: n) }, gradient: [:])
    for j in 0..<n {
      let steps = all.map { t -> Stretch in
        let share = shares(v[t], j)
        return Stretch(
          a: resets.contains(t) ? 0 : share.kept, b: share.added * value(v[t][width - n + j]))
      }
      for (t, stretch) in Stretch.scan(steps).enumerated() {
        found.states[t][j] = stretch.a * first[j] + stretch.b
      }
    }
    // What the output layer asks of each state.
    var asked = found.states
    for (name, rows) in [
      ("encoder.weight", embedding), ("rnn.weight_ih_l0", input), ("rnn.bias_ih_l0", [inputBias]),
      ("decoder.weight", output), ("decoder.bias", [outputBias]),
    ] {
      found.gradient[name] = rows.map { $0.map { _ in 0 } }
    }
    for t in all {
      let h = found.states[t]
      let powers = output.indices.map { i in
        Foundation.exp(zip(output[i], h).reduce(outputBias[i]) { $0 + $1.0 * $1.1 })
      }
      let total = powers.reduce(0, +)
      found.loss += Foundation.log(total / powers[targets[t]])
      let error = powers.indices.map { powers[$0] / total - ($0 == targets[t] ? 1 : 0) }
      asked[t] = (0..<n).map { j in error.indices.reduce(0) { $0 + error[$1] * output[$1][j] } }
      for i in error.indices {
        found.gradient["decoder.bias"]![0][i] += error[i]
        for j in 0..<n { found.gradient["decoder.weight"]![i][j] += error[i] * h[j] }
      }
    }
    for j in 0..<n {
      // λ(t) = asked(t) + a(t+1) λ(t+1): the same scan from the other end.
      let steps = all.reversed().map { t in
        Stretch(
          a: t == all.last! || resets.contains(t + 1) ? 0 : shares(v[t + 1], j).kept,
          b: asked[t][j])
      }
      for (t, stretch) in zip(all.reversed(), Stretch.scan(steps)) {
        let past = resets.contains(t) ? 0 : t == 0 ? first[j] : found.states[t - 1][j]
        let c = v[t][width - n + j]
        let (kept, added) = shares(v[t], j)
        var dv: [Int: Double] = [width - n + j: stretch.b * added * slope(c)]
        let more = stretch.b * (value(c) - past)
        if cell == "min-gru" {
          dv[j] = more * kept * added
        } else {
          // ∂(i/(f+i))/∂i = kept · added / i, and the logistic's derivative is i (1 − i).
          dv[j] = more * kept * added * (1 - sigmoid(v[t][j]))
          dv[n + j] = -more * kept * added * (1 - sigmoid(v[t][n + j]))
        }
        for (i, d) in dv {
          found.gradient["rnn.bias_ih_l0"]![0][i] += d
          for k in input[i].indices {
            found.gradient["rnn.weight_ih_l0"]![i][k] += d * embedding[symbols[t]][k]
            found.gradient["encoder.weight"]![symbols[t]][k] += d * input[i][k]
          }
        }
      }
    }
    return found
  }
}

@Suite struct `Scans` {
  @Test(
    arguments: ["min-gru", "min-lstm"], MinimalCandidate.allCases)
  func `over a tree of stretches find what the loop of a minimal cell finds`(
    cell: String, candidate: MinimalCandidate
  ) throws {
    let steps = 13
    let options: any CellOptions =
      cell == "min-gru"
      ? MinGRU.Options(hidden: WindowTrial.hidden, candidate: candidate)
      : MinLSTM.Options(hidden: WindowTrial.hidden, candidate: candidate)
    let trial = WindowTrial(
      SequenceModelOptions(
        embedding: WindowTrial.input, layers: [LayerOptions(.recurrent(cell: cell, options))]),
      steps: steps, spread: 1.5)
    let state = try #require(trial.model.plan.states.first)
    let network = try ScannedNetwork(trial, cell, candidate)
    var carried = [[Double]](
      repeating: Array(repeating: 0, count: WindowTrial.hidden), count: WindowTrial.streams)
    // The second window goes on from the first; in it stream 1 starts anew twice.
    for resets in [[], [(2, 1), (9, 1)]] as [[(Int, Int)]] {
      trial.fill(window: resets.isEmpty ? 0 : 3, steps: steps, resets: resets)
      let loss = trial.run(training: true)
      let pass = trial.tape.pass(
        over: trial.batch, weights: trial.weights, gradient: trial.gradient)
      var expected: [String: [[Double]]] = [:]
      var expectedLoss = 0.0
      for s in 0..<WindowTrial.streams {
        func column(_ symbols: Buffer<Int32>) -> [Int] {
          (0..<steps).map { Int(symbols.elements()[$0 * WindowTrial.streams + s]) }
        }
        let found = network.run(
          column(trial.batch.inputs), column(trial.batch.targets), from: carried[s],
          resets: Set(resets.filter { $0.1 == s }.map(\.0)))
        for t in 0..<steps {
          for (x, y) in zip(pass[state, t][s].elements, found.states[t]) {
            #expect(abs(Double(x) - y) < 1e3 * Double(Real.ulpOfOne))
          }
        }
        carried[s] = found.states.last!
        expectedLoss += found.loss
        expected.merge(found.gradient) { zip($0, $1).map { zip($0, $1).map(+) } }
      }
      #expect(abs(loss - expectedLoss) < 1e3 * Double(Real.ulpOfOne) * expectedLoss)
      #expect(expected.count == trial.gradient.layout.entries.count)
      for (name, rows) in expected {
        let found = try trial.rows(name, of: trial.gradient)
        let size = rows.joined().map(abs).max()!
        #expect(size > 0.01, "\(name) has no gradient")
        for (x, y) in zip(found.joined(), rows.joined()) {
          #expect(abs(x - y) < 1e3 * Double(Real.ulpOfOne) * size, "\(name): \(x), \(y)")
        }
      }
      trial.tape.carryStates()
    }
  }
}
