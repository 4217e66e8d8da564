/// What a model reads and what it predicts, as its data decides.
public struct TaskSignature: Codable, Hashable, Sendable {
  /// What is read at each step.
  public enum Input: Hashable, Sendable {
    /// One of so many symbols.
    case symbols(Int)
    /// So many numbers.
    case frames(Int)
    /// Nothing: the state alone goes on.
    case nothing
  }

  /// What is predicted at each step that asks for something.
  public enum Output: Hashable, Sendable {
    /// One of so many symbols: softmax and cross-entropy.
    case symbols(Int)
    /// So many numbers: squared error.
    case numbers(Int)
    /// Which of so many labels hold: a logistic output for each.
    case labels(Int)

    /// The width of the output layer.
    public var width: Int {
      switch self {
      case .symbols(let count), .numbers(let count), .labels(let count): count
      }
    }
  }

  /// The most symbols that a step can be fed the one before of: its state is a Float.
  static let mostSymbolsFed = 1 << 24

  public var input: Input
  public var output: Output
  /// The numbers that are known of a whole sequence; 0 for none.
  public var condition: Int
  /// Of each class that is known of a whole sequence, how many there are to tell apart.
  public var classes: [Int]
  /// The number of symbols that an encoder reads; 0 where it reads none.
  public var source: Int
  /// The width of the frames that an encoder reads in place of symbols; 0 where it reads none.
  public var sourceFrames: Int
  /// Whether a sequence asks for one answer, at its end.
  public var asksOnce: Bool
  /// Whether windows are cut from a running text, whose ends nobody has seen.
  public var isRunning: Bool
  /// Whether an example is a tree, whose leaves are read.
  public var isTree: Bool
  /// What is known of where sequences end; nil where that is no question, because each output comes with
  /// an input that is given, or because there are no sequences of outputs.
  public var ends: Ends?

  /// Of sequences of outputs that are read again, how they may end.
  public struct Ends: Codable, Hashable, Sendable {
    /// The symbol that stands for the end; nil where outputs are no symbols.
    public var symbol: Int?
    /// The most outputs that a sequence to train on has, the end not counted.
    public var longest: Int

    public init(symbol: Int? = nil, longest: Int) {
      self.symbol = symbol
      self.longest = longest
    }
  }

  public init(
    input: Input, output: Output, condition: Int = 0, classes: [Int] = [], source: Int = 0,
    sourceFrames: Int = 0, asksOnce: Bool = false, isRunning: Bool = false, isTree: Bool = false,
    ends: Ends? = nil
  ) {
    self.input = input
    self.output = output
    self.condition = condition
    self.classes = classes
    self.source = source
    self.sourceFrames = sourceFrames
    self.asksOnce = asksOnce
    self.isRunning = isRunning
    self.isTree = isTree
    self.ends = ends
  }

  /// That of a language model: the next of the symbols of a running text.
  public init(vocabulary: Int) {
    self.init(input: .symbols(vocabulary), output: .symbols(vocabulary), isRunning: true)
  }

  /// Says whether anything is known of a whole sequence.
  public var isConditioned: Bool { condition > 0 || !classes.isEmpty }

  /// The input of an encoder at each step of its own; nil where there is nothing to encode.
  public var encoded: Input? {
    source > 0 ? .symbols(source) : sourceFrames > 0 ? .frames(sourceFrames) : nil
  }

  private enum CodingKeys: String, CodingKey {
    case input, output, condition, classes, source, sourceFrames, asksOnce, isRunning, isTree, ends
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      input: try keys.decode(Input.self, forKey: .input),
      output: try keys.decode(Output.self, forKey: .output),
      condition: try keys.decode(Int.self, forKey: .condition),
      classes: try keys.decodeIfPresent([Int].self, forKey: .classes) ?? [],
      source: try keys.decode(Int.self, forKey: .source),
      sourceFrames: try keys.decodeIfPresent(Int.self, forKey: .sourceFrames) ?? 0,
      asksOnce: try keys.decode(Bool.self, forKey: .asksOnce),
      isRunning: try keys.decode(Bool.self, forKey: .isRunning),
      isTree: try keys.decode(Bool.self, forKey: .isTree),
      ends: try keys.decodeIfPresent(Ends.self, forKey: .ends))
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(input, forKey: .input)
    try keys.encode(output, forKey: .output)
    try keys.encode(condition, forKey: .condition)
    if !classes.isEmpty { try keys.encode(classes, forKey: .classes) }
    try keys.encode(source, forKey: .source)
    if sourceFrames > 0 { try keys.encode(sourceFrames, forKey: .sourceFrames) }
    try keys.encode(asksOnce, forKey: .asksOnce)
    try keys.encode(isRunning, forKey: .isRunning)
    try keys.encode(isTree, forKey: .isTree)
    try keys.encodeIfPresent(ends, forKey: .ends)
  }
}

// As a kind with its width, `{"symbols": 65}`.
extension TaskSignature.Input: Codable {
  private enum Kind: String, CodingKey, CaseIterable { case symbols, frames, nothing }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Kind.self)
    if let count = try keys.decodeIfPresent(Int.self, forKey: .symbols) {
      self = .symbols(count)
    } else if let width = try keys.decodeIfPresent(Int.self, forKey: .frames) {
      self = .frames(width)
    } else {
      self = .nothing
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: Kind.self)
    switch self {
    case .symbols(let count): try keys.encode(count, forKey: .symbols)
    case .frames(let width): try keys.encode(width, forKey: .frames)
    case .nothing: try keys.encode(0, forKey: .nothing)
    }
  }
}

extension TaskSignature.Output: Codable {
  private enum Kind: String, CodingKey { case symbols, numbers, labels }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Kind.self)
    if let count = try keys.decodeIfPresent(Int.self, forKey: .symbols) {
      self = .symbols(count)
    } else if let width = try keys.decodeIfPresent(Int.self, forKey: .numbers) {
      self = .numbers(width)
    } else {
      self = .labels(try keys.decode(Int.self, forKey: .labels))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: Kind.self)
    switch self {
    case .symbols(let count): try keys.encode(count, forKey: .symbols)
    case .numbers(let width): try keys.encode(width, forKey: .numbers)
    case .labels(let width): try keys.encode(width, forKey: .labels)
    }
  }
}
