/// The inputs and outputs that the data prescribes for a model.
public struct TaskSignature: Codable, Hashable, Sendable {
  /// The input at each step.
  public enum Input: Hashable, Sendable {
    /// One of n symbols.
    case symbols(Int)
    /// A frame of n numbers.
    case frames(Int)
    /// No input: the model runs on its state alone.
    case nothing
  }

  /// The output at each step with a target.
  public enum Output: Hashable, Sendable {
    /// One of n symbols: softmax and cross-entropy.
    case symbols(Int)
    /// n numbers: squared error.
    case numbers(Int)
    /// Any subset of n labels: one logistic output per label.
    case labels(Int)

    /// The width of the output layer.
    public var width: Int {
      switch self {
      case .symbols(let count), .numbers(let count), .labels(let count): count
      }
    }
  }

  /// The most symbols that target feedback allows: the fed-back symbol is stored as a Float.
  package static let mostSymbolsFed = 1 << 24

  public var input: Input
  public var output: Output
  /// The number of numbers in the condition of a sequence; 0 for none.
  public var condition: Int
  /// The number of classes to tell apart, for each class of the condition of a sequence.
  public var classes: [Int]
  /// The number of symbols in the vocabulary of the source; 0 without symbols.
  public var source: Int
  /// The width of the frames of the source; 0 without frames.
  public var sourceFrames: Int
  /// True if each sequence has one target, at its end.
  public var asksOnce: Bool
  /// True if windows are cut from a running text, whose end is never seen.
  public var isRunning: Bool
  /// True if an example is a tree whose leaves are words.
  public var isTree: Bool
  /// The possible ends of sequences. Nil if the end need not be predicted: each output comes with
  /// an input, or there are no sequences of outputs.
  public var ends: Ends?

  /// The ends of output sequences that the model reads back as its input.
  public struct Ends: Codable, Hashable, Sendable {
    /// The end-of-sequence symbol; nil if outputs are not symbols.
    public var symbol: Int?
    /// The number of outputs of the longest training sequence, without end-of-sequence.
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

  /// Makes the signature of a language model: the next symbol of a running text.
  public init(vocabulary: Int) {
    self.init(input: .symbols(vocabulary), output: .symbols(vocabulary), isRunning: true)
  }

  /// True if sequences have a condition: numbers or classes.
  public var isConditioned: Bool { condition > 0 || !classes.isEmpty }

  /// The input of the encoder at each step of the source; nil without a source.
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

// Coded as a kind with its width: `{"symbols": 65}`.
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
