import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// A layer alone, with the gradient of a loss that is linear in its output.
private struct LoneLayer {
  static let (symbols, hidden, streams, steps) = (7, 5, 3, 150)
  let layer: any Layer
  let plan: Plan
  let weights, gradient: ParameterVector
  let tape: Tape
  let batch = Batch(rows: steps * streams)

  init(_ make: (inout Plan) -> any Layer) {
    var plan = Plan()
    layer = make(&plan)
    self.plan = plan
    let layout = ParameterLayout(plan)
    weights = ParameterVector(layout)
    weights.initialize(seed: 4)
    // An initial state of zeros would hide that it is forgotten.
    weights.update { weights in
      for entry in layout.entries where entry.name.contains("initial_") {
        Philox(seed: 6, name: entry.name).fillUniform(weights[entry], scale: 1)
      }
    }
    gradient = ParameterVector(layout)
    tape = Tape(
      plan, steps: Self.steps, streams: Self.streams, derivatives: true, resets: true)
  }

  static func embedding(in plan: inout Plan) -> Embedding {
    Embedding(vocabulary: symbols, width: hidden, isTied: false, in: &plan)
  }

  /// Runs a window forward and backward; returns the outputs and the gradient.
  func run(steps: Int, window: Int, resets: [(Int, Int)]) -> (outputs: [Real], gradient: [Real]) {
    let random = Philox(seed: 9, name: "window \(window)")
    batch.begin(steps: steps, streams: Self.streams)
    batch.resets.clear(0..<batch.rows)
    batch.hasResets = !resets.isEmpty
    for (t, s) in resets { batch.resets.elements()[t * Self.streams + s] = 1 }
    for row in 0..<batch.rows {
      batch.inputs.elements()[row] = Int32(random.uniform(UInt64(row)) * Double(Self.symbols))
    }
    gradient.clear()
    let pass = tape.begin(batch, weights: weights, gradient: gradient)
    layer.forward(pass)
    let outputs = (0..<steps).flatMap { t in
      (0..<Self.streams).flatMap { Array(pass[layer.output, t][$0].elements) }
    }
    for t in 0..<steps {
      for s in 0..<Self.streams {
        for j in 0..<Self.hidden {
          let place = UInt64(1000 + (t * Self.streams + s) * Self.hidden + j)
          pass.d[layer.output, t][s, j] = Real(random.uniform(place) - 0.5)
        }
      }
    }
    layer.backward(pass)
    tape.carryStates()
    return (outputs, Array(gradient.buffer.elements()))
  }
}

/// One layer above another.
private struct LayerPair: Layer {
  let lower, upper: any Layer

  init(_ lower: any Layer, _ upper: any Layer) { (self.lower, self.upper) = (lower, upper) }

  var output: Activation { upper.output }

  func forward(_ pass: Pass) {
    lower.forward(pass)
    upper.forward(pass)
  }

  func backward(_ pass: Pass) {
    upper.backward(pass)
    lower.backward(pass)
  }
}

@Suite struct `Layers that take a window at once` {
  @Test(arguments: MinGRU.variants(hidden: LoneLayer.hidden), InitialState.allCases)
  func `have the bits of stepping, through windows, streams that start anew and learnt states`(
    _ options: MinimalOptions, _ initialState: InitialState
  ) {
    compare(MinGRU.self, options, initialState)
    compare(MinLSTM.self, options, initialState)
  }

  private func compare<Cell: RecurrentCell & WindowMixer>(
    _ cell: Cell.Type, _ options: Cell.Options, _ initialState: InitialState
  ) {
    let input = LayerInput.symbols(LoneLayer.symbols)
    let stepping = LoneLayer {
      Recurrent<Cell>(
        options, around: RecurrentLayerOptions(initialState: initialState), reading: input, in: &$0)
    }
    let whole = LoneLayer {
      WindowLayer<Cell>(options, initialState: initialState, reading: input, in: &$0)
    }
    #expect(stepping.plan.states.count == whole.plan.states.count)
    compare(stepping, whole, "\(cell)", tolerance: 0)
  }

  @Test func `of matrix states are what stepping is, through chunks, windows and documents`() {
    forEveryCell(hidden: LoneLayer.hidden) { name, cell, options in
      if let cell = cell as? any MatrixStateCell.Type { compare(name, cell, options) }
    }
  }

  private func compare<Cell: MatrixStateCell>(
    _ name: String, _ cell: Cell.Type, _ options: any CellOptions
  ) {
    guard let options = options as? Cell.Options else { return }
    let stepping = LoneLayer { plan in
      let input = LoneLayer.embedding(in: &plan)
      return LayerPair(
        input, Recurrent<Cell>(options, reading: .activation(input.output), in: &plan))
    }
    let whole = LoneLayer { plan in
      let input = LoneLayer.embedding(in: &plan)
      return LayerPair(
        input, MatrixStateLayer<Cell>(options, reading: .activation(input.output), in: &plan))
    }
    #expect(stepping.plan.states.count == whole.plan.states.count)
    // Products of a window and of a step may be added in another order.
    compare(
      stepping, whole, "\(name) \(options)", tolerance: Real.self == Double.self ? 1e-11 : 1e-4)
  }

  private func compare(
    _ stepping: LoneLayer, _ whole: LoneLayer, _ name: String, tolerance: Double
  ) {
    let windows: [(steps: Int, resets: [(Int, Int)])] = [
      (9, []), (37, [(0, 1), (4, 0), (4, 2), (8, 1), (15, 0), (16, 1), (17, 2), (32, 0)]), (1, []),
      (4, [(0, 0), (1, 0), (2, 0)]), (16, []), (17, []), (37, []), (64, []), (65, []),
      (150, [(1, 0), (63, 0), (64, 1), (65, 2), (66, 2), (100, 1), (127, 1), (128, 0), (149, 2)]),
      (8, [(3, 1)]),
    ]
    func check(_ steps: Int, _ window: Int, _ resets: [(Int, Int)]) {
      let one = stepping.run(steps: steps, window: window, resets: resets)
      let other = whole.run(steps: steps, window: window, resets: resets)
      for (a, b) in [(one.outputs, other.outputs), (one.gradient, other.gradient)] {
        let size = a.reduce(0) { max($0, Double($1.magnitude)) }
        let error = zip(a, b).reduce(0) { max($0, Double(($1.0 - $1.1).magnitude)) }
        #expect(size > 0 && error <= tolerance * size, "\(name), window \(window)")
      }
    }
    for (window, (steps, resets)) in windows.enumerated() { check(steps, window, resets) }
    for layer in [stepping, whole] { layer.tape.clearCarried() }
    check(2, 9, [])
  }
}
