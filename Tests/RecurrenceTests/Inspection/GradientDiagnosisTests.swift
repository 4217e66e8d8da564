import Glibc
import LinearAlgebra
import Recurrence
import Sequences
import Testing

@Suite struct `Gradient diagnosis` {
  @Test func `finds the norm by lag of a simple network`() throws {
    let steps = 6
    let trial = WindowTrial(
      "elman", Elman.self, Elman.Options(hidden: WindowTrial.hidden), steps: steps)
    trial.fill(window: 0, steps: steps)
    let diagnosis = GradientDiagnosis(of: trial.model, steps: steps)
    let layer = try #require(diagnosis.findings(trial).first)
    #expect(layer.name == "layer 0" && layer.gates.isEmpty && layer.lags.count == steps)
    for k in 0..<steps {
      let expected = (0..<WindowTrial.streams).map { norm(trial, stream: $0, steps, lag: k) }
      let mean = expected.reduce(0, +) / Double(WindowTrial.streams)
      #expect(abs(layer.lags[k] - mean) < 1e-4 * mean, "lag \(k): \(layer.lags[k]), not \(mean)")
    }
    let radius = try #require(layer.spectralRadius)
    let entry = try #require(trial.weights.layout.entry(named: "rnn.weight_hh_l0"))
    #expect(radius == trial.weights[entry].spectralRadius)
  }

  /// ‖∂L/∂h(T−1−k)‖ of one stream by central differences of a plain loop in double precision.
  private func norm(_ trial: WindowTrial, stream s: Int, _ steps: Int, lag k: Int) -> Double {
    func matrix(_ name: String) -> [[Double]] {
      let entry = trial.weights.layout.entry(named: name)!
      let numbers = trial.weights.elements(of: entry)
      return (0..<entry.rows).map { i in
        (0..<entry.columns).map { Double(numbers[i * entry.columns + $0]) }
      }
    }
    let (table, w, u) = (
      matrix("encoder.weight"), matrix("rnn.weight_ih_l0"), matrix("rnn.weight_hh_l0")
    )
    let (b, b2) = (matrix("rnn.bias_ih_l0")[0], matrix("rnn.bias_hh_l0")[0])
    let (v, c) = (matrix("decoder.weight"), matrix("decoder.bias")[0])
    func times(_ m: [[Double]], _ x: [Double]) -> [Double] {
      m.map { zip($0, x).reduce(0) { $0 + $1.0 * $1.1 } }
    }
    func loss(_ unit: Int, _ change: Double) -> Double {
      var h = [Double](repeating: 0, count: WindowTrial.hidden)
      for t in 0..<steps {
        let x = table[Int(trial.batch.inputs.elements()[t * WindowTrial.streams + s])]
        let (a, r) = (times(w, x), times(u, h))
        h = h.indices.map { Glibc.tanh(a[$0] + r[$0] + b[$0] + b2[$0]) }
        if t == steps - 1 - k { h[unit] += change }
      }
      let l = zip(times(v, h), c).map { $0 + $1 }
      let target = Int(trial.batch.targets.elements()[(steps - 1) * WindowTrial.streams + s])
      return Glibc.log(l.reduce(0) { $0 + Glibc.exp($1) }) - l[target]
    }
    return (0..<WindowTrial.hidden).reduce(0) { total, unit in
      let slope = (loss(unit, 1e-5) - loss(unit, -1e-5)) / 2e-5
      return total + slope * slope
    }.squareRoot()
  }

  @Test func `counts from each sequence's last target, and means over those that are long enough`()
  {
    let trial = WindowTrial("gru", GRU.self, GRU.Options(hidden: WindowTrial.hidden))
    trial.fill(window: 0)
    let targets = trial.batch.targets.elements()
    // Stream 0 asks at its second step last, stream 1 never.
    for t in 2..<WindowTrial.steps { targets[t * WindowTrial.streams] = Batch.noTarget }
    for t in 0..<WindowTrial.steps { targets[t * WindowTrial.streams + 1] = Batch.noTarget }
    let before = Array(targets)
    let diagnosis = GradientDiagnosis(of: trial.model, steps: WindowTrial.steps)
    let long = diagnosis.findings(trial)[0].lags
    #expect(long.count == 2 && long.allSatisfy { $0 > 0 })
    #expect(Array(targets) == before)
    // A window that ends there is the same; the gate still looks at all steps.
    trial.fill(window: 0, steps: 2)
    for t in 0..<2 { targets[t * WindowTrial.streams + 1] = Batch.noTarget }
    let short = diagnosis.findings(trial)[0].lags
    #expect(zip(long, short).allSatisfy { abs($0 - $1) < 1e-5 * $0 })
  }

  @Test(arguments: EndCases.all.indices)
  func `counts from the last output, not from an end`(index: Int) {
    let (name, options, interface) = EndCases.all[index]
    let trial = SequenceTrial(SequenceModel(options, interface: interface, seed: 1))
    let targets = Array(trial.batch.targets.elements())
    let diagnosis = GradientDiagnosis(of: trial.model, steps: SequenceTrial.steps)
    func measure() -> [Double] {
      let sums = diagnosis.measure(
        trial.model, trial.batch, on: trial.tape, weights: trial.weights, gradient: trial.gradient)
      return diagnosis.findings(sums, weights: trial.weights).last!.lags
    }
    let lags = measure()
    // The longest sequence has as many outputs as steps, but one.
    #expect(lags.count == SequenceTrial.steps - 1 && lags.allSatisfy { $0 > 0 }, "\(name): \(lags)")
    #expect(Array(trial.batch.targets.elements()) == targets)
    // No end is part of what is differentiated.
    for (row, target) in targets.enumerated() where target == Batch.end {
      trial.batch.targets.elements()[row] = Batch.noTarget
    }
    #expect(measure() == lags)
  }

  @Test func `counts gates that are shut and wide open`() throws {
    let trial = WindowTrial("lstm", LSTM.self, LSTM.Options(hidden: 4))
    trial.fill(window: 0)
    trial.weights.update { weights in
      for entry in weights.layout.entries where entry.name.hasPrefix("rnn.") {
        weights[entry].fill(0)
      }
      // σ(−3) is shut, σ(3) wide open, σ(2) neither: i, f, g, o.
      let bias = weights[weights.layout.entry(named: "rnn.bias_ih_l0")!][0]
      for (j, b) in [-3, -3, -3, 3, 3, 3, 3, 3, 0, 0, 0, 0, 2, 2, 3, -3].enumerated() {
        bias[j] = Real(b)
      }
    }
    let diagnosis = GradientDiagnosis(of: trial.model, steps: WindowTrial.steps)
    let layer = diagnosis.findings(trial)[0]
    #expect(layer.gates.map(\.name) == ["i", "f", "o"])
    #expect(layer.gates.map(\.below) == [0.75, 0, 0.25])
    #expect(layer.gates.map(\.above) == [0.25, 1, 0.25])
    #expect(layer.spectralRadius == 0)
  }

  @Test func `sees gates and states in every cell, and nothing beyond a reset`() {
    forEveryLayer { what, layer in
      let trial = WindowTrial(layer)
      let diagnosis = GradientDiagnosis(of: trial.model, steps: WindowTrial.steps)
      trial.fill(window: 0)
      trial.run(training: true)
      trial.tape.carryStates()
      trial.fill(window: 1, resets: [(3, 0), (3, 1)])
      for found in diagnosis.findings(trial) {
        for gate in found.gates {
          #expect(gate.below + gate.above < 1 && gate.below >= 0, "\(what): \(gate)")
        }
        guard let first = found.lags.first else { continue }
        #expect(first > 0, "\(what)")
        #expect(found.lags.dropFirst().allSatisfy { $0 == 0 }, "\(what): \(found.lags)")
      }
    }
  }

  /// A named matrix, or some of its rows, or columns: what a row vector is multiplied with is their
  /// transpose.
  private struct Weights {
    let trial: WindowTrial

    subscript(name: String) -> [[Double]] {
      let entry = trial.weights.layout.entry(named: "rnn." + name + "_l0")!
      let numbers = trial.weights.elements(of: entry)
      return (0..<entry.rows).map { i in
        (0..<entry.columns).map { Double(numbers[i * entry.columns + $0]) }
      }
    }
  }

  private static func times(_ a: [[Double]], _ b: [[Double]]) -> [[Double]] {
    a.map { row in
      b[0].indices.map { j in row.indices.reduce(0) { $0 + row[$1] * b[$1][j] } }
    }
  }

  /// By the growth of a power of the whole matrix, in plain loops.
  private static func radius(_ a: [[Double]]) -> Double {
    var (power, logarithm) = (a, 0.0)
    for _ in 0..<10 {
      let size = power.joined().reduce(0) { $0 + $1 * $1 }.squareRoot()
      power = power.map { $0.map { $0 / size } }
      logarithm = 2 * (logarithm + Glibc.log(size))
      power = times(power, power)
    }
    let size = power.joined().reduce(0) { $0 + $1 * $1 }.squareRoot()
    return Glibc.exp((logarithm + Glibc.log(size)) / 1024)
  }

  private typealias RadiusCase = (
    cell: String, options: any CellOptions, matrices: (Weights) -> [[[Double]]]
  )

  @Test func `the radius is of all that carries the state from one step to the next`() throws {
    let n = WindowTrial.hidden
    let cases: [RadiusCase] = [
      (
        "lstm", LSTM.Options(hidden: n, projection: 3),
        { [Self.times($0["weight_hr"], Array($0["weight_hh"][2 * n..<3 * n]))] }
      ),
      (
        "jordan", Jordan.Options(hidden: n, outputs: 3),
        { [Self.times($0["weight_hy"], $0["weight_yh"])] }
      ),
      (
        "multiplicative", Multiplicative.Options(hidden: n),
        { [Self.times($0["weight_fh"], $0["weight_hf"])] }
      ),
      (
        "mlstm", MultiplicativeLSTM.Options(hidden: n),
        { [Self.times(Array($0["weight_mh"][2 * n..<3 * n]), $0["weight_hm"])] }
      ),
      (
        "deep-transition", DeepTransition.Options(hidden: n, transition: [6, 4], shortcut: true),
        { weights in
          let inner = Self.times(weights["weight_transition_2"], weights["weight_hh"])
          let deep = Self.times(weights["weight_transition_3"], inner)
          return [zip(deep, weights["weight_shortcut"]).map { zip($0, $1).map { $0 + $1 } }]
        }
      ),
      (
        "second-order", SecondOrder.Options(hidden: n),
        { weights in
          let w = weights["weight_ih"]
          return (0..<WindowTrial.input).map { j in
            (0..<n).map { k in (0..<n).map { i in w[k * n + i][j] } }
          }
        }
      ),
      (
        "clockwork", Clockwork.Options(hidden: 6, periods: [1, 2, 4]),
        { weights in
          ["weight_hh_0", "weight_hh_1", "weight_hh_2"].map { weights[$0].map { Array($0[..<2]) } }
        }
      ),
      ("gru", GRU.Options(hidden: n), { [Array($0["weight_hh"][2 * n..<3 * n])] }),
    ]
    for (cell, options, matrices) in cases {
      let trial = WindowTrial(LayerOptions(.recurrent(cell: cell, options)))
      // Of several inputs, the last counts.
      trial.weights.update { weights in
        let w = weights[weights.layout.entry(named: "rnn.weight_ih_l0")!]
        for i in 0..<w.rows { w[i, w.columns - 1] *= 3 }
      }
      let diagnosis = GradientDiagnosis(of: trial.model, steps: WindowTrial.steps)
      trial.fill(window: 0)
      let found = try #require(diagnosis.findings(trial)[0].spectralRadius, "\(cell)")
      let expected = matrices(Weights(trial: trial)).map(Self.radius).max()!
      // Powers are limits, and settle slowly where eigenvalues are alike.
      #expect(abs(found - expected) < 5e-3 * expected, "\(cell): \(found), not \(expected)")
    }
  }

  private static let examined: Set<String> = [
    "clockwork", "deep-transition", "dense", "echo-state", "elman", "gru", "gru-reset-before",
    "jordan", "leaky", "lstm", "min-gru", "min-lstm", "mlstm", "multiplicative", "rg-lru",
    "second-order", "skip", "update-gru",
  ]

  @Test func `only what carries its state by no learnt weights has no radius`() {
    #expect(Self.examined.isSubset(of: cells.keys))
    forEveryCell(hidden: WindowTrial.hidden) { name, cell, options in
      let trial = WindowTrial(LayerOptions(.recurrent(cell: name, options)))
      let diagnosis = GradientDiagnosis(of: trial.model, steps: WindowTrial.steps)
      trial.fill(window: 0)
      // Whoever adds a cell may leave out what carries its state.
      guard Self.examined.contains(name) else { return }
      let isWithout =
        ["min-gru", "min-lstm", "rg-lru", "dense", "echo-state"].contains(name)
        || (options as? Leaky.Options)?.recurrent == false
        || (options as? Jordan.Options)?.teacherForcing == true
      #expect(
        (diagnosis.findings(trial)[0].spectralRadius == nil) == isWithout, "\(name) \(options)")
    }
  }

  @Test func `changes nothing of what is learnt and carried`() {
    forEveryLayer { what, layer in
      let (plain, diagnosed) = (WindowTrial(layer), WindowTrial(layer))
      let diagnosis = GradientDiagnosis(of: plain.model, steps: WindowTrial.steps)
      for window in 0..<3 {
        for trial in [plain, diagnosed] {
          trial.fill(window: window, resets: window == 1 ? [(1, 0)] : [])
        }
        _ = diagnosis.findings(diagnosed)
        let losses = [plain, diagnosed].map { $0.run(training: true) }
        #expect(losses[0] == losses[1], "\(what)")
        #expect(
          Array(plain.gradient.buffer.elements()) == Array(diagnosed.gradient.buffer.elements()),
          "\(what)")
        plain.tape.carryStates()
        diagnosed.tape.carryStates()
      }
    }
  }
}

extension GradientDiagnosis {
  /// Returns the diagnosis of the window of a trial.
  func findings(_ trial: WindowTrial) -> [Layer] {
    let sums = measure(
      trial.model, trial.batch, on: trial.tape, weights: trial.weights, gradient: trial.gradient)
    return findings(sums, weights: trial.weights)
  }
}
