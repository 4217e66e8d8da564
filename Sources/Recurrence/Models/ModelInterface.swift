/// What a model reads and what it predicts, as its data decides.
public struct ModelInterface: Codable, Hashable, Sendable {
  /// What is read at each step.
  public enum Input: Codable, Hashable, Sendable {
    /// One of so many symbols.
    case symbols(Int)
    /// So many numbers.
    case frames(Int)
    /// Nothing: the state alone goes on.
    case nothing
  }

  /// What is predicted at each step that asks for something.
  public enum Output: Codable, Hashable, Sendable {
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

  public var input: Input
  public var output: Output
  /// The width of what is known of a whole sequence; 0 for nothing.
  public var condition: Int
  /// The number of symbols that an encoder reads; 0 where there is nothing to encode.
  public var source: Int
  /// Whether a sequence asks for one answer, at its end.
  public var asksOnce: Bool

  public init(
    input: Input, output: Output, condition: Int = 0, source: Int = 0, asksOnce: Bool = false
  ) {
    self.input = input
    self.output = output
    self.condition = condition
    self.source = source
    self.asksOnce = asksOnce
  }

  /// That of a language model: the next of the symbols that are read.
  public init(vocabulary: Int) {
    self.init(input: .symbols(vocabulary), output: .symbols(vocabulary))
  }
}
