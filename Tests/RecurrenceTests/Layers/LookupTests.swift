import LinearAlgebra
import Recurrence
import Sequences
import Testing

/// A layer above a table, which it reads row by row or once per different symbol, and a softmax.
private struct Route {
  static let width = 3
  let plan: Plan
  let layers: [any Layer]
  let head: SoftmaxCrossEntropy
  let weights, gradient: ParameterVector
  let tape: Tape

  init(
    vocabulary: Int, gathered: Bool, isTied: Bool = false,
    _ layer: (LayerInput, inout Plan) -> any Layer
  ) {
    var plan = Plan()
    plan.scope.initializer = .uniform(0.4)
    plan.scope.outputs = .symbols(vocabulary)
    let lookup = Lookup(vocabulary: vocabulary, width: Self.width, isTied: isTied, in: &plan)
    if gathered {
      layers = [layer(.lookup(lookup), &plan)]
    } else {
      let embedding = Embedding(lookup, in: &plan)
      layers = [embedding, layer(.activation(embedding.output), &plan)]
    }
    head = SoftmaxCrossEntropy(
      vocabulary: vocabulary, reading: layers.last!.output, tied: isTied ? lookup.table : nil,
      bias: true, in: &plan)
    self.plan = plan
    weights = ParameterVector(ParameterLayout(plan))
    weights.initialize(seed: 5)
    gradient = ParameterVector(weights.layout)
    tape = Tape(
      plan, steps: WindowTrial.steps, streams: WindowTrial.streams, derivatives: true, resets: true)
  }

  /// The losses of the batch's rows, with derivatives in `gradient`.
  func run(_ batch: Batch) -> [Real] {
    gradient.buffer.clear()
    let pass = tape.begin(batch, weights: weights, gradient: gradient)
    for layer in layers { layer.forward(pass) }
    head.forward(pass)
    for layer in layers.reversed() { layer.backward(pass) }
    tape.carryStates()
    return Array(tape.loss.rows.elements(count: batch.rows))
  }
}

/// A batch of one window of inputs, each the target of the one before.
private func batch(_ inputs: [Int32], resets: [Int] = []) -> Batch {
  let batch = Batch(rows: inputs.count)
  batch.begin(steps: WindowTrial.steps, streams: WindowTrial.streams)
  for row in 0..<inputs.count {
    batch.inputs.start[row] = inputs[row]
    batch.targets.start[row] = inputs[(row + WindowTrial.streams) % inputs.count]
    batch.resets.start[row] = resets.contains(row) ? 1 : 0
  }
  batch.hasResets = !resets.isEmpty
  return batch
}

private let vocabulary = 11

/// Two windows each: symbols that repeat, all different, all equal; with and without resets.
private func makeWindows() -> [(String, [Batch])] {
  [
    ("repeated", [batch([3, 1, 3, 3, 10, 1, 0, 3]), batch([1, 1, 0, 10, 10, 2, 1, 0])]),
    ("all different", [batch([7, 0, 10, 2, 5, 1, 9, 3]), batch([6, 4, 8, 10, 0, 2, 1, 3])]),
    ("all equal", [batch([4, 4, 4, 4, 4, 4, 4, 4]), batch([9, 9, 9, 9, 9, 9, 9, 9])]),
    (
      "with resets",
      [batch([3, 1, 3, 3, 10, 1, 0, 3], resets: [1, 6]), batch([1, 1, 0, 10, 10, 2, 1, 0])]
    ),
  ]
}

@Suite struct `A layer that reads a table` {
  private static let tolerance = MemoryLayout<Real>.size == 8 ? 1e-12 : 1e-5

  private func expectAgreement(
    _ what: String, isTied: Bool = false, of windows: [(String, [Batch])] = makeWindows(),
    _ layer: (LayerInput, inout Plan) -> any Layer
  ) {
    for (name, windows) in windows {
      let plain = Route(vocabulary: vocabulary, gathered: false, isTied: isTied, layer)
      let gathered = Route(vocabulary: vocabulary, gathered: true, isTied: isTied, layer)
      #expect(
        plain.weights.buffer.elements().elementsEqual(gathered.weights.buffer.elements()),
        "\(what): the first weights")
      #expect(
        plain.weights.layout.entries.map(\.name) == gathered.weights.layout.entries.map(\.name))
      for (number, window) in windows.enumerated() {
        let (a, b) = (plain.run(window), gathered.run(window))
        let losses = difference(a, b)
        #expect(losses < Self.tolerance, "\(what), \(name): losses of window \(number)")
        for entry in plain.gradient.layout.entries {
          let found = difference(
            Array(plain.gradient.elements(of: entry)), Array(gathered.gradient.elements(of: entry)),
            // Some weights meet nothing in the first steps of all.
            mayVanish: number == 0)
          #expect(
            found < Self.tolerance, "\(what), \(name): \(entry.name) of window \(number), \(found)")
        }
      }
    }
  }

  /// ‖a − b‖/‖a‖
  private func difference(_ a: [Real], _ b: [Real], mayVanish: Bool = false) -> Double {
    var (error, size) = (0.0, 0.0)
    for (x, y) in zip(a, b) {
      error += Double((x - y) * (x - y))
      size += Double(x * x)
    }
    #expect(size > 0 || mayVanish && error == 0)
    return size == 0 ? 0 : (error / size).squareRoot()
  }

  @Test func `once per different symbol computes what it computes row by row, for every cell`() {
    forEveryCell(hidden: WindowTrial.hidden) { name, cell, options in
      expectAgreement("\(name) \(options)") { make(cell, options, reading: $0, in: &$1) }
    }
  }

  @Test func `once per different symbol computes what it computes row by row, tied or linear`() {
    expectAgreement("linear") { Linear(WindowTrial.hidden, reading: $0, in: &$1) }
    expectAgreement("tied", isTied: true) {
      Recurrent<GRU>(GRU.Options(hidden: Route.width), reading: $0, in: &$1)
    }
  }

  @Test(arguments: Bidirectional.Combination.allCases)
  func `once per different symbol, in both directions, computes what it computes row by row`(
    combination: Bidirectional.Combination
  ) {
    let whole = batch([3, 1, 3, 3, 10, 1, 0, 3])
    let padded = batch([7, 0, 10, 2, 5, 1, 7, 3])
    padded.lengths.start[1] = 2
    padded.pad()
    forEveryCell(hidden: WindowTrial.hidden) { name, cell, options in
      guard inputDelays(of: cell, options) == [0], !options.feedsTargets else { return }
      expectAgreement("\(name) \(options)", of: [("whole", [whole]), ("padded", [padded])]) {
        let isGathered = if case .lookup = $0 { true } else { false }
        return Bidirectional(combination, reading: $0, in: &$1) { source, isSecond, plan in
          plan.scope.suffix = isSecond ? "_reverse" : ""
          return make(cell, options, reading: source, isReversed: isSecond && isGathered, in: &plan)
        }
      }
    }
  }

  @Test func `is what both directions of a first layer begin with, and of its symbols alone`() {
    let gru = LayerOptions(`Models of sequences`.gru(5), bidirectional: .concat)
    let taps = LayerOptions(
      .recurrent(cell: "dense", Dense.Options(hidden: 5, taps: 2)), bidirectional: .concat)
    func bytes(_ layer: LayerOptions, embedding: Int?, _ input: TaskSignature.Input) -> Double {
      let options = SequenceModelOptions(embedding: embedding, layers: [layer])
      let interface = TaskSignature(input: input, output: .symbols(6))
      return Tape.bytes(
        SequenceModel(options, interface: interface, seed: 1).plan, steps: 1000, streams: 2,
        derivatives: true)
    }
    // What is read takes no room at every step.
    #expect(bytes(gru, embedding: 3, .symbols(9)) < bytes(gru, embedding: nil, .frames(3)))
    #expect(bytes(taps, embedding: 3, .symbols(9)) < bytes(taps, embedding: 8, .symbols(9)))
  }

  @Test func `is what a language model begins with, unless something lies between`() {
    /// The memory of a long window tells which activations a plan has.
    func bytes(_ plan: Plan) -> Double {
      Tape.bytes(plan, steps: 1000, streams: 2, derivatives: true)
    }
    forEveryCell(hidden: Route.width) { name, cell, options in
      // In a model their layer keeps fewer states than that of the route.
      if cell is any MatrixStateCell.Type { return }
      var model = SequenceModelOptions(
        embedding: Route.width, layers: [LayerOptions(.recurrent(cell: name, options))])
      func plan() -> Plan { SequenceModel(model, vocabulary: vocabulary, seed: 1).plan }
      func route(gathered: Bool) -> Plan {
        Route(vocabulary: vocabulary, gathered: gathered) {
          make(cell, options, reading: $0, in: &$1)
        }.plan
      }
      #expect(bytes(plan()) == bytes(route(gathered: true)), "\(name) \(options)")
      // A row of what a delay line gives is no function of one symbol: every row is read.
      let readsOneSymbol = inputDelays(of: cell, options) == [0]
      #expect((bytes(route(gathered: true)) < bytes(route(gathered: false))) == readsOneSymbol)
      guard readsOneSymbol else { return }
      guard options.output == Route.width else { return }
      model.layers[0].residual = true
      #expect(bytes(plan()) > bytes(route(gathered: false)), "a shortcut reads every row")
      model.layers[0].residual = false
      model.dropout = 0.5
      #expect(bytes(plan()) > bytes(route(gathered: false)), "dropout reads every row")
    }
  }
}

private func make<Cell: RecurrentCell>(
  _ cell: Cell.Type, _ options: any CellOptions, reading source: LayerInput,
  isReversed: Bool = false,
  in plan: inout Plan
) -> any Layer {
  if let cell = cell as? any MatrixStateCell.Type {
    return makeWindowLayer(cell, options, reading: source, isReversed: isReversed, in: &plan)
  }
  return Recurrent<Cell>(
    options as! Cell.Options, reading: source, isReversed: isReversed, in: &plan)
}

private func makeWindowLayer<Cell: MatrixStateCell>(
  _ cell: Cell.Type, _ options: any CellOptions, reading source: LayerInput, isReversed: Bool,
  in plan: inout Plan
) -> any Layer {
  MatrixStateLayer<Cell>(
    options as! Cell.Options, reading: source, isReversed: isReversed, in: &plan)
}

@Suite struct `The different symbols of a window` {
  private func expectDistinct(_ inputs: [Int32], in batch: Batch) {
    var plan = Plan()
    _ = plan.activation(1)
    let tape = Tape(plan, steps: inputs.count, streams: 1, derivatives: false)
    batch.begin(steps: inputs.count, streams: 1)
    for (row, symbol) in inputs.enumerated() { batch.inputs.start[row] = symbol }
    _ = tape.pass(over: batch, weights: ParameterVector(ParameterLayout(plan)))
    var expected: [Int32] = []
    for symbol in inputs where !expected.contains(symbol) { expected.append(symbol) }
    #expect(Array(batch.distinct.symbols.elements(count: batch.distinct.count)) == expected)
    #expect(batch.distinct.places.elements(count: inputs.count).map { expected[Int($0)] } == inputs)
  }

  @Test
  func `are listed as they come first, in any order and number, in one batch after the other`() {
    let batch = Batch(rows: 300)
    let random = Philox(seed: 3, name: "symbols")
    for (number, range) in [300.0, 1, 7, 100_000, 2e9].enumerated() {
      for rows in [300, 1, 2, 299] {
        expectDistinct(
          (0..<rows).map { Int32(range * random.uniform(UInt64(1000 * number + $0))) }, in: batch)
      }
    }
    expectDistinct(Array(0..<300), in: batch)
    expectDistinct([Int32](repeating: .max, count: 300), in: batch)
  }

  @Test func `are told apart where all of them fall on one place of the table`() {
    // Multiples by 2³²/φ that share their ten highest bits, found by trying.
    let alike = (Int32(0)...).lazy.filter { (UInt32($0) &* 0x9E37_79B9) >> 22 == 1023 }.prefix(9)
    expectDistinct(Array(alike) + Array(alike).reversed() + [5], in: Batch(rows: 300))
    expectDistinct([77_777], in: Batch(rows: 1))
  }
}
