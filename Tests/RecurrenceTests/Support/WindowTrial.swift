import LinearAlgebra
import Recurrence
import Sequences

/// A small model with its numbers and a batch of random symbols: input, hidden, streams, steps and
/// vocabulary are all different numbers.
struct WindowTrial {
  static let input = 3
  static let hidden = 5
  static let streams = 2
  static let steps = 4
  static let vocabulary = 7

  let model: SequenceModel
  let weights: ParameterVector
  let gradient: ParameterVector
  let tape: Tape
  let batch: Batch

  init(
    _ options: SequenceModelOptions, streams: Int = WindowTrial.streams,
    steps: Int = WindowTrial.steps,
    spread: Double = 0.4, objective: TrainingObjective = TrainingObjective(),
    keepsEveryStep: Bool = false
  ) {
    var options = options
    options.initializer = .uniform(spread)
    model = SequenceModel(options, vocabulary: Self.vocabulary, seed: 11, objective: objective)
    let layout = ParameterLayout(model.plan)
    weights = ParameterVector(layout)
    weights.initialize(seed: 5)
    // Learnt initial states start from zeros, which would hide that they are forgotten.
    weights.update { weights in
      for entry in layout.entries where entry.name.contains("initial_") {
        let random = Philox(seed: 6, name: entry.name)
        random.fillUniform(weights[entry], scale: 1)
      }
    }
    gradient = ParameterVector(layout)
    tape = Tape(
      keepsEveryStep ? model.plan.keepingEveryStep : model.plan, steps: steps, streams: streams,
      derivatives: true, resets: true)
    batch = Batch(rows: steps * streams)
  }

  /// A model of one cell between an embedding and an output layer.
  init<Cell: RecurrentCell>(
    _ name: String, _ cell: Cell.Type, _ options: any CellOptions,
    streams: Int = WindowTrial.streams,
    steps: Int = WindowTrial.steps
  ) {
    self.init(LayerOptions(.recurrent(cell: name, options)), streams: streams, steps: steps)
  }

  /// A model of one layer between an embedding and an output layer.
  init(
    _ layer: LayerOptions, streams: Int = WindowTrial.streams, steps: Int = WindowTrial.steps,
    keepsEveryStep: Bool = false
  ) {
    self.init(
      SequenceModelOptions(embedding: Self.input, layers: [layer]), streams: streams, steps: steps,
      keepsEveryStep: keepsEveryStep)
  }

  /// Fills the batch with the symbols of a window, `from` steps into it; resets are (step, stream).
  func fill(
    window: Int, streams: Int? = nil, steps: Int? = nil, firstStream: Int = 0, from: Int = 0,
    resets: [(Int, Int)] = []
  ) {
    let (streams, steps) = (streams ?? Self.streams, steps ?? Self.steps)
    batch.begin(steps: steps, streams: streams, firstStream: firstStream)
    batch.position = window * Self.steps + from
    batch.window = window
    for t in 0..<steps {
      for s in 0..<streams {
        batch.inputs.start[t * streams + s] = symbol(batch.position + t, firstStream + s)
        batch.targets.start[t * streams + s] = symbol(batch.position + t + 1, firstStream + s)
        batch.resets.start[t * streams + s] = 0
      }
    }
    for (t, s) in resets { batch.resets.start[t * streams + s] = 1 }
    batch.hasResets = !resets.isEmpty
  }

  private func symbol(_ t: Int, _ stream: Int) -> Int32 {
    let random = Philox(seed: 3, name: "symbols of \(stream)")
    return Int32(random.uniform(UInt64(t)) * Double(Self.vocabulary))
  }

  /// The loss of the batch; with derivatives in `gradient` if asked.
  @discardableResult
  func run(training: Bool) -> Double {
    let pass = tape.begin(batch, weights: weights, gradient: training ? gradient : nil)
    if training { gradient.buffer.clear() }
    model.forward(pass)
    if training { model.backward(pass) }
    return pass.loss.sum
  }
}

/// Calls `body` for every cell and every variant of its options.
func forEveryCell(
  hidden: Int, _ body: (String, any RecurrentCell.Type, any CellOptions) throws -> Void
) rethrows {
  for (name, cell) in cells.sorted(by: { $0.key < $1.key }) {
    for options in variants(of: cell, hidden: hidden) { try body(name, cell, options) }
  }
}

/// The settings of a layer around its cell.
let settings: [(name: String, setting: @Sendable (inout LayerOptions) -> Void)] = [
  ("", { _ in }),
  ("from a learnt state", { $0.surroundings.initialState = .learnt }),
  ("from e0", { $0.surroundings.initialState = .e0 }),
  ("feeding back", { $0.surroundings.feedback = FeedbackOptions(width: 4) }),
  ("fed the last target", { $0.surroundings.feedsTargets = true }),
  ("with zoneout", { $0.surroundings.zoneout = 0.2 }),
  (
    "with zoneout, feeding back from a learnt state",
    {
      $0.surroundings = RecurrentLayerOptions(
        initialState: .learnt, feedback: FeedbackOptions(width: 6), zoneout: 0.3)
    }
  ),
  (
    "feeding back from a learnt state",
    {
      $0.surroundings = RecurrentLayerOptions(
        initialState: .learnt, feedback: FeedbackOptions(width: 6, nonlinearity: .sigmoid))
    }
  ),
]

/// Calls `body` for a layer of every cell and every variant of its options, in every setting.
func forEveryLayer(_ body: (String, LayerOptions) throws -> Void) rethrows {
  try forEveryCell(hidden: WindowTrial.hidden) { name, _, options in
    for (words, setting) in settings {
      var layer = LayerOptions(.recurrent(cell: name, options))
      setting(&layer)
      try body("\(name) \(options) \(words)", layer)
    }
  }
}

private func variants<Cell: RecurrentCell>(
  of cell: Cell.Type, hidden: Int
) -> [any CellOptions] {
  Cell.variants(hidden: hidden)
}

/// How many steps late a cell reads its input.
func inputDelays<Cell: RecurrentCell>(
  of cell: Cell.Type, _ options: any CellOptions
) -> [Int] {
  Cell.inputDelays(options as! Cell.Options)
}

/// How many steps late a layer reads its input.
func inputDelays(of layer: LayerOptions) -> [Int] {
  guard case .recurrent(let name, let options) = layer.kind else { return [0] }
  return inputDelays(of: cells[name]!, options)
}
