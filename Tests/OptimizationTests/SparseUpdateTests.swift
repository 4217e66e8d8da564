import LinearAlgebra
import Optimization
import Recurrence
import Sequences
import Testing

/// Updates that pass over the rows of an embedding which no window has read, against updates that do not.
@Suite struct `Sparse updates` {
  static let vocabulary = 90
  static let model = SequenceModel(
    SequenceModelOptions(
      embedding: 5, layers: [LayerOptions(.recurrent(cell: "gru", GRU.Options(hidden: 7)))]),
    vocabulary: vocabulary, seed: 1)
  static let layout = ParameterLayout(model.plan)
  static let table = layout.entry(named: "encoder.weight")!

  /// The symbols of the windows of a run.
  static let runs: [(String, [[Int32]])] = [
    ("few", [[3, 3, 7, 70], [7, 71, 72, 0], [89, 3, 7, 3], [1, 1, 1, 2]]),
    ("one", [[5, 5], [5, 5, 5], [5]]),
    ("all", [Array(0..<90), Array(0..<90).reversed(), [4, 4]]),
  ]
  static let clips = [
    #"{}"#, #"{"norm": 0.1}"#,
    #"{"value": 0.02, "adaptive": 0.05, "per_parameter": 0.3, "norm": 0.2}"#,
  ]

  /// A run over some windows.
  struct Result: Equatable {
    var weights: [UInt32]
    var moments: [[UInt32]]
    var gradient: [UInt32]
    /// Each norm and scale in words, so that one that is not a number equals itself.
    var clipped: [String]
  }

  /// - Parameter isSparse: whether the gradient may know which rows were touched.
  func run(
    _ configuration: OptimizerConfiguration, _ clip: String, _ windows: [[Int32]], isSparse: Bool
  ) throws -> Result {
    let clipper = Clipper(try decode(ClipOptions.self, clip))
    let optimizer = configuration.makeOptimizer(for: Self.layout)
    let (weights, gradient) = (ParameterVector(Self.layout), ParameterVector(Self.layout))
    weights.initialize(seed: 4)
    let tape = Tape(Self.model.plan, steps: 90, streams: 1, derivatives: true)
    let batch = Batch(rows: 90)
    var clips: [Clipped] = []
    for (number, symbols) in windows.enumerated() {
      batch.begin(steps: symbols.count, streams: 1)
      for (row, symbol) in symbols.enumerated() {
        batch.inputs.elements()[row] = symbol
        batch.targets.elements()[row] = symbols[(row + 1) % symbols.count]
      }
      // A vector that was never cleared takes every row for touched.
      if isSparse { gradient.clear() } else { gradient.buffer.clear() }
      let pass = tape.begin(batch, weights: weights, gradient: gradient)
      Self.model.forward(pass)
      Self.model.backward(pass)
      clips.append(clipper.clip(gradient, weights: weights, scale: 1 / Double(symbols.count)))
      // The second step is skipped, as for a number that is not finite.
      if number == 1 { continue }
      optimizer.update(weights, gradient: gradient, rate: 0.05, scale: clips.last!.scale)
    }
    let touched = gradient.touchedRows(Self.table.parameter)!
    #expect(touched.count == (isSparse ? Set(windows.last!).count : Self.vocabulary))
    return Result(
      weights: weights.bits, moments: optimizer.moments.map(\.vector.bits),
      gradient: gradient.bits, clipped: clips.map { "\($0)" })
  }

  @Test(arguments: runs.map(\.0), clips)
  func `give the same bits for every rule with every option`(
    _ name: String, _ clip: String
  ) throws {
    let windows = Self.runs.first { $0.0 == name }!.1
    let reference = try Reference.load()
    for configuration in reference.cases.map(\.configuration) {
      let isSame =
        try run(configuration, clip, windows, isSparse: true)
        == run(configuration, clip, windows, isSparse: false)
      #expect(isSame, "\(configuration), \(name), \(clip)")
    }
  }

  @Test
  func `leave every other row alone, whatever its gradient holds, where zeros change nothing`()
    throws
  {
    let rules = [
      (#"{"rule": "sgd"}"#, true), (#"{"rule": "adagrad"}"#, true),
      (#"{"rule": "sgd", "momentum": 0.9}"#, false), (#"{"rule": "adam"}"#, false),
      (#"{"rule": "sgd", "weight_decay": 0.1}"#, false),
      (#"{"rule": "adagrad", "weight_decay": 0.1}"#, false),
      (#"{"rule": "rmsprop"}"#, false),
    ]
    let (first, last) = (Self.table.offset, Self.table.range.upperBound)
    for (rule, isSparse) in rules {
      let optimizer = try decode(OptimizerConfiguration.self, rule).makeOptimizer(for: Self.layout)
      let (weights, gradient) = (ParameterVector(Self.layout), ParameterVector(Self.layout))
      weights.initialize(seed: 4)
      let before = weights.bits
      gradient.clear()
      let touched = gradient.touchedRows(Self.table.parameter)!
      for row in [2, 3, 88] { touched.insert(row) }
      // Nobody may look at what lies in other rows.
      for place in first..<last { gradient.buffer.elements()[place] = .nan }
      for row in [2, 3, 88] { gradient[Self.table][row].elements.update(repeating: 0.5) }
      let clipped = Clipper(try decode(ClipOptions.self, Self.clips[2]))
        .clip(gradient, weights: weights, scale: 1)
      #expect(clipped.norm.isFinite && clipped.norm > 0)
      optimizer.update(weights, gradient: gradient, rate: 0.1, scale: 1)
      for place in 0..<before.count {
        let row = (place - first) / Self.table.columns
        let isTouched = place >= first && place < last && [2, 3, 88].contains(row)
        if isTouched { #expect(weights.bits[place] != before[place], "\(rule), row \(row)") }
        if isSparse && place >= first && !isTouched {
          #expect(weights.bits[place] == before[place])
        }
      }
      // The others do read every row: the test above would notice.
      let isFinite = weights.buffer.elements(from: first, count: last - first).allSatisfy(
        \.isFinite)
      #expect(isFinite == isSparse, "\(rule)")
    }
  }
}
