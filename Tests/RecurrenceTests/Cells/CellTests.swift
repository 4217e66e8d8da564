import Foundation
import LinearAlgebra
import Recurrence
import Testing

/// Properties of single cells besides their derivatives.
@Suite struct `Cells` {
  /// Every activation of the layer's output in a window, row by row.
  private func outputs(_ trial: WindowTrial, _ state: Activation) -> [[Double]] {
    let pass = trial.tape.begin(trial.batch, weights: trial.weights)
    trial.model.forward(pass)
    let h = pass[state]
    return (0..<h.rows).map { i in h[i].elements.map { Double($0) } }
  }

  /// W x + b of a symbol, from the weights as they are stored.
  private func preactivation(_ trial: WindowTrial, _ symbol: Int32) throws -> [Double] {
    let layout = trial.weights.layout
    let table = trial.weights[try #require(layout.entry(named: "encoder.weight"))]
    let w = trial.weights[try #require(layout.entry(named: "rnn.weight_ih_l0"))]
    let b = trial.weights[try #require(layout.entry(named: "rnn.bias_ih_l0"))]
    return (0..<w.rows).map { i in
      (0..<w.columns).reduce(Double(b[0][i])) {
        $0 + Double(w[i][$1]) * Double(table[Int(symbol)][$1])
      }
    }
  }

  /// The share of the past that a minimal cell keeps and what it adds, unit by unit.
  private func terms(
    _ trial: WindowTrial, _ cell: String, _ candidate: MinimalCandidate, _ symbol: Int32
  ) throws -> (kept: [Double], added: [Double]) {
    let n = WindowTrial.hidden
    func sigmoid(_ v: Double) -> Double { 1 / (1 + Foundation.exp(-v)) }
    func value(_ v: Double) -> Double {
      candidate == .linear ? v : v >= 0 ? v + 0.5 : sigmoid(v)
    }
    let a = try preactivation(trial, symbol)
    let gates = (0..<n).map { j -> (Double, Double) in
      if cell == "min-gru" { return (1 - sigmoid(a[j]), sigmoid(a[j])) }
      let (i, f) = (sigmoid(a[j]), sigmoid(a[n + j]))
      return (f / (f + i), i / (f + i))
    }
    return (gates.map(\.0), (0..<n).map { gates[$0].1 * value(a[a.count - n + $0]) })
  }

  @Test(
    arguments: [
      ("min-gru", MinimalCandidate.linear), ("min-gru", .positive), ("min-lstm", .linear),
      ("min-lstm", .positive),
    ])
  func `the scan of a minimal cell is the closed form of its recurrence`(
    cell: String, candidate: MinimalCandidate
  ) throws {
    // h(t) = Σ_k added(k) Π_{k<j≤t} kept(j), from where the stream began; nothing of it is a loop that
    // hands a state on.
    let n = WindowTrial.hidden
    let options: any CellOptions =
      cell == "min-gru"
      ? MinGRU.Options(hidden: n, candidate: candidate)
      : MinLSTM.Options(hidden: n, candidate: candidate)
    let trial = WindowTrial(
      SequenceModelOptions(
        embedding: WindowTrial.input, layers: [LayerOptions(.recurrent(cell: cell, options))]),
      steps: 6)
    let state = try #require(trial.model.plan.states.first)
    // Stream 1 starts anew at step 2 of the second window, stream 0 goes on.
    var kept = [[[Double]]](repeating: [], count: WindowTrial.streams)
    var added = kept
    for window in 0..<2 {
      let reset = window == 1 ? (2, 1) : nil
      trial.fill(window: window, steps: 6, resets: reset.map { [$0] } ?? [])
      let found = outputs(trial, state)
      for t in 0..<6 {
        for s in 0..<WindowTrial.streams {
          if let reset, (t, s) == reset { (kept[s], added[s]) = ([], []) }
          let symbol = trial.batch.inputs.start[t * WindowTrial.streams + s]
          let now = try terms(trial, cell, candidate, symbol)
          kept[s].append(now.kept)
          added[s].append(now.added)
          for j in 0..<n {
            let expected = added[s].indices.reduce(0.0) { sum, k in
              sum + kept[s][(k + 1)...].reduce(added[s][k][j]) { $0 * $1[j] }
            }
            let h = found[t * WindowTrial.streams + s][j]
            #expect(
              abs(h - expected) < 1e3 * Double(Real.ulpOfOne),
              "window \(window), step \(t), stream \(s), unit \(j)")
          }
        }
      }
      trial.tape.carryStates()
    }
  }

  @Test func `min-lstm stays finite where both gates are shut`() throws {
    let n = WindowTrial.hidden
    let trial = WindowTrial(
      SequenceModelOptions(
        embedding: WindowTrial.input,
        layers: [LayerOptions(.recurrent(cell: "min-lstm", MinLSTM.Options(hidden: n)))]))
    let bias = try #require(trial.weights.layout.entry(named: "rnn.bias_ih_l0"))
    trial.weights.update { weights in
      for j in 0..<2 * n { weights[bias][0][j] = -1e4 }
    }
    trial.fill(window: 0)
    #expect(trial.run(training: true).isFinite)
    #expect(trial.gradient.buffer.elements().allSatisfy { $0.isFinite })
  }

  @Test func `leaky with the identity, no recurrence and a delay is a running average`() throws {
    // μ(t) = α μ(t−1) + (1 − α) (x(t−1) W + b), where x before the first is zero.
    let n = WindowTrial.hidden
    let options = Leaky.Options(
      hidden: n, alpha: .spread(0.2, 0.6), nonlinearity: .identity, recurrent: false,
      inputDelay: 1)
    let trial = WindowTrial("leaky", Leaky.self, options)
    let state = try #require(trial.model.plan.states.last)
    let bias = try #require(trial.weights.layout.entry(named: "rnn.bias_ih_l0"))
    let b = trial.weights.elements(of: bias).map { Double($0) }
    var mean = [[Double]](repeating: [Double](repeating: 0, count: n), count: WindowTrial.streams)
    var last = [Int32?](repeating: nil, count: WindowTrial.streams)
    for window in 0..<2 {
      let reset = window == 1 ? (3, 0) : nil
      trial.fill(window: window, resets: reset.map { [$0] } ?? [])
      let found = outputs(trial, state)
      for t in 0..<WindowTrial.steps {
        for s in 0..<WindowTrial.streams {
          if let reset, (t, s) == reset {
            mean[s] = [Double](repeating: 0, count: n)
            last[s] = nil
          }
          let read = try last[s].map { try preactivation(trial, $0) } ?? b
          for j in 0..<n {
            let alpha = 0.2 + 0.4 * Double(j) / Double(n - 1)
            mean[s][j] = alpha * mean[s][j] + (1 - alpha) * read[j]
            let difference = abs(found[t * WindowTrial.streams + s][j] - mean[s][j])
            #expect(difference < 1e3 * Double(Real.ulpOfOne), "window \(window), step \(t)")
          }
          last[s] = trial.batch.inputs.start[t * WindowTrial.streams + s]
        }
      }
      trial.tape.carryStates()
    }
  }

  @Test func `dense sees its taps and nothing earlier, across windows and not across resets`() {
    let options = Dense.Options(hidden: WindowTrial.hidden, taps: 3)
    /// The losses of the second window when one symbol was another.
    func losses(changing window: Int, _ step: Int, resets: [(Int, Int)] = []) -> [Real] {
      let trial = WindowTrial("dense", Dense.self, options)
      for now in 0..<2 {
        trial.fill(window: now, resets: now == 1 ? resets : [])
        if now == window {
          let symbol = trial.batch.inputs.start[step * WindowTrial.streams]
          trial.batch.inputs.start[step * WindowTrial.streams] =
            (symbol + 1) % Int32(WindowTrial.vocabulary)
        }
        trial.run(training: false)
        if now == 0 { trial.tape.carryStates() }
      }
      return (0..<WindowTrial.steps).map { trial.tape.loss.rows.start[$0 * WindowTrial.streams] }
    }
    func changed(_ window: Int, _ step: Int, resets: [(Int, Int)] = []) -> [Bool] {
      zip(losses(changing: window, step, resets: resets), losses(changing: -1, 0, resets: resets))
        .map { $0 != $1 }
    }
    #expect(changed(0, 3) == [true, true, false, false])
    #expect(changed(0, 2) == [true, false, false, false])
    #expect(changed(0, 1) == [false, false, false, false])
    #expect(changed(1, 0) == [true, true, true, false])
    #expect(changed(0, 3, resets: [(1, 0)]) == [true, false, false, false])
    #expect(changed(1, 0, resets: [(2, 0)]) == [true, true, false, false])
  }

  @Test(
    arguments: [
      (#"{"cell": "lstm", "hidden": 5, "coupled": true, "forget_bias": 1}"#, "no forget gate"),
      (#"{"cell": "lstm", "hidden": 5, "chrono": 9, "forget_bias": 1}"#, "leave out one"),
      (
        #"{"cell": "lstm", "hidden": 5, "chrono": 2}"#,
        "chrono is a number of time steps, at least 3"
      ),
      (
        #"{"cell": "gru", "hidden": 5, "chrono": 2}"#,
        "chrono is a number of time steps, at least 3"
      ),
      (#"{"cell": "leaky", "hidden": 5, "alpha": 1}"#, "at least 0 and below 1"),
      (#"{"cell": "leaky", "hidden": 5, "alpha": [0.1, 0.2, 0.3]}"#, "at least 0 and below 1"),
      (#"{"cell": "leaky", "hidden": 5, "alpha": "taught"}"#, "alpha is learnt, or"),
      (#"{"cell": "leaky", "hidden": 5, "input_delay": 2}"#, "input_delay must be 0 or 1"),
      (#"{"cell": "dense", "hidden": 5, "taps": 0}"#, "taps must be at least 1"),
      (#"{"cell": "update-gru", "hidden": 5, "biases": 3}"#, "biases must be 2"),
      (#"{"cell": "second-order", "hidden": 0}"#, "hidden must be at least 1"),
      (#"{"cell": "second-order", "hidden": 4097}"#, "hidden must be at most 4096"),
      (#"{"cell": "deep-transition", "hidden": 5, "transition": []}"#, "at least one inner layer"),
      (
        #"{"cell": "deep-transition", "hidden": 5, "transition": [4, 0]}"#,
        "transition must be at least 1"
      ),
      (#"{"cell": "dense", "hidden": 5, "taps": 4097}"#, "taps must be at most 4096"),
    ])
  func `options that make no sense are refused with a sentence`(
    layer: String, sentence: String
  ) throws {
    let error = #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(LayerOptions.self, from: Data(layer.utf8))
    }
    guard case .dataCorrupted(let context) = try #require(error) else {
      Issue.record("\(error!)")
      return
    }
    #expect(context.debugDescription.contains(sentence))
  }

  @Test func `options of every cell come back as they were written`() throws {
    try forEveryCell(hidden: WindowTrial.hidden) { name, _, options in
      let layer = LayerOptions(.recurrent(cell: name, options))
      let written = try JSONEncoder().encode(layer)
      #expect(try JSONDecoder().decode(LayerOptions.self, from: written) == layer)
    }
  }
}
