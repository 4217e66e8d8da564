public import Sequences

/// A task with generated examples: its options, and the generation of an example.
///
/// A configuration names it, `data: {task: copy, delay: 20}`, and gives its options beside the
/// name.
public protocol GeneratedTask: Codable, Equatable, Sendable {
  /// A line that describes inputs and targets.
  static var summary: String { get }
  /// The paper of the task.
  static var source: String { get }

  /// The names of the input symbols; empty if inputs are numbers.
  var inputs: [String] { get }
  /// The names of the target symbols; empty if targets are numbers.
  var outputs: [String] { get }
  var widths: Batch.Widths { get }
  /// True if an example has one target, at its end.
  var asksOnce: Bool { get }
  /// True if the target of each step is the input of the next.
  var asksForNextFrame: Bool { get }

  /// The possible ends of sequences; nil if outputs are not fed back, or come with given inputs.
  var ends: TaskSignature.Ends? { get }

  /// The fewest and the most steps of an example.
  func lengths(_ part: TaskPart) -> ClosedRange<Int>
  /// Returns the steps of an example, without making it if possible.
  func steps(_ part: TaskPart, _ draw: inout Draw) -> Int
  /// The width of the source's frames; 0 without a source.
  var sourceWidth: Int { get }
  /// The most frames of a source.
  var longestSource: Int { get }
  /// True if all examples have the same number of steps, and so have their sources.
  var isEven: Bool { get }
  /// Returns the steps of an example and of its source.
  func size(_ part: TaskPart, _ draw: inout Draw) -> (steps: Int, source: Int)
  func example(_ part: TaskPart, _ draw: inout Draw) -> Example
}

extension GeneratedTask {
  public var widths: Batch.Widths { Batch.Widths() }
  public var asksOnce: Bool { false }
  public var asksForNextFrame: Bool { false }
  public var ends: TaskSignature.Ends? { nil }
  public var sourceWidth: Int { 0 }
  public var longestSource: Int { 0 }
  public var isEven: Bool { TaskPart.allCases.allSatisfy { lengths($0).count == 1 } }
  public func size(_ part: TaskPart, _ draw: inout Draw) -> (steps: Int, source: Int) {
    (steps(part, &draw), 0)
  }

  public func steps(_ part: TaskPart, _ draw: inout Draw) -> Int {
    let lengths = lengths(part)
    return lengths.count == 1 ? lengths.lowerBound : example(part, &draw).steps
  }

  func isEqual(to other: any GeneratedTask) -> Bool { other as? Self == self }

  /// The inputs and outputs of a model for this task.
  public var interface: TaskSignature {
    TaskSignature(
      input: inputs.isEmpty ? .frames(widths.features) : .symbols(inputs.count),
      output: outputs.isEmpty ? .numbers(widths.values) : .symbols(outputs.count),
      condition: widths.condition, sourceFrames: sourceWidth, asksOnce: asksOnce, ends: ends)
  }
}

/// A part of the examples: the training part, which is new in every epoch, and two fixed parts.
public enum TaskPart: String, Sendable, CaseIterable {
  case train, valid, test
}
