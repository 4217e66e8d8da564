/// Membership of a string of 0 and 1 in one of seven languages; the target is at its end.
///
/// | grammar | the strings |
/// |---|---|
/// | 1 | 1 1 … 1 |
/// | 2 | 1 0 1 0 … 1 0 |
/// | 3 | without an odd number of 0 right after an odd number of 1 |
/// | 4 | without 0 0 0 |
/// | 5 | with an even number of 0 and an even number of 1 |
/// | 6 | where the number of 0 less that of 1 is a multiple of 3 |
/// | 7 | 0 … 0 1 … 1 0 … 0 1 … 1, each part perhaps empty |
///
/// Both answers are equally likely if there are strings for both. All lengths for which strings
/// exist are equally likely, and so are the strings of one length. Tomita 1982.
public struct Tomita: GeneratedTask {
  public static let summary =
    "whether a string of 0 and 1 is of one of Tomita's languages, at the end"
  public static let source = "Tomita 1982"

  public var grammar: Int
  public var trainLength, testLength: ClosedRange<Int>

  public init(
    grammar: Int = 1, trainLength: ClosedRange<Int> = 1...10,
    testLength: ClosedRange<Int> = 40...60
  ) {
    precondition((1...7).contains(grammar), "Tomita's grammar \(grammar)")
    self.grammar = grammar
    self.trainLength = trainLength
    self.testLength = testLength
  }

  private enum Key: String, CodingKey {
    case grammar
    case trainLength = "train_length"
    case testLength = "test_length"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Key.self)
    grammar = try keys.count(.grammar, default: 1, in: 1...7)
    trainLength = try keys.lengths(.trainLength, default: 1...10)
    testLength = try keys.lengths(.testLength, default: 40...60)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: Key.self)
    try keys.encode(grammar, forKey: .grammar)
    try keys.encode([trainLength.lowerBound, trainLength.upperBound], forKey: .trainLength)
    try keys.encode([testLength.lowerBound, testLength.upperBound], forKey: .testLength)
  }

  private static let automata = [
    Automaton([[1, 0], [1, 1]], accepting: [0]),
    Automaton([[2, 1], [0, 2], [2, 2]], accepting: [0]),
    // State 0: an even number of 1 so far in this run, or none. State 1: an odd number of 1. States
    // 2 and 3: an odd and an even number of 0 after an odd number of 1. State 4: a 1 after an odd
    // number of 0.
    Automaton([[0, 1], [2, 0], [3, 4], [2, 1], [4, 4]], accepting: [0, 1, 3]),
    Automaton([[1, 0], [2, 0], [3, 0], [3, 3]], accepting: [0, 1, 2]),
    Automaton([[1, 2], [0, 3], [3, 0], [2, 1]], accepting: [0]),
    Automaton([[1, 2], [2, 0], [0, 1]], accepting: [0]),
    Automaton([[0, 1], [2, 1], [2, 3], [4, 3], [4, 4]], accepting: [0, 1, 2, 3]),
  ]

  var automaton: Automaton { Self.automata[grammar - 1] }

  /// Returns true if a string of 0 and 1 is in the language.
  public func accepts(_ string: some Sequence<Int32>) -> Bool { automaton.accepts(string) }

  public var inputs: [String] { ["0", "1"] }
  public var outputs: [String] { ["no", "yes"] }
  public var asksOnce: Bool { true }

  public func lengths(_ part: TaskPart) -> ClosedRange<Int> {
    part == .test ? testLength : trainLength
  }

  public func example(_ part: TaskPart, _ draw: inout Draw) -> Example {
    automaton.example(lengths(part), &draw)
  }
}
