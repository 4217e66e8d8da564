public import Recurrence

/// A task whose examples are made up: its options, and how an example is drawn.
///
/// A configuration names it, `data: {task: copy, delay: 20}`, and gives its options beside the name.
public protocol GeneratedTask: Codable, Equatable, Sendable {
  /// What is read and asked for, in a line.
  static var summary: String { get }
  /// The paper that it is from.
  static var source: String { get }

  /// The names of the symbols read; none where numbers are.
  var inputs: [String] { get }
  /// The names of the symbols asked for; none where numbers are.
  var outputs: [String] { get }
  var widths: Batch.Widths { get }
  /// Whether an example asks for one answer, at its end.
  var asksOnce: Bool { get }
  /// Whether what is asked for at a step is what the next one reads.
  var asksForNextFrame: Bool { get }

  /// How sequences may end; nil where outputs are not read again, or come with inputs that are given.
  var ends: TaskSignature.Ends? { get }

  /// The fewest and the most steps of an example.
  func lengths(_ part: TaskPart) -> ClosedRange<Int>
  /// The steps of an example, without making it where that is possible.
  func steps(_ part: TaskPart, _ draw: inout Draw) -> Int
  /// The numbers of a frame that an encoder reads; 0 where there is nothing to encode.
  var sourceWidth: Int { get }
  /// The most frames that an encoder reads.
  var longestSource: Int { get }
  /// Says whether all examples have the same number of steps, and so do their sources.
  var isEven: Bool { get }
  /// The steps of an example and of its source.
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

  /// What a model of this task reads and predicts.
  public var interface: TaskSignature {
    TaskSignature(
      input: inputs.isEmpty ? .frames(widths.features) : .symbols(inputs.count),
      output: outputs.isEmpty ? .numbers(widths.values) : .symbols(outputs.count),
      condition: widths.condition, sourceFrames: sourceWidth, asksOnce: asksOnce, ends: ends)
  }
}

/// The examples to train on, which are new ones in every epoch, and two fixed sets to measure on.
public enum TaskPart: String, Sendable, CaseIterable {
  case train, valid, test
}
