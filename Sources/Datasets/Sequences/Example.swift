public import LinearAlgebra
public import Recurrence

/// One sequence and what is to be learnt of it.
///
/// Of `steps` steps each reads a symbol or a frame of numbers, and asks for a symbol, for numbers,
/// or for nothing.
public struct Example: Equatable, Sendable {
  /// The symbol read at each step; empty where frames are read.
  public var inputs: [Int32] = []
  /// The frames read, one after the other; empty where symbols are read.
  public var frames: [Real] = []
  /// The symbol asked for at each step, `Batch.noTarget` or `Batch.end`; 0 where numbers are asked
  /// for.
  public var targets: [Int32] = []
  /// The numbers asked for, a row for each step (any where nothing is asked for); empty where
  /// symbols are.
  public var values: [Real] = []
  /// What is known of the whole sequence, a vector; empty for nothing.
  public var condition: [Real] = []
  /// The classes that are known of the whole sequence, each by its number; empty for none.
  public var classes: [Int32] = []
  /// What an encoder reads before; empty for nothing.
  public var source: [Int32] = []
  /// The input of an encoder that reads frames; none for any other.
  public var sourceFrames = Frames()

  public init() {}

  /// The steps of what an encoder reads.
  public var sourceSteps: Int { sourceFrames.width > 0 ? sourceFrames.steps : source.count }

  public var steps: Int { targets.count }
  /// The steps but the one that asks for the end by itself.
  public var outputs: Int { targets.last == Batch.end ? steps - 1 : steps }
}

extension Example {
  /// Whether any step asks for something.
  var asks: Bool { targets.contains { $0 != Batch.noTarget } }

  /// Whether the last step asks for something and no other does.
  var asksAtItsEnd: Bool {
    targets.last != Batch.noTarget && targets.dropLast().allSatisfy { $0 == Batch.noTarget }
  }

  /// Whether every step asks for numbers, and reads those that the step before asked for.
  var readsItsValues: Bool {
    guard steps > 0, !frames.isEmpty, frames.count == values.count else { return false }
    guard !targets.contains(Batch.noTarget) else { return false }
    return frames.dropFirst(frames.count / steps).elementsEqual(
      values.dropLast(values.count / steps))
  }

  /// Whether each step reads what the step before asked for, so that it is known by then.
  var readsItsTargets: Bool {
    values.isEmpty ? inputs.dropFirst().elementsEqual(targets.dropLast()) : readsItsValues
  }
}

/// What all examples of a set have in common.
public struct ExampleShape: Hashable, Sendable {
  /// Of frames, values and the condition; 0 for what examples do not have.
  public var widths: Batch.Widths
  /// Whether there is a source to encode.
  public var hasSource: Bool
  /// The numbers of a frame of the source; 0 where symbols are encoded.
  public var sourceWidth: Int
  /// Whether all have the same number of steps, and so do their sources.
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
/// An example is a function of the epoch and of its index alone, so that every rank can ask for
/// any.
public protocol ExampleSet: Sendable {
  /// What sentences call it: a path, or the name of a task.
  var name: String { get }
  /// The number of examples of an epoch.
  var count: Int { get }
  var shape: ExampleShape { get }
  /// Whether an epoch's examples differ from those of the epoch before.
  var isFresh: Bool { get }
  /// Whether examples are made when they are asked for, and so not sorted by their lengths.
  var isGenerated: Bool { get }
  /// The most steps that an example and its source have.
  var longest: (steps: Int, source: Int) { get }
  /// The steps of an example and of its source, without making it where that is possible.
  func steps(of index: Int, epoch: Int) -> (steps: Int, source: Int)
  func example(_ index: Int, epoch: Int) -> Example
  /// Identifies the examples by what is in them or by what generates them.
  var hash: UInt64 { get }
  /// The batches of these examples, as a rank reads them.
  func loader(_ request: LoaderRequest) throws(DataError) -> any BatchLoader
}

extension ExampleSet {
  public var isFresh: Bool { false }
  public var isGenerated: Bool { isFresh }
  public func loader(_ request: LoaderRequest) throws(DataError) -> any BatchLoader {
    try SequenceLoader(self, request)
  }
}
