public import LinearAlgebra

/// One window of parallel streams, time-major: row `t · streams + s` is step t of stream s.
///
/// Streams of a running text all have `steps` steps. Whole sequences are padded to the longest:
/// stream s has `lengths[s]` steps. After its end it has no targets, and `resets` is 1 there, so
/// that padding cannot make a state grow.
public final class Batch: @unchecked Sendable {
  /// The target of a row without a target: the head skips the row.
  public static let noTarget: Int32 = -1
  /// The target of the step after the last output, at which only end-of-sequence is predicted.
  public static let end: Int32 = -2

  /// The widths of the arrays that a window holds besides symbols.
  public struct Widths: Hashable, Sendable {
    /// The numbers of an input frame; 0 if inputs are symbols.
    public var features: Int
    /// The numbers to predict at a step; 0 if targets are symbols.
    public var values: Int
    /// The numbers in the condition of a stream.
    public var condition: Int
    /// The classes in the condition of a stream.
    public var classes: Int

    public init(features: Int = 0, values: Int = 0, condition: Int = 0, classes: Int = 0) {
      self.features = features
      self.values = values
      self.condition = condition
      self.classes = classes
    }
  }

  /// The input symbol of each step.
  public let inputs: Buffer<Int32>
  /// The target symbol of each step, `noTarget` or `end`. If targets are numbers: 0, `noTarget` or
  /// `end`.
  public let targets: Buffer<Int32>
  /// 1 where a stream starts anew: its state becomes the initial state before the step reads its
  /// input.
  public let resets: Buffer<UInt8>
  /// True if any entry of `resets` is 1. The code that fills the batch sets it.
  public var hasResets = false

  public let widths: Widths
  /// The input frame of each step, rows × `widths.features`.
  public let features: Buffer<Real>
  /// The target numbers of each step, rows × `widths.values`.
  public let values: Buffer<Real>
  /// The condition of each stream, streams × `widths.condition`.
  public let condition: Buffer<Real>
  /// The classes of each stream's condition, streams × `widths.classes`; each is an index.
  public let classes: Buffer<Int32>
  /// The number of steps of each stream; `begin` sets all of them to `steps`.
  public let lengths: Buffer<Int32>
  /// The number of outputs of each stream's whole sequence, for models with length prediction;
  /// `begin` sets all of them to 0.
  public let totals: Buffer<Int32>
  /// The key of each stream's random numbers: the index of the stream or sequence over all ranks,
  /// so that random numbers do not depend on the world size. `begin` counts from `firstStream`.
  public let keys: Buffer<Int32>
  /// The source for an encoder: the same streams, with steps of their own.
  public let source: Batch?
  /// The edges between rows, if rows are nodes of trees.
  public let forest: Forest?

  /// The outputs that layers with target feedback read in place of the targets, stored like
  /// `targets` and `values`; empty until `makeRoomForPredictions` is called.
  package private(set) var fed = Buffer<Int32>(count: 0)
  package private(set) var fedValues = Buffer<Real>(count: 0)
  /// True if layers read these outputs and not the targets; `begin` sets it to false.
  package var feedsPredictions = false

  /// The distinct symbols among `inputs`, as the last `Pass` over this batch found them.
  public let distinct: DistinctSymbols

  public private(set) var steps = 0
  public private(set) var streams = 0
  /// The number of streams, which may be whole sequences, or of trees.
  public var sequences: Int { forest.map(\.treeCount) ?? streams }
  /// The epoch, from 1, and the position of step 0 in its stream. Together with `keys` they are the
  /// key of dropout.
  public var epoch = 1
  public var position = 0
  /// The number of updates of the weights before the one for this window, the key of the samples of a
  /// sampled softmax. The trainer sets it.
  public var step = 0
  /// The number that tells this window from the others of its epoch, the same on every rank. With
  /// the epoch it is the key of masks that all streams share.
  public var window = 0
  /// The number of steps before step 0 that have the same variational mask: earlier steps of the
  /// same window if this batch is a part of a window, or of the same sequences if the window
  /// continues them.
  public var origin = 0
  /// The window of which this batch is a part, and the index there of its first step; nil for a
  /// whole window.
  public private(set) var whole: Batch?
  public private(set) var firstStep = 0

  /// Allocates memory for up to `rows` rows of steps × streams, and for up to `streams` streams
  /// (default: `rows`).
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

  /// Lays the batch out for a window. The caller fills in every row.
  /// - Parameters:
  ///   - steps: The number of time steps of the window.
  ///   - streams: The number of streams, side by side in each step.
  ///   - firstStream: The index of stream 0 over all ranks.
  public func begin(steps: Int, streams: Int, firstStream: Int = 0) {
    precondition(
      steps * streams <= inputs.count && streams <= lengths.count,
      "a window of \(steps) × \(streams) in a batch of \(inputs.count) rows")
    self.steps = steps
    self.streams = streams
    hasResets = false
    feedsPredictions = false
    position = 0
    window = 0
    origin = 0
    (whole, firstStep) = (nil, 0)
    totals.clear(0..<streams)
    let (lengths, keys) = (lengths.elements(count: streams), keys.elements(count: streams))
    for s in 0..<streams {
      lengths[s] = Int32(steps)
      keys[s] = Int32(firstStream + s)
    }
  }

  /// Allocates memory for outputs that replace the targets.
  package func makeRoomForPredictions() {
    guard fed.count < inputs.count else { return }
    fed = Buffer(count: inputs.count)
    fedValues = Buffer(count: values.count)
  }

  public var rows: Int { steps * streams }

  /// The index of stream 0 over all ranks.
  public var firstStream: Int { Int(keys.start[0]) }

  /// The input frames as a matrix, rows × `widths.features`.
  public var featureRows: Matrix { Matrix(features, rows: rows, columns: widths.features) }
  /// The target numbers as a matrix, rows × `widths.values`.
  public var valueRows: Matrix { Matrix(values, rows: rows, columns: widths.values) }
  /// The numbers that replace `valueRows` in target feedback.
  package var fedRows: Matrix { Matrix(fedValues, rows: rows, columns: widths.values) }
  /// The conditions as a matrix, streams × `widths.condition`.
  public var conditionRows: Matrix {
    Matrix(condition, rows: streams, columns: widths.condition)
  }

  /// Copies the frames of a stream. The caller pads the steps after its end with `pad`.
  public func fill(_ frames: Frames, of s: Int) {
    precondition(frames.width == widths.features, "frames of \(frames.width) numbers")
    for t in 0..<frames.steps {
      let row = featureRows[t * streams + s]
      for j in 0..<frames.width { row[j] = frames.numbers[t * frames.width + j] }
    }
  }

  /// Marks the steps after the streams' ends as padding: no target, and a reset state. Sets their
  /// frames to zero, because a NaN there would spoil gradients.
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

  /// Marks the batch as a part of a window that begins at one of its steps.
  package func become(partOf window: Batch, from step: Int) {
    (whole, firstStep) = (window, step)
  }

  /// Copies the epoch and the keys of random numbers from a batch of the same streams.
  package func follow(_ batch: Batch) {
    epoch = batch.epoch
    window = batch.window
    guard streams == batch.streams else { return }
    keys.start.update(from: batch.keys.start, count: streams)
  }

  /// Finds the distinct inputs. A `Pass` does it at its start, so code that fills a batch need not.
  package func findDistinct() { distinct.find(in: inputs, rows: rows) }

  /// True if the row has a target other than end-of-sequence.
  package func hasTarget(_ row: Int) -> Bool { targets.start[row] >= 0 }

  /// True if the target of the row is end-of-sequence.
  package func asksForEnd(_ row: Int) -> Bool { targets.start[row] == Self.end }

  /// Returns the number of outputs of stream s at step t or later: τ − t.
  package func remaining(_ t: Int, _ s: Int) -> Int { max(Int(totals.start[s]) - position - t, 0) }
}
