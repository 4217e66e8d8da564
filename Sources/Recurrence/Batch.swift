public import LinearAlgebra

/// One window of parallel streams, time-major: row `t · streams + s` is step t of stream s.
///
/// Streams of a running text all have `steps` steps. Whole sequences are padded to the longest: stream s
/// has `lengths[s]` of them, nothing is asked for after its end, and `resets` is 1 there, so that
/// whatever a cell computes of padding stays small.
public final class Batch: @unchecked Sendable {
  /// A target that asks for nothing: the head leaves the row out.
  public static let noTarget: Int32 = -1
  /// A target that asks for the end of the sequence alone: the step after its last output.
  public static let end: Int32 = -2

  /// How many numbers a window holds besides symbols.
  public struct Widths: Hashable, Sendable {
    /// Of what is read at a step, where that is a frame of numbers and no symbol.
    public var features: Int
    /// Of what is to be predicted at a step, where that is numbers and no symbol.
    public var values: Int
    /// Of what is known of a whole stream.
    public var condition: Int
    /// Of the classes that are known of a whole stream.
    public var classes: Int

    public init(features: Int = 0, values: Int = 0, condition: Int = 0, classes: Int = 0) {
      self.features = features
      self.values = values
      self.condition = condition
      self.classes = classes
    }
  }

  /// The symbol read at each step.
  public let inputs: Buffer<Int32>
  /// The symbol to be predicted at each step, `noTarget` or `end`; where numbers are to be predicted, 0,
  /// `noTarget` or `end`.
  public let targets: Buffer<Int32>
  /// 1 where the stream starts anew: its state is its initial one before it reads this step's input.
  public let resets: Buffer<UInt8>
  /// Whether any entry of `resets` is 1; must be set by whoever fills in the batch.
  public var hasResets = false

  public let widths: Widths
  /// The frame read at each step, rows × `widths.features`.
  public let features: Buffer<Real>
  /// The numbers to be predicted at each step, rows × `widths.values`.
  public let values: Buffer<Real>
  /// What is known of each stream, streams × `widths.condition`.
  public let condition: Buffer<Real>
  /// The classes that are known of each stream, streams × `widths.classes`, each by its number.
  public let classes: Buffer<Int32>
  /// The number of steps of each stream; `begin` sets all of them to `steps`.
  public let lengths: Buffer<Int32>
  /// The number of outputs of each stream's whole sequence, for models that know it before its first
  /// step; `begin` sets all of them to 0.
  public let totals: Buffer<Int32>
  /// What random numbers of each stream are keyed by: the index of a stream or of a sequence over all
  /// ranks, so that they depend on no number of ranks; `begin` counts from `firstStream`.
  public let keys: Buffer<Int32>
  /// What an encoder reads: the same streams, with steps of their own.
  public let source: Batch?
  /// Where rows are nodes of trees, what connects them.
  public let forest: Forest?

  /// The outputs that layers are fed at the next step in place of the targets of each step, like `targets` and
  /// `values`; empty unless there is room for predictions.
  private(set) var fed = Buffer<Int32>(count: 0)
  private(set) var fedValues = Buffer<Real>(count: 0)
  /// Says whether layers are fed these and not the targets; `begin` says no.
  var feedsPredictions = false

  /// The different ones of `inputs`, as the last `Pass` over this batch found them.
  public let distinct: DistinctSymbols

  public private(set) var steps = 0
  public private(set) var streams = 0
  /// The number of streams, or of sequences or trees where these are read.
  public var sequences: Int { forest.map(\.treeCount) ?? streams }
  /// Epochs from 1 and the position of step 0 in its stream: with `keys`, what dropout is keyed by.
  public var epoch = 1
  public var position = 0
  /// How many steps before step 0 have the same variational mask: those of its window, of a batch that
  /// is a part of one, and of its sequences, of a window that does not begin them.
  public var origin = 0

  /// Room for up to `rows` rows of steps × streams, of up to `streams` streams (as many as rows unless
  /// given).
  public init(
    rows: Int, streams: Int? = nil, widths: Widths = Widths(), source: Batch? = nil,
    forest: Forest? = nil
  ) {
    let most = streams ?? rows
    inputs = Buffer(count: rows)
    targets = Buffer(count: rows)
    resets = Buffer(count: rows)
    self.widths = widths
    features = Buffer(count: rows * widths.features)
    values = Buffer(count: rows * widths.values)
    condition = Buffer(count: most * widths.condition)
    classes = Buffer(count: most * widths.classes)
    lengths = Buffer(count: most)
    totals = Buffer(count: most)
    keys = Buffer(count: most)
    distinct = DistinctSymbols(rows: rows)
    self.source = source
    self.forest = forest
  }

  /// Lays the batch out for a window; whoever calls fills in every row.
  /// - Parameter firstStream: the index of stream 0 over all ranks.
  public func begin(steps: Int, streams: Int, firstStream: Int = 0) {
    precondition(
      steps * streams <= inputs.count && streams <= lengths.count,
      "a window of \(steps) × \(streams) in a batch of \(inputs.count) rows")
    self.steps = steps
    self.streams = streams
    hasResets = false
    feedsPredictions = false
    position = 0
    origin = 0
    totals.clear(0..<streams)
    let (lengths, keys) = (lengths.elements(count: streams), keys.elements(count: streams))
    for s in 0..<streams {
      lengths[s] = Int32(steps)
      keys[s] = Int32(firstStream + s)
    }
  }

  /// Makes room for outputs that are fed in place of the targets.
  func makeRoomForPredictions() {
    guard fed.count < inputs.count else { return }
    fed = Buffer(count: inputs.count)
    fedValues = Buffer(count: values.count)
  }

  public var rows: Int { steps * streams }

  /// The index of stream 0 over all ranks.
  public var firstStream: Int { Int(keys.start[0]) }

  /// What is read at each step as a matrix, rows × `widths.features`.
  public var featureRows: Matrix { Matrix(features, rows: rows, columns: widths.features) }
  /// What is to be predicted at each step as a matrix, rows × `widths.values`.
  public var valueRows: Matrix { Matrix(values, rows: rows, columns: widths.values) }
  /// The numbers fed in place of `valueRows`.
  var fedRows: Matrix { Matrix(fedValues, rows: rows, columns: widths.values) }
  /// What is known of each stream as a matrix, streams × `widths.condition`.
  public var conditionRows: Matrix {
    Matrix(condition, rows: streams, columns: widths.condition)
  }

  /// Marks everything after the streams' ends: nothing is asked for there, states stay initial, and
  /// frames are zero, or a number that is none would spoil gradients.
  public func pad() {
    let (lengths, targets) = (lengths.elements(count: streams), targets.elements(count: rows))
    let resets = resets.elements(count: rows)
    for s in 0..<streams where Int(lengths[s]) < steps {
      hasResets = true
      for t in Int(lengths[s])..<steps {
        targets[t * streams + s] = Self.noTarget
        resets[t * streams + s] = 1
        if widths.features > 0 { featureRows[t * streams + s].fill(0) }
      }
    }
  }

  /// Takes over what random numbers are keyed by: the streams are the same.
  func follow(_ batch: Batch) {
    epoch = batch.epoch
    guard streams == batch.streams else { return }
    keys.start.update(from: batch.keys.start, count: streams)
  }

  /// The part of the window that lies on an axis.
  func on(_ axis: Axis) -> Batch {
    if axis == .time || axis == .stream { return self }
    guard let source else { preconditionFailure("a batch without the axis \(axis.index)") }
    return source
  }

  /// Finds the different inputs; a `Pass` does it when it begins, so nobody who fills in a batch has to.
  func findDistinct() { distinct.find(in: inputs, rows: rows) }

  /// Whether anything is to be predicted in a row but the end of its sequence.
  func hasTarget(_ row: Int) -> Bool { targets.start[row] >= 0 }

  /// Whether a row asks for the end of its sequence.
  func asksForEnd(_ row: Int) -> Bool { targets.start[row] == Self.end }

  /// How many outputs of stream s come at step t or later: τ − t.
  func remaining(_ t: Int, _ s: Int) -> Int { max(Int(totals.start[s]) - position - t, 0) }
}
