internal import Names

/// The registry of generated tasks, keyed by the name that configurations use. A new task is one
/// line here and one file beside it.
public let tasks: [String: any GeneratedTask.Type] = [
  "adding": Adding.self,
  "associative-recall": AssociativeRecall.self,
  "conditioned": ConditionedText.self,
  "copy": Copying.self,
  "embedded-reber": EmbeddedReber.self,
  "frames": LabelledFrames.self,
  "mackey-glass": MackeyGlass.self,
  "modular-arithmetic": ModularArithmetic.self,
  "multiplication": Multiplication.self,
  "narma": NARMA.self,
  "parity": Parity.self,
  "reber": Reber.self,
  "selective-copy": SelectiveCopying.self,
  "spoken-digits": SpokenDigits.self,
  "temporal-order": TemporalOrder.self,
  "tomita": Tomita.self,
  "word-problem": WordProblem.self,
]

/// A task in a configuration, with the number of its examples.
public struct TaskOptions: Codable, Sendable, Equatable {
  public let name: String
  public let task: any GeneratedTask
  /// The numbers of examples per epoch, of the validation part and of the test part; 0 for no such
  /// part.
  public var trainSize, validSize, testSize: Int

  /// - Precondition: `tasks` has a task of this type.
  public init(
    _ task: any GeneratedTask, trainSize: Int = 10_000, validSize: Int = 1_000,
    testSize: Int = 1_000
  ) {
    guard let name = tasks.first(where: { $0.value == type(of: task) })?.key else {
      preconditionFailure("\(type(of: task)) is not among the tasks")
    }
    self.name = name
    self.task = task
    self.trainSize = trainSize
    self.validSize = validSize
    self.testSize = testSize
  }

  private enum Key: String, CodingKey {
    case task
    case trainSize = "train_size"
    case validSize = "valid_size"
    case testSize = "test_size"
  }

  /// Decodes the mapping that contains the name of the task and its options.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Key.self)
    let name = try keys.decode(String.self, forKey: .task)
    guard let type = tasks[name] else {
      throw keys.unknownName(name, of: "task", among: tasks.keys, forKey: .task)
    }
    self.init(
      try type.init(from: decoder),
      trainSize: try keys.count(.trainSize, default: 10_000, in: 1...largestCount),
      validSize: try keys.count(.validSize, default: 1_000, in: 0...largestCount),
      testSize: try keys.count(.testSize, default: 1_000, in: 0...largestCount))
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: Key.self)
    try keys.encode(name, forKey: .task)
    try keys.encode(trainSize, forKey: .trainSize)
    try keys.encode(validSize, forKey: .validSize)
    try keys.encode(testSize, forKey: .testSize)
    try task.encode(to: encoder)
  }

  public static func == (a: TaskOptions, b: TaskOptions) -> Bool {
    a.name == b.name && a.task.isEqual(to: b.task)
      && (a.trainSize, a.validSize, a.testSize) == (b.trainSize, b.validSize, b.testSize)
  }

  /// Returns the examples of a part under a seed; nil if the part has none.
  public func examples(_ part: TaskPart, seed: UInt64) -> GeneratedExamples? {
    let count =
      switch part {
      case .train: trainSize
      case .valid: validSize
      case .test: testSize
      }
    return count == 0
      ? nil : GeneratedExamples(task, name: name, part: part, count: count, seed: seed)
  }
}

/// An upper limit for the number of examples, or of steps of one.
let largestCount = 1 << 30
let largestLength = 1 << 24

// Decoding that the options of tasks and readers share.
extension KeyedDecodingContainer {
  /// Decodes a whole number in a range; returns the default if the key is absent.
  func count(_ key: Key, default value: Int, in range: ClosedRange<Int>) throws -> Int {
    let found = try decodeIfPresent(Int.self, forKey: key) ?? value
    guard range.contains(found) else {
      throw refusal(
        key,
        found < range.lowerBound
          ? "\(key.stringValue) must be at least \(range.lowerBound)"
          : "\(key.stringValue) must be at most \(range.upperBound)")
    }
    return found
  }

  /// Decodes a number that is not negative; returns the default if the key is absent.
  func amount(_ key: Key, default value: Double) throws -> Double {
    let found = try decodeIfPresent(Double.self, forKey: key) ?? value
    guard found >= 0, found.isFinite else {
      throw refusal(key, "\(key.stringValue) must be a number from 0 on")
    }
    return found
  }

  /// Decodes the fewest and the most steps, `[10, 20]`; returns the default if the key is absent.
  func lengths(_ key: Key, default value: ClosedRange<Int>) throws -> ClosedRange<Int> {
    guard let found = try decodeIfPresent([Int].self, forKey: key) else { return value }
    guard found.count == 2, found[0] >= 1, found[0] <= found[1], found[1] <= largestLength else {
      throw refusal(
        key, "\(key.stringValue) must be the fewest and the most steps, such as [10, 20]")
    }
    return found[0]...found[1]
  }

  /// Decodes one of some names; returns the default if the key is absent.
  func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: Key, default value: Choice
  ) throws -> Choice where Choice.RawValue == String {
    guard let name = try decodeIfPresent(String.self, forKey: key) else { return value }
    guard let found = Choice(rawValue: name) else {
      throw unknownName(
        name, of: key.stringValue, among: Choice.allCases.map(\.rawValue), forKey: key)
    }
    return found
  }

  func refusal(_ key: Key, _ sentence: String) -> DecodingError {
    .dataCorruptedError(forKey: key, in: self, debugDescription: sentence)
  }
}
