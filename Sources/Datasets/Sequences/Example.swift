public import LinearAlgebra
public import Sequences

/// One training sequence.
///
/// Each of its `steps` steps has a symbol or a frame of numbers as input, and a symbol, numbers or
/// nothing as target.
public struct Example: Equatable, Sendable {
  /// The input symbol of each step; empty if inputs are frames.
  public var inputs: [Int32] = []
  /// The input frames, one after another; empty if inputs are symbols.
  public var frames: [Real] = []
  /// The target symbol of each step, `Batch.noTarget` or `Batch.end`; 0 if the target is numbers.
  public var targets: [Int32] = []
  /// The target numbers, a row per step (any numbers without a target); empty if targets are
  /// symbols.
  public var values: [Real] = []
  /// The numbers of the condition; empty for none.
  public var condition: [Real] = []
  /// The classes of the condition, as numbers; empty for none.
  public var classes: [Int32] = []
  /// The source symbols; empty for none.
  public var source: [Int32] = []
  /// The source frames; empty unless the source is frames.
  public var sourceFrames = Frames()

  public init() {}

  /// The number of steps of the source.
  public var sourceSteps: Int { sourceFrames.width > 0 ? sourceFrames.steps : source.count }

  public var steps: Int { targets.count }
  /// The number of steps, without one whose target is end-of-sequence.
  public var outputs: Int { targets.last == Batch.end ? steps - 1 : steps }
}

extension Example {
  /// True if any step has a target.
  var asks: Bool { targets.contains { $0 != Batch.noTarget } }

  /// True if the last step, and no other, has a target.
  var asksAtItsEnd: Bool {
    targets.last != Batch.noTarget && targets.dropLast().allSatisfy { $0 == Batch.noTarget }
  }

  /// True if every step has numbers as target, and the input of each step is the target of the step
  /// before.
  var readsItsValues: Bool {
    guard steps > 0, !frames.isEmpty, frames.count == values.count else { return false }
    guard !targets.contains(Batch.noTarget) else { return false }
    return frames.dropFirst(frames.count / steps).elementsEqual(
      values.dropLast(values.count / steps))
  }

  /// True if the input of each step is the target of the step before.
  var readsItsTargets: Bool {
    values.isEmpty ? inputs.dropFirst().elementsEqual(targets.dropLast()) : readsItsValues
  }
}

/// The properties that all examples of a set share.
public struct ExampleShape: Hashable, Sendable {
  /// The widths of frames, targets and conditions; 0 for those that examples do not have.
  public var widths: Batch.Widths
  /// True if examples have a source.
  public var hasSource: Bool
  /// The width of the source's frames; 0 if the source is symbols.
  public var sourceWidth: Int
  /// True if all examples have the same number of steps, and so have their sources.
  public var isEven: Bool

  public init(
    widths: Batch.Widths = Batch.Widths(), hasSource: Bool = false, sourceWidth: Int = 0,
    isEven: Bool = false
  ) {
    self.sourceWidth = sourceWidth
    self.widths = widths
    self.hasSource = hasSource
    self.isEven = isEven
  }
}

/// A set of sequences, from files or from a generator.
///
/// An example depends only on its index and the epoch, so that every rank can get any example.
public protocol ExampleSet: Sendable {
  /// The name in messages: a path, or the name of a task.
  var name: String { get }
  /// The number of examples per epoch.
  var count: Int { get }
  var shape: ExampleShape { get }
  /// True if the examples of each epoch are new.
  var isFresh: Bool { get }
  /// True if examples are generated when they are read, and therefore not sorted by length.
  var isGenerated: Bool { get }
  /// The most steps of an example and of its source.
  var longest: (steps: Int, source: Int) { get }
  /// Returns the steps of an example and of its source, without making the example if possible.
  func steps(of index: Int, epoch: Int) -> (steps: Int, source: Int)
  func example(_ index: Int, epoch: Int) -> Example
  /// A hash of the examples, or of the options that generate them.
  var hash: UInt64 { get }
  /// Returns a loader for one rank of the batches of these examples.
  func loader(_ request: LoaderRequest) throws(DataError) -> any BatchLoader
}

extension ExampleSet {
  public var isFresh: Bool { false }
  public var isGenerated: Bool { isFresh }
  public func loader(_ request: LoaderRequest) throws(DataError) -> any BatchLoader {
    try SequenceLoader(self, request)
  }
}
