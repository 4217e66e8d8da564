/// The parity of a string of 0 and 1: whether it has an odd number of 1. The target is at its end.
///
/// Both answers are equally likely, and so are all lengths. The lengths of the test may differ from
/// those of training, because a model that has learnt the rule needs no examples of a length.
public struct Parity: GeneratedTask {
  public static let summary = "whether the number of 1 among 0 and 1 is odd, at the end"
  public static let source = "Minsky & Papert 1969"

  public var trainLength, testLength: ClosedRange<Int>

  public init(trainLength: ClosedRange<Int> = 1...10, testLength: ClosedRange<Int> = 40...60) {
    self.trainLength = trainLength
    self.testLength = testLength
  }

  private enum Key: String, CodingKey {
    case trainLength = "train_length"
    case testLength = "test_length"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Key.self)
    trainLength = try keys.lengths(.trainLength, default: 1...10)
    testLength = try keys.lengths(.testLength, default: 40...60)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: Key.self)
    try keys.encode([trainLength.lowerBound, trainLength.upperBound], forKey: .trainLength)
    try keys.encode([testLength.lowerBound, testLength.upperBound], forKey: .testLength)
  }

  static let automaton = Automaton([[0, 1], [1, 0]], accepting: [1])

  public var inputs: [String] { ["0", "1"] }
  public var outputs: [String] { ["even", "odd"] }
  public var asksOnce: Bool { true }

  public func lengths(_ part: TaskPart) -> ClosedRange<Int> {
    part == .test ? testLength : trainLength
  }

  public func example(_ part: TaskPart, _ draw: inout Draw) -> Example {
    Self.automaton.example(lengths(part), &draw)
  }
}
