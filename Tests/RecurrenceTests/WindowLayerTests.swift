import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// A layer alone, with the gradient of a loss that is linear in its output.
private struct LoneLayer {
  static let (symbols, hidden, streams, steps) = (7, 5, 3, 9)
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
    let windows: [(steps: Int, resets: [(Int, Int)])] = [
      (9, []), (9, [(0, 1), (4, 0), (4, 2), (8, 1)]), (1, []), (4, [(0, 0), (1, 0), (2, 0)]),
      (9, []),
    ]
    for (window, (steps, resets)) in windows.enumerated() {
      let one = stepping.run(steps: steps, window: window, resets: resets)
      let other = whole.run(steps: steps, window: window, resets: resets)
      #expect(one.outputs == other.outputs, "\(cell), window \(window)")
      #expect(one.gradient == other.gradient, "\(cell), window \(window)")
    }
    for layer in [stepping, whole] { layer.tape.clearCarried() }
    let one = stepping.run(steps: 2, window: 9, resets: [])
    let other = whole.run(steps: 2, window: 9, resets: [])
    #expect(one.outputs == other.outputs && one.gradient == other.gradient)
  }
}
